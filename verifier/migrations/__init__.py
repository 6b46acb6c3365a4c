"""The history of the verifier's database."""
