"""The history of the issuer's database, run by command."""
