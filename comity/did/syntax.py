"""Decentralized Identifiers as text (DID Core 1.0 §3), for the three methods the house knows."""

import re
from functools import lru_cache

from msgspec import Struct

from comity.errors import Code, Malformed

METHODS = frozenset({"web", "key", "jwk"})
"""Methods that can be resolved. ``did:webvh`` is not among them yet."""

MAX_LENGTH = 1024
"""Longest DID URL, in characters; long enough for the did:jwk of a P-384 key."""

_KEPT = 1024
_DID_URL = re.compile(r"(did:([a-z0-9]+):([A-Za-z0-9._:%-]+))(?:#([A-Za-z0-9._~!$&'()*+,;=:@/?-]+))?")


class Did(Struct, frozen=True, kw_only=True):
    """A DID, or a DID URL that names a verification method.

    Attributes:
        method: ``web``, ``key`` or ``jwk``.
        did: the DID without the fragment.
        identifier: what follows ``did:<method>:``, as written.
        fragment: the text after ``#``, or None.
    """

    method: str
    did: str
    identifier: str
    fragment: str | None = None

    @property
    def url(self) -> str:
        """The whole text: the DID, and the fragment if there is one."""
        return self.did if self.fragment is None else f"{self.did}#{self.fragment}"


@lru_cache(maxsize=_KEPT)
def parse(did_url: str) -> Did:
    """Return the parts of a DID or DID URL. Paths, queries and parameters are refused: nothing here dereferences them.

    Checks the general syntax only; each method checks its own identifier.

    Raises:
        Malformed: ``malformed_did`` or ``did_method_unsupported``.
    """
    if len(did_url) > MAX_LENGTH:
        raise Malformed(Code.MALFORMED_DID, f"the DID is longer than {MAX_LENGTH} characters")
    match = _DID_URL.fullmatch(did_url)
    if match is None:
        raise Malformed(Code.MALFORMED_DID, "the text is not a DID, or a DID with a fragment")
    did, method, identifier, fragment = match.groups()
    if method not in METHODS:
        raise Malformed(Code.DID_METHOD_UNSUPPORTED, f"the DID method {method[:32]} is not supported")
    return Did(method=method, did=did, identifier=identifier, fragment=fragment)
