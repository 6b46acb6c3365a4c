"""Request objects as the tests of this folder sign, change and judge them."""

from collections.abc import Mapping
from typing import Any

import pytest
from msgspec import structs

from comity import jose, strict_json
from comity.errors import Code
from comity.openid.presentation import client_id, request
from comity.openid.presentation.client_id import ClientId, Prefix
from comity.openid.presentation.link import RequestLink
from comity.openid.presentation.request import (
    NeedsDocument,
    VerifiedRequest,
)
from comity.openid.refusal import OAuthError
from tests.unit.openid.parties import AT, Verifier

DID = "did:web:verifier.example:bar"
KID = f"{DID}#key-1"


def encoded(verifier: Verifier, *, header: Mapping[str, Any] | None = None, **change: Any) -> str:
    """A request object with some claims changed; ``...`` removes one."""
    claims = {**verifier.request().to_dict(), **change}
    claims = {name: value for name, value in claims.items() if value is not ...}
    named = {"typ": request.TYP, "x5c": list(verifier.chain.chain)} if header is None else dict(header)
    return jose.sign(named, claims, verifier.signer)


def verify(verifier: Verifier, text: str, *, client: str | None = None, **options: Any) -> VerifiedRequest:
    found = request.verify(text, client=client or verifier.client.text, at=options.pop("at", AT), **options)
    assert isinstance(found, VerifiedRequest)
    return found


def refused(verifier: Verifier, text: str, code: Code, error: str = "invalid_request", **options: Any) -> None:
    with pytest.raises(OAuthError) as caught:
        verify(verifier, text, **options)
    assert (caught.value.code, caught.value.error.value) == (code, error)


# --- decentralized_identifier


def by_did(verifier: Verifier, kid: str = KID, identifier: str = DID, **change: Any) -> str:
    return encoded(
        verifier,
        header={"typ": request.TYP, "kid": kid},
        client_id=client_id.of_did(identifier).text,
        **change,
    )


def needed(text: str) -> NeedsDocument:
    found = request.verify(text, client=client_id.of_did(DID).text, at=AT)
    assert isinstance(found, NeedsDocument)
    return found


# --- unsigned


def unsigned(verifier: Verifier, **change: str | None) -> RequestLink:
    client = ClientId(prefix=Prefix.REDIRECT_URI, identifier="https://verifier.example/r")
    claims = structs.replace(verifier.request(), client_id=client, response_uri=client.identifier).to_dict()
    fields = {
        name: value if isinstance(value, str) else strict_json.serialise(value).decode()
        for name, value in claims.items()
    }
    changed = {name: value for name, value in {**fields, **change}.items() if value is not None}
    return RequestLink(client_id=client.text, parameters=changed)
