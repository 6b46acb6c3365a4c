"""Tokens as a signer makes them, and as nobody should."""

import json
from typing import Any

import pytest

from comity import base64url, jose, keys
from comity.errors import Code, Malformed
from comity.keys import KeySigner

SIGNERS = {algorithm: KeySigner.generate(algorithm) for algorithm in keys.ALGORITHMS}
SIGNER = SIGNERS["ES256"]
KEY = keys.public_key(SIGNER.public_jwk)


def segment(value: Any) -> str:
    return base64url.encode(value if isinstance(value, bytes) else json.dumps(value).encode())


def token(header: Any, payload: Any = b"{}", signature: bytes = bytes(64)) -> str:
    return f"{segment(header)}.{segment(payload)}.{base64url.encode(signature)}"


def signed(header: Any, payload: Any = b"{}", signer: KeySigner = SIGNER) -> str:
    """Sign any header at all, also those that :func:`jose.sign` would refuse to make."""
    signing_input = f"{segment(header)}.{segment(payload)}"
    return f"{signing_input}.{base64url.encode(signer.sign(signing_input.encode()))}"


def accept(encoded: str, typ: str = "vc+jwt", context: str = "credential") -> jose.Jws:
    """Go the whole way that a caller goes."""
    jws = jose.parse(encoded)
    jose.require(jws, typ=typ, context=context)
    jose.verify(jws, KEY)
    return jws


def code_of(encoded: str, **options: Any) -> Code:
    with pytest.raises(Malformed) as raised:
        accept(encoded, **options)
    return raised.value.code
