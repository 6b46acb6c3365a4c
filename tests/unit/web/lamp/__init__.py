"""A made-up face for the tests of pages."""
