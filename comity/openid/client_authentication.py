"""What an authorization server says of client authentication: RFC 8414 §2, and the attestation draft."""

from typing import Any

from msgspec import Struct

from comity.errors import Code
from comity.openid import client_assertion, client_attestation, endpoint
from comity.openid.members import Members
from comity.openid.refusal import Refusal

NONE = "none"
_REFUSE = Refusal(code=Code.METADATA_INVALID)
_METHODS = "token_endpoint_auth_methods_supported"
_ASSERTION = "token_endpoint_auth_signing_alg_values_supported"
_ATTESTATION = "client_attestation_signing_alg_values_supported"
_POP = "client_attestation_pop_signing_alg_values_supported"


class ClientAuthentication(Struct, frozen=True, kw_only=True):
    """How clients show who they are, at the token and at the pushed authorization endpoint.

    Attributes:
        methods: names of methods; ``none`` among them says that clients need not.
        assertion_algorithms: for ``private_key_jwt``.
        attestation_algorithms: for client attestations; () when not said.
        pop_algorithms: for their proofs of possession; () when not said.
        challenge_endpoint: where a challenge for the proof is had; a client uses one whenever this is set.
    """

    methods: tuple[str, ...] = (NONE,)
    assertion_algorithms: tuple[str, ...] = ()
    attestation_algorithms: tuple[str, ...] = ()
    pop_algorithms: tuple[str, ...] = ()
    challenge_endpoint: str | None = None

    @classmethod
    def parse(cls, members: Members, *, issuer: str) -> "ClientAuthentication":
        """Read authorization server metadata.

        Raises:
            OAuthError: ``metadata_invalid``: a member is malformed, or the challenge endpoint belongs to somebody else.
        """
        challenge_endpoint = members.optional_url("challenge_endpoint")
        if challenge_endpoint is not None and not endpoint.belongs_to(challenge_endpoint, issuer):
            raise _REFUSE("authorization server metadata: the challenge endpoint belongs to somebody else")
        return cls(
            methods=members.optional_strings(_METHODS),
            assertion_algorithms=members.optional_strings(_ASSERTION),
            attestation_algorithms=members.optional_strings(_ATTESTATION),
            pop_algorithms=members.optional_strings(_POP),
            challenge_endpoint=challenge_endpoint,
        )

    @property
    def takes_attestations(self) -> bool:
        """Whether client attestations are taken, with a proof of possession of their own."""
        return client_attestation.METHOD in self.methods

    @property
    def is_required(self) -> bool:
        """Whether a client must show who it is."""
        return NONE not in self.methods

    def to_dict(self) -> dict[str, Any]:
        """Return the members of the metadata."""
        body: dict[str, Any] = {_METHODS: list(self.methods)}
        if client_assertion.METHOD in self.methods:
            body[_ASSERTION] = list(self.assertion_algorithms)
        if self.takes_attestations:
            body |= {_ATTESTATION: list(self.attestation_algorithms), _POP: list(self.pop_algorithms)}
        if self.challenge_endpoint is not None:
            body["challenge_endpoint"] = self.challenge_endpoint
        return body
