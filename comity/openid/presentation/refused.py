"""A request that is refused although it is known who asks: where the wallet may say so (OpenID4VP 1.0 §8.5).

Nothing is posted from here. Whether the key that signed belongs to the verifier that is named is the caller's to check
first (attack P15), and whether the person wants the verifier told at all (DQ-5).
"""

from msgspec import Struct

from comity.openid.members import Members
from comity.openid.presentation import client_id
from comity.openid.presentation.client_id import ClientId
from comity.openid.presentation.proof import RequestProof
from comity.openid.refusal import OAuthError

_POSTED = frozenset({"direct_post", "direct_post.jwt"})


class ReplyAddress(Struct, frozen=True, kw_only=True):
    """Where an error answer goes, and who would read it.

    Attributes:
        client: who asked.
        proof: how the request was signed.
        response_uri: an address that ``client`` may receive answers at.
        state: to be sent back; None when the request had none that can be.
    """

    client: ClientId
    proof: RequestProof
    response_uri: str
    state: str | None


class RefusedRequest(OAuthError):
    """A refused request, with ``reply``: where to say so."""

    def __init__(self, problem: OAuthError, reply: ReplyAddress) -> None:
        super().__init__(problem.code, problem.detail, error=problem.error)
        self.reply = reply


def tellable(problem: OAuthError, members: Members, client: ClientId, proof: RequestProof) -> OAuthError:
    """Return ``problem`` with the address for telling it; as it is, where the request gives none that can be used."""
    try:
        if members.string("response_mode") not in _POSTED:
            return problem
        response_uri, state = members.url("response_uri"), members.optional_string("state")
        client_id.check_response_uri(client, response_uri)
    except OAuthError:
        return problem
    return RefusedRequest(problem, ReplyAddress(client=client, proof=proof, response_uri=response_uri, state=state))
