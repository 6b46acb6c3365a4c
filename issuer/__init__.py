"""The issuer: authorities offer credentials, wallets fetch them, and their status is published."""
