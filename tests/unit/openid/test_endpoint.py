import pytest
from hypothesis import given
from hypothesis import strategies as st

from comity.openid import endpoint


@pytest.mark.parametrize(
    "url",
    [
        "https://issuer.example",
        "https://issuer.example/ca-on/services?x=1",
        "https://issuer.example:8443/a",
        "http://localhost:8101/ca-on/services",
        "https://[2001:db8::1]/a",
    ],
)
@pytest.mark.good_twin("I22")
def test_endpoint_accepted(url: str) -> None:
    assert endpoint.is_endpoint(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "issuer.example/a",
        "ftp://issuer.example/a",
        "http://issuer.example/a",
        "http://127.0.0.1/a",
        "http://localhost.evil.example/a",
        "https:///a",
        "https://user@issuer.example/a",
        "https://user:secret@issuer.example/a",
        "https://issuer.example/a#b",
        "https://issuer.example/a#",
        "https://issuer.example/a b",
        "https://issuer.example/a\n",
        "https://issuer.example\\@evil.example/a",
        "https://issuer.example/a/../b",
        "https://issuer.example/a/%2e%2E/b",
        "https://issuer.example/.%2e/b",
        "https://issuer.example/a/..",
        "https://issuer.example/./b",
        "https://issuer.example:99999/a",
        "https://issuer.example:x/a",
        "https://issuer.example:0/a",
        "https://issuer.example:/a",
        "https://issuér.example/a",
        "https://[2001:db8::1/a",
        "javascript:alert(1)",
    ],
)
@pytest.mark.clause("VCI-2")
@pytest.mark.attack("I22")
def test_endpoint_refused(url: str) -> None:
    assert not endpoint.is_endpoint(url)


def test_identifier_has_no_query() -> None:
    assert endpoint.is_identifier("https://issuer.example/ca-on/services")
    assert not endpoint.is_identifier("https://issuer.example/ca-on/services?")
    assert not endpoint.is_identifier("https://issuer.example/ca-on/services?a=b")


BASE = "https://issuer.example/ca-on/services"


@pytest.mark.parametrize(
    "url",
    [BASE, f"{BASE}/", f"{BASE}/token", "https://issuer.example:443/ca-on/services/token", f"{BASE}/token?a=/../b"],
)
def test_belongs(url: str) -> None:
    assert endpoint.belongs_to(url, BASE)


@pytest.mark.parametrize(
    "url",
    [
        "https://issuer.example/ca-on/services-evil/token",
        "https://issuer.example/ca-on",
        "https://issuer.example/ca-on/toronto/services/token",
        "https://issuer.example:8443/ca-on/services/token",
        "https://evil.example/ca-on/services/token",
        "https://issuer.example.evil.example/ca-on/services/token",
        "http://localhost/ca-on/services/token",
        f"{BASE}/../toronto/token",
        "not a url",
    ],
)
@pytest.mark.attack("I20")
def test_belongs_to_somebody_else(url: str) -> None:
    assert not endpoint.belongs_to(url, BASE)


def test_nothing_belongs_to_what_is_no_url() -> None:
    assert not endpoint.belongs_to(f"{BASE}/token", "not a url")


def test_http_and_https_localhost_are_different_origins() -> None:
    assert not endpoint.belongs_to("http://localhost/a", "https://localhost/a")
    assert endpoint.belongs_to("http://localhost/a", "http://localhost:80")


@pytest.mark.parametrize(
    ("identifier", "expected"),
    [
        ("https://i.example", "https://i.example/.well-known/openid-credential-issuer"),
        ("https://i.example/", "https://i.example/.well-known/openid-credential-issuer"),
        ("https://i.example/ca-on/services", "https://i.example/.well-known/openid-credential-issuer/ca-on/services"),
        ("https://i.example/ca-on/", "https://i.example/.well-known/openid-credential-issuer/ca-on"),
        ("http://localhost:8101/ca", "http://localhost:8101/.well-known/openid-credential-issuer/ca"),
    ],
)
def test_well_known_is_inserted(identifier: str, expected: str) -> None:
    assert endpoint.well_known_url(identifier, "openid-credential-issuer") == expected


@pytest.mark.parametrize("identifier", ["not a url", "https://i.example/a?b=c"])
def test_well_known_of_no_identifier_is_a_bug(identifier: str) -> None:
    with pytest.raises(ValueError, match="issuer identifier"):
        endpoint.well_known_url(identifier, "x")


@given(st.text())
def test_any_text_is_judged(text: str) -> None:
    assert isinstance(endpoint.is_endpoint(text), bool)
    assert isinstance(endpoint.belongs_to(f"https://{text}", BASE), bool)
