"""did:web: one URL for one DID, and every trick of catalogue R02 and R05 refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comity import did
from comity.errors import Code, Malformed
from comity.keys import KeySigner

SIGNER = KeySigner.generate()


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("did:web:issuer.example", "https://issuer.example/.well-known/did.json"),
        ("did:web:issuer.example:ca-on:services", "https://issuer.example/ca-on/services/did.json"),
        ("did:web:issuer.example%3A8443", "https://issuer.example:8443/.well-known/did.json"),
        ("did:web:issuer.example%3A8443:a", "https://issuer.example:8443/a/did.json"),
        ("did:web:localhost", "http://localhost/.well-known/did.json"),
        ("did:web:localhost%3A8101:ca-on:services", "http://localhost:8101/ca-on/services/did.json"),
        ("did:web:xn--qubec-csa.example:A_b-c.d", "https://xn--qubec-csa.example/A_b-c.d/did.json"),
        ("did:web:7.example", "https://7.example/.well-known/did.json"),
    ],
)
@pytest.mark.clause("7-1-did-web")
@pytest.mark.good_twin("R05")
def test_where_the_document_stands(text: str, url: str) -> None:
    assert did.document_url(text) == url
    assert did.document_url(f"{text}#key-1") == url
    assert did.web.did_of(url.removesuffix("/did.json").removesuffix("/.well-known")) == text
    assert did.local_document(text) is None


ADDRESSES = [
    "127.0.0.1", "0177.0.0.1", "2130706433", "0x7f000001", "0x7f.1", "127.1", "1.2.3", "10.0.0.1", "169.254.169.254",
    "a.0x7f", "a.1", "0.0.0.0", "a.0x", "%5B%3A%3A1%5D", "[::1]", "%31%32%37.0.0.1", "127%2E0%2E0%2E1",
    "::ffff:a9fe:a9fe",
]  # fmt: skip


@pytest.mark.parametrize("host", ADDRESSES)
@pytest.mark.clause("7-1-did-web")
def test_addresses_are_not_hosts(host: str) -> None:
    with pytest.raises(Malformed) as raised:
        did.document_url(f"did:web:{host}")
    assert raised.value.code is Code.MALFORMED_DID


@pytest.mark.parametrize(
    "identifier",
    [
        "intranet",
        "LOCALHOST",
        "Issuer.example",
        "issuer.example.",
        ".example",
        "a..example",
        "-a.example",
        "a-.example",
        "a_b.example",
        "a" * 64 + ".example",
        ".".join(["a" * 60] * 5) + ".example",
        "localhost.",
        "issuer%2Eexample",
        "issuer.example%3a8443",
        "issuer.example%3A",
        "issuer.example%3A0",
        "issuer.example%3A08443",
        "issuer.example%3A65536",
        "issuer.example%3A99999",
        "issuer.example%3A-1",
        "issuer.example%3A84%343",
        "issuer.example%3A8443%3A1",
        "issuer.example%253A8443",
        "user%40issuer.example",
        "issuer.example%2Fa",
        "issuer.example%23a",
        "issuer.example%3Fa",
        "issuer.example%00",
        ":a",
        "issuer.example:",
        "issuer.example::a",
        "issuer.example:a:",
        "issuer.example:..:a",
        "issuer.example:.",
        "issuer.example:..",
        "issuer.example:...",
        "issuer.example:.well-known",
        "issuer.example:%2E%2E:a",
        "issuer.example:%2e%2e",
        "issuer.example:a%2Fb",
        "issuer.example:a%5Cb",
        "issuer.example:%",
        "issuer.example:%zz",
    ],
)
@pytest.mark.clause("7-1-did-web")
@pytest.mark.attack("R02", "R05")
def test_tricks_are_refused(identifier: str) -> None:
    with pytest.raises(Malformed) as raised:
        did.document_url(f"did:web:{identifier}")
    assert raised.value.code is Code.MALFORMED_DID


@pytest.mark.parametrize(
    "url",
    [
        "",
        "issuer.example",
        "http://issuer.example",
        "https://localhost:8101",
        "ftp://issuer.example",
        "https://issuer.example/",
        "https://issuer.example/a/",
        "https://issuer.example/a//b",
        "https://issuer.example/../a",
        "https://issuer.example/a?b",
        "https://issuer.example/a#b",
        "https://user@issuer.example/a",
        "https://ISSUER.example/a",
        "https://issuer.example:443x/a",
        "https://issuer.example:99999/a",
        "https://issuer.example:/a",
        "https://127.0.0.1/a",
        "https://[::1]/a",
        "https://[::1/a",
        "https://issuer.example/.well-known",
        "https://issuer.example/a%20b",
        "https://issuer.example/a:b",
        "https:///a",
    ],
)
def test_urls_that_no_did_stands_for(url: str) -> None:
    with pytest.raises(Malformed) as raised:
        did.web.did_of(url)
    assert raised.value.code is Code.MALFORMED_DID


@given(st.text(alphabet="abz019.-_%3AE:FL/@#?\\") | st.text())
def test_any_identifier_has_one_url_or_none(identifier: str) -> None:
    try:
        parsed = did.parse(f"did:web:{identifier}")
        url = did.document_url(parsed)
    except Malformed:
        return
    assert url is not None
    assert did.web.did_of(url.removesuffix("/did.json").removesuffix("/.well-known")) == parsed.did


@given(st.text() | st.text(alphabet="htps:/.-a1@?#[]%").map("https://".__add__))
def test_any_url_has_one_did_or_none(url: str) -> None:
    try:
        found = did.web.did_of(url)
    except Malformed:
        return
    assert did.document_url(found) in (f"{url}/did.json", f"{url}/.well-known/did.json")


def test_the_document_an_issuer_publishes() -> None:
    text = "did:web:issuer.example:ca-on"
    relationships = ["assertionMethod", "authentication"]
    document = did.web_document(text, {"key-1": SIGNER.public_jwk}, relationships)
    assert document == {
        "@context": ["https://www.w3.org/ns/did/v1", "https://www.w3.org/ns/cid/v1"],
        "id": text,
        "verificationMethod": [
            {
                "id": f"{text}#key-1",
                "type": "JsonWebKey",
                "controller": text,
                "publicKeyJwk": dict(SIGNER.public_jwk),
            }
        ],
        "assertionMethod": [f"{text}#key-1"],
        "authentication": [f"{text}#key-1"],
    }


def test_no_private_key_is_published() -> None:
    with pytest.raises(Malformed) as raised:
        did.web_document("did:web:issuer.example", {"key-1": SIGNER.private_jwk()}, ["assertionMethod"])
    assert raised.value.code is Code.PRIVATE_KEY_EXPOSED


@pytest.mark.parametrize("text", ["did:web:127.0.0.1", "did:key:z6Mk", "issuer.example"])
def test_only_a_did_web_has_a_document_to_publish(text: str) -> None:
    with pytest.raises(Malformed):
        did.web_document(text, {"key-1": SIGNER.public_jwk}, ["assertionMethod"])


def test_a_fragment_is_a_fragment() -> None:
    with pytest.raises(Malformed):
        did.web_document("did:web:issuer.example", {"key 1": SIGNER.public_jwk}, ["assertionMethod"])
