"""A request that nothing in the wallet answers: what the person is told about it."""

from collections.abc import Mapping
from typing import Any

from comity import dcql
from comity.credential import CredentialType
from comity.errors import Code, Denied


class NothingAnswers(Denied):
    """The wallet holds nothing that answers; the verifier is told nothing (profile DQ-5).

    Attributes:
        who: who asks, as on a consent.
        asked: what for: the name of a type and the names of its claims, for each credential that is asked for.
    """

    def __init__(self, who: Mapping[str, Any], asked: list[tuple[str, list[str]]]) -> None:
        super().__init__(Code.NO_MATCHING_CREDENTIAL, "the wallet holds nothing that answers this request")
        self.who = who
        self.asked = asked


def asked_types(query: dcql.Query) -> list[tuple[str, list[str]]]:
    """Return the first name of the type that each credential query asks for, and the names of the claims."""
    asked = []
    for each in query.credentials:
        names = [name for types in dcql.named_types(each.meta) for name in types]
        known = [name for name in names if CredentialType.from_vct(name)] or names
        claims = [dcql.claim_of(each.format, claim.path) for claim in each.claims]
        asked.append((known[0] if known else each.id, claims))
    return asked
