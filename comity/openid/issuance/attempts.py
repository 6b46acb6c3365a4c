"""How many wrong transaction codes an offer still bears: a further member of the token endpoint's error response.

OpenID4VCI 1.0 §6.3 answers a wrong code with ``invalid_grant`` and says nothing about further tries. RFC 6749 §5.2
names three members of an error response and forbids no others; §8 asks for names that do not collide, and clients
ignore what they do not know (decision record 0037).
"""

from collections.abc import Mapping
from typing import Any

from comity.errors import Code
from comity.openid.refusal import OAuthError, OAuthErrorCode

MEMBER = "tx_code_attempts_left"
MOST = 99
"""A number above this tells a person nothing; it is not believed."""


def refusal(code: Code, detail: str, *, left: int) -> OAuthError:
    """Return the refusal of a wrong transaction code, with the tries that are left; 0: the offer is closed for good."""
    return OAuthError(code, detail, error=OAuthErrorCode.INVALID_GRANT, more={MEMBER: left})


def read(document: Mapping[str, Any]) -> int | None:
    """Return the tries left that another party's error response tells: 0 to :data:`MOST`, or None.

    Anything else under that name is treated as absent: it is somebody else's, and a message is never refused for it.
    """
    told = document.get(MEMBER)
    return told if type(told) is int and 0 <= told <= MOST else None
