"""DIDs as text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comity import did
from comity.errors import Code, Malformed


def test_the_parts_of_a_did_url() -> None:
    parsed = did.parse("did:web:localhost%3A8101:ca-on:services#key-1")
    assert parsed.method == "web"
    assert parsed.did == "did:web:localhost%3A8101:ca-on:services"
    assert parsed.identifier == "localhost%3A8101:ca-on:services"
    assert parsed.fragment == "key-1"
    assert parsed.url == "did:web:localhost%3A8101:ca-on:services#key-1"
    assert did.parse(parsed.did).fragment is None
    assert did.parse(parsed.did).url == parsed.did


@pytest.mark.parametrize(
    "text",
    [
        "",
        "did",
        "did:web",
        "did:web:",
        "did:web:a.example#",
        "DID:web:a.example",
        "did:WEB:a.example",
        "did::a",
        "web:a.example",
        " did:web:a.example",
        "did:web:a.example\n",
        "did:web:a.example/path#k",
        "did:web:a.example?service=x#k",
        "did:web:a.example;v=1#k",
        "did:web:a.example#a#b",
        "did:web:a.example#a b",
        "did:web:user@a.example",
        "did:web:a\\b.example",
        "did:web:québec.example",
        "did:key:" + "z" * 1024,
        "#key-1",
        "https://a.example#k",
    ],
)
def test_what_is_not_a_did_url_is_refused(text: str) -> None:
    with pytest.raises(Malformed) as raised:
        did.parse(text)
    assert raised.value.code is Code.MALFORMED_DID


@pytest.mark.parametrize("text", ["did:webvh:abc:a.example", "did:ion:abc#k", "did:example:123", "did:webs:a.example"])
def test_other_methods_are_told_apart(text: str) -> None:
    with pytest.raises(Malformed) as raised:
        did.parse(text)
    assert raised.value.code is Code.DID_METHOD_UNSUPPORTED


@given(st.text() | st.text(alphabet="did:webkyj%3A.#/z0 ").map("did:".__add__))
def test_any_text_is_a_did_or_malformed(text: str) -> None:
    for read in (did.parse, did.document_url, did.local_document):
        try:
            read(text)
        except Malformed:
            continue
        assert text.startswith("did:")
