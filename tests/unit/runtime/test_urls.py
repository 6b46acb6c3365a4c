import pytest
from hypothesis import given
from hypothesis import strategies as st

from comity.errors import Code, Unreachable
from comity.runtime.urls import MAX_URL_LENGTH, AllowedUrl, is_loopback_host, require_allowed


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("https://registry.example/a/b?c=d", "registry.example", 443),
        ("https://Registry.Example:8443/", "registry.example", 8443),
        ("https://xn--qubec-csa.example/", "xn--qubec-csa.example", 443),
        ("https://93.184.215.14/", "93.184.215.14", 443),
        ("https://[2606:4700::1111]/", "2606:4700::1111", 443),
        ("HTTPS://a.example", "a.example", 443),
        ("https://a_b.example/%2e%2e/x", "a_b.example", 443),
    ],
)
@pytest.mark.good_twin("R01", "R02", "R19")
def test_public_https_is_allowed(url: str, host: str, port: int) -> None:
    allowed = require_allowed(url)
    assert (allowed.scheme, allowed.host, allowed.port, allowed.text) == ("https", host, port, url)
    assert allowed.origin == ("https", host, port)


LOOPBACK = [
    "http://localhost/",
    "http://LOCALHOST:8101/x",
    "http://issuer.localhost:8101/",
    "http://127.0.0.1/",
    "http://127.8.9.1/",
    "http://[::1]:80/",
    "https://localhost/",
]


@pytest.mark.parametrize("url", LOOPBACK)
@pytest.mark.attack("R01")
@pytest.mark.good_twin("R01")
def test_loopback_passes_only_when_it_is_allowed(url: str) -> None:
    assert is_loopback_host(require_allowed(url, allow_loopback_http=True).host)
    with pytest.raises(Unreachable) as refused:
        require_allowed(url)
    assert refused.value.code is Code.ADDRESS_NOT_PUBLIC


# Catalogue R01, R02, R19, and the bypasses of the published did:web advisories.
REFUSED = [
    "",
    "a.example",
    "//a.example/",
    "http://a.example/",
    "http://93.184.215.14/",
    "http://localhost.evil.example/",
    "http://localhostt/",
    "ftp://a.example/",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "data:text/plain,x",
    "https://",
    "https:///path",
    "https://:443/",
    "https://user@a.example/",
    "https://user:pass@a.example/",
    "https://@a.example/",
    "https://a.example@127.0.0.1/",
    "https://a.example#@b.example/",
    "https://a.example/#fragment",
    "https://a.example/#",
    "https://a.example:0/",
    "https://a.example:65536/",
    "https://a.example:80a/",
    "https://a.example:-1/",
    "https://a.example.:443/",
    "https://a.example./",
    "https://.example/",
    "https://a..example/",
    "https://-a.example/",
    "https://a-.example/",
    "https://%31%32%37.0.0.1/",
    "https://127%2e0.0.1/",
    "https://a%2eexample/",
    "https://127。0。0。1/",
    "https://ⓛocalhost/",
    "https://québec.example/",
    "https://a.example\\@b.example/",
    "https://a.example/\\x",
    "https://a .example/",
    "https://a.example/ x",
    "https://a.example/\nx",
    "https://a.example/\x00",
    "\thttps://a.example/",
    "https://a.example/<script>",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.1/",
    "https://0177.0.0.1/",
    "https://127.1/",
    "https://127.0.0.01/",
    "https://1.2.3.4.5/",
    "https://a.example.0x/",
    "https://[::ffff:127.0.0.1/",
    "https://[fe80::1%25eth0]/",
    "https://[fe80::1%eth0]/",
    "https://[127.0.0.1]/",
    "https://[a.example]/",
    "https://::1/",
    "https://registry/",
    "https://metadata.google.internal/",
    "https://printer.local/",
    "https://router.lan/",
    "https://x.home.arpa/",
    "https://a.b.corp/",
    "https://" + "a" * 64 + ".example/",
    "https://" + "a." * 127 + "example/",
    "https://a.example/" + "a" * MAX_URL_LENGTH,
]


@pytest.mark.parametrize("url", REFUSED)
@pytest.mark.attack("R01", "R02", "R19", "Q09")
def test_everything_else_is_refused_with_and_without_loopback(url: str) -> None:
    for allow in (False, True):
        with pytest.raises(Unreachable) as refused:
            require_allowed(url, allow_loopback_http=allow)
        assert refused.value.code in {Code.URL_NOT_ALLOWED, Code.ADDRESS_NOT_PUBLIC}


@pytest.mark.good_twin("Q09")
def test_the_longest_url_is_still_allowed() -> None:
    start = "https://a.example/"
    assert require_allowed(start + "a" * (MAX_URL_LENGTH - len(start))).host == "a.example"


@given(st.text())
def test_any_text_is_allowed_or_refused(text: str) -> None:
    try:
        assert isinstance(require_allowed(text), AllowedUrl)
    except Unreachable:
        return


@given(st.from_regex(r"https://[a-z0-9.:@\[\]%\\#?/-]{0,40}", fullmatch=True))
def test_what_looks_like_a_url_is_allowed_or_refused(text: str) -> None:
    try:
        allowed = require_allowed(text)
    except Unreachable:
        return
    assert allowed.scheme == "https"
    assert not is_loopback_host(allowed.host)
