"""What a telling may be, and who may be told: the words that a command line offers, without what stores them."""

from enum import StrEnum

EVERYONE = "*"
"""The scope of an endpoint that is told about everybody's records."""


class State(StrEnum):
    """Where the telling of one event to one endpoint stands."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    GIVEN_UP = "given_up"
