"""The issuer of tests/services, as it is."""

from tests.services.issuer.conftest import issuer, place, template

__all__ = ["issuer", "place", "template"]
