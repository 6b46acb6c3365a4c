"""What a scanned text is: each kind once, and no text that makes it stumble."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comity.credential import Format
from comity.errors import Code
from comity.web import i18n, scan
from comity.web.scan import Kind
from tests.support.world import PERSON, World

OFFER = "openid-credential-offer://?credential_offer_uri=https%3A%2F%2Fissuer.example%2Fo"
REQUEST = "openid4vp://?client_id=x509_hash%3A" + "A" * 43 + "&request_uri=https%3A%2F%2Fverifier.example%2Fr"


@pytest.mark.parametrize(
    ("text", "kind", "host"),
    [
        (OFFER, Kind.OFFER, "issuer.example"),
        (OFFER.replace("openid-credential-offer://", "https://wallet.example/take"), Kind.OFFER, "issuer.example"),
        (REQUEST, Kind.REQUEST, "verifier.example"),
        (REQUEST.replace("openid4vp://", "https://wallet.example/show"), Kind.REQUEST, "verifier.example"),
    ],
)
@pytest.mark.good_twin("Q08")
def test_links_of_ours_are_usable(text: str, kind: Kind, host: str) -> None:
    found = scan.read(f"  {text}\n")
    assert (found.kind, found.host, found.problem, found.is_usable) == (kind, host, None, True)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("openid-credential-offer://?x=1", Kind.OFFER),
        ("haip-vci://?credential_offer=%7B", Kind.OFFER),
        ("openid4vp://?client_id=", Kind.REQUEST),
        (REQUEST.replace("https%3A", "ftp%3A"), Kind.REQUEST),
        ("eyJhbGciOiJFUzI1NiJ9.e30", Kind.SIGNED),
    ],
)
def test_what_is_broken_says_why(text: str, kind: Kind) -> None:
    found = scan.read(text)
    assert (found.kind, found.is_usable) == (kind, False)
    assert found.problem is not None


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("@\n\x1e\rANSI 636012030001DL00000000", Kind.CARD),
        ("@\n\x1c\rAAMVA6360120101DL", Kind.CARD),
        ("AAMVA636028", Kind.CARD),
        ("%BCVICTORIA^DEMO,$MAYA^1 DEMO ST^?", Kind.CARD),
        ("P<CANDEMO<<MAYA<<<<<<<<<<<<<<<<<<<<<<<<<<<<<", Kind.TRAVEL_DOCUMENT),
        ("didcomm://aries_proof?oob=e30", Kind.OTHER_WALLET),
        ("https://agent.example/?c_i=e30", Kind.OTHER_WALLET),
        ("shc:/567629095243206034602924374044603122295953265460", Kind.OTHER_WALLET),
        ("did:web:issuer.example", Kind.IDENTIFIER),
        ("https://shop.example/menu", Kind.WEB_LINK),
        ("http://[broken", Kind.WEB_LINK),
        ("0627843000011", Kind.PRODUCT),
        ("1234567", Kind.UNKNOWN),
        ("WIFI:S:demo;;", Kind.EVERYDAY),
        ("", Kind.UNKNOWN),
        ("Bonjour", Kind.UNKNOWN),
    ],
)
def test_what_people_scan_by_mistake_is_named(text: str, kind: Kind) -> None:
    found = scan.read(text)
    assert (found.kind, found.is_usable) == (kind, False)


def test_credentials_and_presentations_are_told_apart() -> None:
    world = World()
    for name in Format:
        held = world.issue(world.bc, name, PERSON)
        assert scan.read(held.encoded).kind is Kind.CREDENTIAL
        assert scan.read(held.encoded).is_usable
        assert scan.read(world.present(held)).kind is Kind.PRESENTATION
    cut = world.issue(world.bc, Format.DC_SD_JWT, PERSON).encoded[:-1]
    found = scan.read(cut)
    assert (found.kind, found.is_usable) == (Kind.CREDENTIAL, False)


@pytest.mark.attack("Q08")
def test_a_text_longer_than_any_code_is_not_looked_at() -> None:
    found = scan.read("https://a.example/" + "a" * scan.MAX_CHARACTERS)
    assert found.kind is Kind.UNKNOWN
    assert found.problem is not None
    assert found.problem.code is Code.TOO_LARGE


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_has_its_words(kind: Kind) -> None:
    for language in i18n.LANGUAGES:
        assert all(i18n.has(f"cli.scan_{kind}.{part}", language) for part in ("title", "meaning", "next_step"))


@given(st.one_of(st.text(), st.text().map("openid4vp://?".__add__), st.text().map("https://".__add__)))
def test_any_text_is_something(text: str) -> None:
    assert scan.read(text).kind in Kind
