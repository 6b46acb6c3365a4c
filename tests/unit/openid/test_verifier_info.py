"""What others attest of a verifier: ours is read, other formats are passed over, and nothing is without bounds."""

from typing import Any

import pytest

from comity.errors import Code
from comity.openid.members import Members
from comity.openid.presentation import verifier_info
from comity.openid.presentation.verifier_info import ENTITLEMENT, MAX_ENTRIES, MAX_LENGTH, VerifierInfo
from comity.openid.refusal import OAuthError, Refusal

OURS = {"format": ENTITLEMENT, "data": "a.b.c", "credential_ids": ["licence"]}


def parse(entries: Any) -> tuple[VerifierInfo, ...]:
    return verifier_info.parse(Members({"verifier_info": entries}, "request", Refusal(code=Code.REQUEST_INVALID)))


def test_other_formats_are_ignored() -> None:  # OpenID4VP §5.1
    other: dict[str, Any] = {"format": "jwt", "data": {"a": 1}}
    assert parse([other, OURS, other]) == (VerifierInfo(format=ENTITLEMENT, data="a.b.c", credential_ids=("licence",)),)
    assert parse([other]) == ()
    assert parse([OURS])[0].to_dict() == OURS


@pytest.mark.parametrize(
    "entries",
    [
        [],
        {},
        ["a.b.c"],
        [{"data": "a.b.c"}],
        [{"format": ENTITLEMENT}],
        [{"format": ENTITLEMENT, "data": {}}],
        [{"format": ENTITLEMENT, "data": "a" * (MAX_LENGTH + 1)}],
        [{**OURS, "credential_ids": "licence"}],
        [OURS] * (MAX_ENTRIES + 1),
    ],
)
def test_what_is_no_attestation_is_refused(entries: Any) -> None:
    with pytest.raises(OAuthError):
        parse(entries)
    assert len(parse([OURS] * MAX_ENTRIES)) == MAX_ENTRIES
