"""``authorization_details`` of type ``openid_credential`` (RFC 9396, OpenID4VCI 1.0 §5.1.1)."""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from comity import strict_json
from comity.errors import Code, Malformed
from comity.openid.members import Members
from comity.openid.refusal import OAuthErrorCode, Refusal

TYPE = "openid_credential"
_REFUSE = Refusal(code=Code.REQUEST_INVALID, error=OAuthErrorCode.INVALID_AUTHORIZATION_DETAILS)


class CredentialDetail(Struct, frozen=True, kw_only=True):
    """One credential that is asked for.

    Attributes:
        configuration_id: key of ``credential_configurations_supported``.
        locations: issuer identifiers; () when not said. Needed where the metadata list authorization servers.
    """

    configuration_id: str
    locations: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object."""
        body: dict[str, Any] = {"type": TYPE, "credential_configuration_id": self.configuration_id}
        return body | ({"locations": list(self.locations)} if self.locations else {})


def parse(text: str | None) -> tuple[CredentialDetail, ...]:
    """Read the parameter; () when it is absent. ``claims`` and members nobody knows are ignored.

    Not checked: that the configurations exist and that ``locations`` name this issuer.

    Raises:
        OAuthError: ``invalid_authorization_details``: not an array of objects, an unknown type (RFC 9396 §5), or one
            configuration twice.
    """
    if text is None:
        return ()
    try:
        entries = strict_json.parse(text)
    except Malformed as problem:
        raise _REFUSE.of(problem) from None
    if not isinstance(entries, list) or not entries or not all(isinstance(entry, dict) for entry in entries):
        raise _REFUSE("authorization_details must be a non-empty array of objects")
    found = tuple(_detail(Members(entry, "authorization_details", _REFUSE)) for entry in entries)
    if len({each.configuration_id for each in found}) != len(found):
        raise _REFUSE("authorization_details name one credential twice")
    return found


def build(details: Sequence[CredentialDetail]) -> str:
    """Return the parameter."""
    return strict_json.serialise([each.to_dict() for each in details]).decode()


def _detail(members: Members) -> CredentialDetail:
    if members.string("type") != TYPE:
        raise _REFUSE("authorization_details of this type are not known")
    return CredentialDetail(
        configuration_id=members.string("credential_configuration_id"), locations=members.optional_strings("locations")
    )
