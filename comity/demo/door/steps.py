"""The journeys of ``comity demo`` as things to do by hand: which face, which page; the words are ``door.<letter>_<n>``.

Some need the operator of the registry or of a host, or a program, and are told as the command that plays them.
"""

from collections.abc import Mapping

CONSOLE, WALLET, COUNTER, SHOP, DEVELOPERS = "console", "wallet", "counter", "shop", "developers"

PATHS: Mapping[str, tuple[str, str]] = {
    CONSOLE: ("issuer", "/"),
    WALLET: ("wallet", "/"),
    COUNTER: ("verifier", "/counter"),
    SHOP: ("verifier", "/shop"),
    DEVELOPERS: ("verifier", "/developers"),
}
"""Face → service and path below the language."""

JOURNEYS: Mapping[str, tuple[str, ...]] = {
    "a": (CONSOLE, WALLET, COUNTER, WALLET),
    "b": (CONSOLE, COUNTER, CONSOLE, COUNTER),
    "c": (CONSOLE, WALLET, COUNTER),
    "d": (CONSOLE, WALLET, COUNTER),
    "f": (CONSOLE, COUNTER, COUNTER, COUNTER),
    "g": (SHOP, SHOP, COUNTER),
}
"""Letter → where each step is done."""

BY_COMMAND = ("e", "h", "i", "j")
"""Journeys that take more than a browser."""
