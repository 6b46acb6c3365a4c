"""What a scanned, pasted or clicked text is: something of ours, or one of the codes that people scan by mistake."""

import re
from enum import StrEnum
from urllib.parse import parse_qs, urlsplit

from msgspec import Struct

from comity import formats, jose
from comity.credential import Format
from comity.errors import Code, Malformed
from comity.openid.issuance import offer
from comity.openid.presentation import link

MAX_CHARACTERS = 1 << 16

_BARCODE_HEADER = re.compile(r"@?\s*(?:\x1e\s*)?(?:ANSI ?|AAMVA)\d{6}")
_STRIPE = re.compile(r"%[A-Z]{2}[^\^]{1,40}\^")
_TRAVEL_DOCUMENT = re.compile(r"[PIACV][A-Z<][A-Z<]{3}[A-Z<]{5,}")
_OTHER_WALLETS = ("didcomm://", "bcwallet://", "mdoc:", "mdoc-openid4vp:", "eudi-openid4vp:", "shc:/", "aries:")
_OTHER_PARAMETERS = frozenset({"oob", "_oob", "c_i", "d_m"})
_SIMPLE_STARTS = ("wifi:", "begin:vcard", "mecard:", "tel:", "mailto:", "geo:", "sms:", "smsto:")


class Kind(StrEnum):
    """What it is; the words for it are ``cli.scan_<kind>`` with a title, a meaning and a next step."""

    OFFER = "offer"
    REQUEST = "request"
    CREDENTIAL = "credential"
    PRESENTATION = "presentation"
    SIGNED = "signed"
    CARD = "card"
    TRAVEL_DOCUMENT = "travel_document"
    OTHER_WALLET = "other_wallet"
    IDENTIFIER = "identifier"
    WEB_LINK = "web_link"
    PRODUCT = "product"
    EVERYDAY = "everyday"
    UNKNOWN = "unknown"


class Scan(Struct, frozen=True, kw_only=True):
    """What a text is.

    Attributes:
        kind: what it is, or would be if it were whole.
        problem: why it cannot be used although it is of a kind of ours; None when nothing is wrong with it.
        host: host that it leads to, as far as it says; an unverified claim.
    """

    kind: Kind
    problem: Malformed | None = None
    host: str = ""

    @property
    def is_usable(self) -> bool:
        """Whether a wallet or verifier of ours can go on with it."""
        ours = {Kind.OFFER, Kind.REQUEST, Kind.CREDENTIAL, Kind.PRESENTATION}
        return self.kind in ours and self.problem is None


def read(text: str) -> Scan:
    """Say what ``text`` is. Nothing is fetched and nothing verified; never raises."""
    if len(text) > MAX_CHARACTERS:
        return Scan(kind=Kind.UNKNOWN, problem=Malformed(Code.TOO_LARGE, "the text is longer than any code"))
    stripped = text.strip()
    return _link(stripped) or _signed(stripped) or Scan(kind=_printed(stripped))


def _link(text: str) -> Scan | None:
    scheme = text.partition(":")[0].lower()
    parameters = _parameters(text)
    if scheme in offer.SCHEMES or (scheme == "https" and {"credential_offer", "credential_offer_uri"} & parameters):
        return _offer(text)
    if scheme in link.SCHEMES or (scheme == "https" and "client_id" in parameters):
        return _request(text)
    if text.lower().startswith(_OTHER_WALLETS) or parameters & _OTHER_PARAMETERS:
        return Scan(kind=Kind.OTHER_WALLET, host=_host(text))
    if scheme == "did":
        return Scan(kind=Kind.IDENTIFIER)
    return Scan(kind=Kind.WEB_LINK, host=_host(text)) if scheme in {"http", "https"} else None


def _offer(text: str) -> Scan:
    try:
        found = offer.parse_link(text)
    except Malformed as error:
        return Scan(kind=Kind.OFFER, problem=error)
    source = found.url if isinstance(found, offer.OfferReference) else found.credential_issuer
    return Scan(kind=Kind.OFFER, host=_host(source))


def _request(text: str) -> Scan:
    try:
        found = link.parse_link(text)
    except Malformed as error:
        return Scan(kind=Kind.REQUEST, problem=error)
    return Scan(kind=Kind.REQUEST, host=_host(found.request_uri or ""))


def _signed(text: str) -> Scan | None:
    try:
        name = formats.of(text)
    except Malformed:
        return _token(text)
    try:
        presentation = formats.FORMATS[name].open(text)
    except Malformed as error:
        return Scan(kind=Kind.CREDENTIAL, problem=error)
    # A bare SD-JWT ends with "~"; with a key binding proof it is a presentation. A vp+jwt carries a proof always.
    is_shown = presentation.proof is not None or (name is Format.VC_JWT and len(presentation.credentials) > 1)
    issuer = presentation.credentials[0].issuer
    return Scan(kind=Kind.PRESENTATION if is_shown else Kind.CREDENTIAL, host=_host(issuer))


def _token(text: str) -> Scan | None:
    try:
        jose.parse(text)
    except Malformed as error:
        return Scan(kind=Kind.SIGNED, problem=error) if text.startswith("eyJ") else None
    return Scan(kind=Kind.SIGNED)


def _printed(text: str) -> Kind:
    """Say which of the codes printed on cards and goods it is."""
    if _BARCODE_HEADER.match(text) or _STRIPE.match(text):
        return Kind.CARD
    if _TRAVEL_DOCUMENT.match(text) and "<<" in text:
        return Kind.TRAVEL_DOCUMENT
    if text.lower().startswith(_SIMPLE_STARTS):
        return Kind.EVERYDAY
    return Kind.PRODUCT if text.isdecimal() and text.isascii() and 8 <= len(text) <= 14 else Kind.UNKNOWN


def _parameters(text: str) -> frozenset[str]:
    try:
        return frozenset(parse_qs(urlsplit(text).query, keep_blank_values=True, max_num_fields=100))
    except ValueError:
        return frozenset()


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
