"""The verifier of tests/services, as it is."""

from tests.services.verifier.conftest import place, template, verifier

__all__ = ["place", "template", "verifier"]
