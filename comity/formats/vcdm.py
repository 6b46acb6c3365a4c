"""The Verifiable Credentials Data Model 2.0 as documents: what conforms, and what a conforming one says.

No JSON-LD processor: a document may use the base context and the federation's own contexts, nothing else, so that every
term has one meaning known beforehand. Securing them is elsewhere (:mod:`comity.formats.vc_jwt`).
"""

import re
from collections.abc import Mapping
from datetime import datetime
from functools import cache, lru_cache
from typing import Any, NamedTuple

import schemas
from comity.credential import W3C_CONTEXT, CredentialType
from comity.errors import Code, Malformed
from comity.formats.instants import check_period, date_time_stamp
from comity.formats.status_entries import StatusEntries, of_credential_status
from comity.record import Discreet

MAX_CREDENTIALS = 32
"""Most credentials in one presentation."""

ENVELOPE = "data:application/vc+jwt,"
"""How the id of an enveloped credential begins; the compact JWS follows (VCDM 2.0 §4.13.1)."""

# Absolute, without white space and what RFC 3986 excludes; where the scheme is http or https, a host follows.
_URL = re.compile(r"(?!https?:(?!//[^/?#]))[A-Za-z][A-Za-z0-9+.-]*:[^\s\"<>\\^`{|}]+")
_TYPED_MEMBERS = frozenset(
    {"credentialStatus", "credentialSchema", "evidence", "termsOfUse", "refreshService", "renderMethod"}
)
_NAMES = frozenset({"name", "description"})
_ABOVE = frozenset({"@context", "verifiableCredential"})
_CONTAINERS, _TEXT_ALONE = frozenset({dict, list}), frozenset({str})
_LANGUAGE_VALUE = frozenset({"@value", "@language", "@direction"})


class CredentialDocument(Discreet, frozen=True, kw_only=True):
    """What a conforming credential says. ``subject`` is the credentialSubject as it stands, id included."""

    UNPRINTED = frozenset({"subject"})

    issuer: str
    type: CredentialType
    subject: Mapping[str, Any]
    valid_from: datetime | None
    valid_until: datetime | None
    status: StatusEntries


def issuer_id(document: Mapping[str, Any], member: str = "issuer") -> str:
    """Return the URL of ``issuer`` (or ``holder``), which is a URL or an object with a URL ``id`` (VCDM 2.0 §4.7).

    Raises:
        Malformed: ``malformed``.
    """
    value = document.get(member)
    return _url(value.get("id") if isinstance(value, dict) else value, member)


def type_name(document: Mapping[str, Any]) -> str:
    """Return the name of the type without judging it: the federation's ``vct``, else the first type term of its own.

    Raises:
        Malformed: ``malformed`` when there is no list of types.
    """
    types = _strings(document.get("type"), "type")
    for known in _known_types(_items(document.get("@context"))):
        if known.w3c_type in types:
            return known.vct
    own = [term for term in types if term != "VerifiableCredential"]
    return own[0] if own else types[0]


def read_credential(document: Mapping[str, Any]) -> CredentialDocument:
    """Check that ``document`` is a conforming credential of a type of the federation (profile 2a step 4), and read it.

    Not checked: whether it is valid now, its claims against the type's schema.

    Raises:
        Malformed: ``context_unknown``, ``credential_type_unknown``, ``time_malformed``, ``malformed``.
    """
    # VCDM 2.0 §4.3: the base context first; only contexts known beforehand.
    contexts = _contexts(document)
    # §4.5: the base type, and one type of the federation that one of these contexts defines.
    credential_type = _credential_type(_strings(document.get("type"), "type"), contexts)
    # §4.4: an id, where there is one, is one URL.
    _check_id(document)
    # §4.6: names and descriptions are text, or text in several languages.
    _check_names(document)
    # §4.7: the issuer is a URL, or an object that has one.
    issuer = issuer_id(document)
    if isinstance(document["issuer"], dict):
        _check_names(document["issuer"])
    # §4.8: the subject is an object with at least one claim.
    subject = _subject(document)
    # §4.9: instants with a zone, in their order.
    valid_from, valid_until = _instant(document, "validFrom"), _instant(document, "validUntil")
    check_period(valid_from, valid_until)
    # §4.10, §4.11, §5.3 to §5.5: whatever refers to something else is an object with a type.
    for member in _TYPED_MEMBERS & document.keys():
        _check_typed(document, member)
    # §5.3: related resources have distinct ids and a digest each.
    _check_related_resources(document)
    return CredentialDocument(
        issuer=issuer,
        type=credential_type,
        subject=subject,
        valid_from=valid_from,
        valid_until=valid_until,
        status=of_credential_status(document),
    )


def read_presentation(document: Mapping[str, Any]) -> tuple[str, ...]:
    """Check that ``document`` is a presentation of enveloped credentials, and return their compact JWSs.

    VCDM 2.0 §4.13 and §4.13.1; one level deep: a presentation inside a presentation is refused (OpenID4VP annex B.1).

    Raises:
        Malformed: ``context_unknown``, ``too_large`` or ``malformed``.
    """
    _contexts(document)
    types = _strings(document.get("type"), "type")
    if types != ["VerifiablePresentation"]:
        raise _malformed("the presentation is not of the type of presentations alone")
    _check_id(document)
    if "holder" in document:
        issuer_id(document, "holder")
    items = _items(document.get("verifiableCredential"))
    if not items:
        raise _malformed("the presentation holds no credential")
    if len(items) > MAX_CREDENTIALS:
        raise Malformed(Code.TOO_LARGE, f"the presentation holds more than {MAX_CREDENTIALS} credentials")
    return tuple(_enveloped(item) for item in items)


def presentation(credentials: list[str], holder: str) -> dict[str, Any]:
    """Return the presentation document by ``holder`` (a URL) of these compact JWSs."""
    return {
        "@context": [W3C_CONTEXT],
        "type": ["VerifiablePresentation"],
        "holder": holder,
        "verifiableCredential": [
            {"@context": W3C_CONTEXT, "type": "EnvelopedVerifiableCredential", "id": ENVELOPE + credential}
            for credential in credentials
        ],
    }


def _enveloped(item: object) -> str:
    """Return the compact JWS inside one EnvelopedVerifiableCredential."""
    # VCDM 2.0 §4.13: objects, never bare strings.
    if not isinstance(item, dict) or _items(item.get("@context")) != [W3C_CONTEXT]:
        raise _malformed("an enveloped credential is not an object with the base context")
    if _strings(item.get("type"), "type") != ["EnvelopedVerifiableCredential"]:
        raise _malformed("the presentation holds something else than enveloped credentials")
    # §4.13.1: a data URL of exactly the media type; parameters and base64 are other media types here.
    url = item.get("id")
    if not isinstance(url, str) or not url.startswith(ENVELOPE):
        raise _malformed("an enveloped credential is not a data URL of the right media type")
    return url.removeprefix(ENVELOPE)


def _contexts(document: Mapping[str, Any]) -> list[Any]:
    contexts = document.get("@context")
    # VCDM 2.0 §4.3: an ordered set whose first item is the base context.
    if not isinstance(contexts, list) or not contexts or contexts[0] != W3C_CONTEXT:
        raise Malformed(Code.CONTEXT_UNKNOWN, "the first context is not that of the data model 2.0")
    known = schemas.context_urls()
    if not set(map(type, contexts)) <= _TEXT_ALONE or not known.issuperset(contexts[1:]):
        raise Malformed(Code.CONTEXT_UNKNOWN, "a context is not one of the federation's")
    # A context further down would give its terms another meaning there; a presentation's envelopes have their own.
    if _holds_context([value for name, value in document.items() if type(value) in _CONTAINERS and name not in _ABOVE]):
        raise Malformed(Code.CONTEXT_UNKNOWN, "a context stands inside the document")
    return contexts


def _holds_context(containers: list[Any]) -> bool:
    for found in containers:  # which grows as it is gone through
        inside = found
        if isinstance(found, dict):
            if "@context" in found:
                return True
            inside = found.values()
        for child in inside:
            if type(child) in _CONTAINERS:
                containers.append(child)
    return False


class _AsWritten(NamedTuple):
    """A type of the federation with the two lists as nearly every credential of it has them."""

    type: CredentialType
    terms: list[str]
    contexts: list[str]


@cache
def _as_written() -> Mapping[str, _AsWritten]:
    """Return them by context."""
    every = [CredentialType(slug=slug, version=version) for slug, version in schemas.all_types()]
    return {
        each.context: _AsWritten(each, ["VerifiableCredential", each.w3c_type], [W3C_CONTEXT, each.context])
        for each in every
    }


def _usual_type(terms: list[str], contexts: list[Any]) -> CredentialType | None:
    """Return the type whose lists these are, member by member; None when they have to be searched."""
    last = contexts[-1] if contexts else None
    found = _as_written().get(last) if type(last) is str else None
    return found.type if found is not None and terms == found.terms and contexts == found.contexts else None


def _known_types(contexts: list[Any]) -> list[CredentialType]:
    return [known for context in contexts if isinstance(context, str) and (known := _type_of_context(context))]


@lru_cache(maxsize=256)
def _type_of_context(context: str) -> CredentialType | None:
    known = CredentialType.from_vct(context.removesuffix("/context"))
    return known if known is not None and known.context == context else None


def _credential_type(terms: list[str], contexts: list[Any]) -> CredentialType:
    if usual := _usual_type(terms, contexts):
        return usual
    if "VerifiableCredential" not in terms:
        raise _malformed("the document is not of the type of credentials")
    known = [each for each in _known_types(contexts) if each.w3c_type in terms]
    mapped = {"VerifiableCredential", *(each.w3c_type for each in known)}
    if not all(term in mapped or _URL.fullmatch(term) for term in terms):
        raise Malformed(Code.CONTEXT_UNKNOWN, "no context defines one of the credential's types")
    if len(known) != 1:
        raise Malformed(Code.CREDENTIAL_TYPE_UNKNOWN, "the credential is not of exactly one type of the federation")
    return known[0]


def _subject(document: Mapping[str, Any]) -> Mapping[str, Any]:
    subjects = _items(document.get("credentialSubject"))
    # The data model allows several subjects; the federation's types describe one.
    if len(subjects) != 1 or not isinstance(subjects[0], dict):
        raise _malformed("the credential has not exactly one subject")
    subject: dict[str, Any] = subjects[0]
    _check_id(subject)
    if not subject.keys() - {"id", "type"}:
        raise _malformed("the credential claims nothing about its subject")
    return subject


def _check_id(thing: Mapping[str, Any]) -> None:
    if "id" in thing:
        _url(thing["id"], "id")


def _check_names(thing: Mapping[str, Any]) -> None:
    if _NAMES.isdisjoint(thing):
        return
    for member in _NAMES & thing.keys():
        items = _items(thing[member])
        if not items or not all(isinstance(item, str) or _is_language_value(item) for item in items):
            raise _malformed("a name or description is not text")


def _is_language_value(item: object) -> bool:
    return (
        isinstance(item, dict)
        and isinstance(item.get("@value"), str)
        and item.keys() <= _LANGUAGE_VALUE
        and all(isinstance(value, str) for value in item.values())
    )


def _check_typed(document: Mapping[str, Any], member: str) -> None:
    for item in _items(document[member]):
        if not isinstance(item, dict):
            raise _malformed(f"{member} is not an object")
        _strings(item.get("type"), f"{member} type")
        _check_id(item)
        # VCDM 2.0 §4.11: a schema is named by its URL.
        if member == "credentialSchema":
            _url(item.get("id"), member)


def _check_related_resources(document: Mapping[str, Any]) -> None:
    if "relatedResource" not in document:
        return
    items = _items(document["relatedResource"])
    if not all(isinstance(item, dict) and (item.keys() & {"digestSRI", "digestMultibase"}) for item in items):
        raise _malformed("a related resource has no digest")
    if len({_url(item.get("id"), "relatedResource") for item in items}) != len(items):
        raise _malformed("a related resource is named twice")


def _instant(document: Mapping[str, Any], member: str) -> datetime | None:
    return date_time_stamp(document[member]) if member in document else None


def _items(value: object) -> list[Any]:
    """Return ``value`` as the list it may be written without; nothing at all is the empty list."""
    if isinstance(value, list):
        return value
    return [] if value is None else [value]


def _strings(value: object, member: str) -> list[str]:
    if type(value) is str:
        return [value]
    items = _items(value)
    if not items or not set(map(type, items)) <= _TEXT_ALONE:
        raise _malformed(f"{member} is not text or a list of text")
    return items


def _url(value: object, member: str) -> str:
    if not isinstance(value, str) or not _URL.fullmatch(value):
        raise _malformed(f"{member} is not a URL")
    return value


def _malformed(detail: str) -> Malformed:
    return Malformed(Code.MALFORMED, detail)
