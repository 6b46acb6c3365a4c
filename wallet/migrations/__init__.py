"""The history of the wallet's database."""
