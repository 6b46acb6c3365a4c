"""A DCQL query: read strictly, kept as frozen values (OpenID4VP 1.0 §6; profile §6.3 DQ-1).

Sizes: at most 32 credentials, each with at most 128 claims and 64 claim sets, and 64 credential sets with at most 64
options, so that every later step is linear in the query (catalogue Q07). Bytes are the caller's to limit (64 KiB).
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, TypeVar

from msgspec import Struct

from comity.errors import Code, Malformed

MAX_CREDENTIALS = 32
MAX_CLAIMS = 128
MAX_SETS = 64

MDOC = "mso_mdoc"
SD_JWT = "dc+sd-jwt"
W3C_FORMATS = frozenset({"vc+jwt", "jwt_vc_json", "ldp_vc"})

Path = tuple[str | int | None, ...]
"""A claims path pointer: a member name, an array index, or None for every element (OpenID4VP §7)."""

ClaimValue = str | int | bool

_IDENTIFIER = re.compile(r"[A-Za-z0-9_-]{1,255}", re.ASCII)
_T = TypeVar("_T")


class ClaimQuery(Struct, frozen=True, kw_only=True):
    """One claim wanted.

    Attributes:
        path: where it is.
        id: name for use in ``claim_sets``; None when not given.
        values: acceptable values, compared with their type; None accepts any.
        intent_to_retain: mdoc only; None when not said.
    """

    path: Path
    id: str | None = None
    values: tuple[ClaimValue, ...] | None = None
    intent_to_retain: bool | None = None


class Meta(Struct, frozen=True, kw_only=True):
    """Which type of credential is wanted; all three empty accepts any type of the format.

    Attributes:
        vct_values: ``dc+sd-jwt``: one of these.
        doctype_value: ``mso_mdoc``: exactly this.
        type_values: W3C formats: all types of one of these sets, as fully expanded IRIs.
    """

    vct_values: tuple[str, ...] = ()
    doctype_value: str | None = None
    type_values: tuple[tuple[str, ...], ...] = ()


class TrustedAuthority(Struct, frozen=True, kw_only=True):
    """A hint at whom the verifier trusts, never a decision: ``aki``, ``etsi_tl``, ``openid_federation`` or another."""

    type: str
    values: tuple[str, ...]


class CredentialQuery(Struct, frozen=True, kw_only=True):
    """One credential wanted.

    Attributes:
        id: its name in the answer.
        format: credential format identifier; one that nobody here holds simply never matches.
        meta: which type.
        multiple: whether more than one may answer.
        require_holder_binding: ``require_cryptographic_holder_binding``: whether a proof by the holder's key is needed.
        claims: claims wanted; empty asks for nothing that may be withheld.
        claim_sets: alternatives among the claims, by claim id, the verifier's favourite first; empty wants all claims.
        trusted_authorities: one of these must match; empty accepts any.
    """

    id: str
    format: str
    meta: Meta = Meta()
    multiple: bool = False
    require_holder_binding: bool = True
    claims: tuple[ClaimQuery, ...] = ()
    claim_sets: tuple[tuple[str, ...], ...] = ()
    trusted_authorities: tuple[TrustedAuthority, ...] = ()


class CredentialSet(Struct, frozen=True, kw_only=True):
    """Alternatives among credentials, by credential id, the verifier's favourite first."""

    options: tuple[tuple[str, ...], ...]
    required: bool = True


class Query(Struct, frozen=True, kw_only=True):
    """A whole query; without ``credential_sets`` every credential is wanted."""

    credentials: tuple[CredentialQuery, ...]
    credential_sets: tuple[CredentialSet, ...] = ()

    def credential(self, query_id: str) -> CredentialQuery | None:
        """Return the credential query called ``query_id``, or None."""
        return next((each for each in self.credentials if each.id == query_id), None)

    @property
    def always_proves_holder(self) -> bool:
        """Whether every credential that it asks for must come with a proof by its holder (DQ-8)."""
        return all(each.require_holder_binding for each in self.credentials)

    def to_json(self) -> dict[str, Any]:
        """Return the ``dcql_query`` object; members at their default, and unknown ones that were read, are left out."""
        credentials = [_credential_json(each) for each in self.credentials]
        if not self.credential_sets:
            return {"credentials": credentials}
        sets = [
            {"options": [list(option) for option in each.options], **({} if each.required else {"required": False})}
            for each in self.credential_sets
        ]
        return {"credentials": credentials, "credential_sets": sets}


def parse(value: Mapping[str, Any]) -> Query:
    """Return the query in ``value``, the parsed JSON of a ``dcql_query`` parameter.

    Unknown members are ignored, as §6 says. A claim path that is named twice is read as the first claim of that path
    (DQ-1: the verifier must not, the wallet ignores it). Not checked: whether anyone may ask this.

    Raises:
        Malformed: ``malformed_query``.
    """
    if not isinstance(value, Mapping):
        _refuse("the query is not an object")
    credentials = _array(value, "credentials", _credential, most=MAX_CREDENTIALS)
    if not credentials:
        _refuse("a query asks for at least one credential")
    ids = {each.id for each in credentials}
    if len(ids) != len(credentials):
        _refuse("two credentials of the query have the same id")
    sets = _array(value, "credential_sets", _credential_set, most=MAX_SETS)
    if any(not ids.issuperset(option) for each in sets for option in each.options):
        _refuse("a credential set names a credential that the query does not have")
    return Query(credentials=credentials, credential_sets=sets)


def _credential(value: object) -> CredentialQuery:
    """DQ-1: one entry of ``credentials`` (§6.1)."""
    entry = _object(value, "credential")
    credential_format = _text(entry.get("format"), "format")
    claims = _array(entry, "claims", lambda claim: _claim(claim, credential_format), most=MAX_CLAIMS)
    claim_sets = _array(entry, "claim_sets", lambda option: _texts(option, "claim_sets"), most=MAX_SETS)
    _check_claim_ids(claims, claim_sets)
    return CredentialQuery(
        id=_identifier(entry.get("id")),
        format=credential_format,
        meta=_meta(_object(entry.get("meta"), "meta"), credential_format),
        multiple=_boolean(entry, "multiple", default=False),
        require_holder_binding=_boolean(entry, "require_cryptographic_holder_binding", default=True),
        claims=_first_of_each_path(claims),
        claim_sets=claim_sets,
        trusted_authorities=_array(entry, "trusted_authorities", _authority, most=MAX_SETS),
    )


def _check_claim_ids(claims: tuple[ClaimQuery, ...], claim_sets: tuple[tuple[str, ...], ...]) -> None:
    named = [claim.id for claim in claims if claim.id is not None]
    ids = set(named)
    if len(ids) != len(named):
        _refuse("two claims of one credential have the same id")
    if not claim_sets:
        return
    if len(named) != len(claims):
        _refuse("with claim sets every claim needs an id")
    if any(not ids.issuperset(option) for option in claim_sets):
        _refuse("a claim set names a claim that the credential does not have")


def _first_of_each_path(claims: tuple[ClaimQuery, ...]) -> tuple[ClaimQuery, ...]:
    """Give every later claim of a path the values of the first one: ignored, yet still known by its id."""
    first: dict[Path, ClaimQuery] = {}
    for claim in claims:
        first.setdefault(claim.path, claim)
    return tuple(
        ClaimQuery(
            path=claim.path,
            id=claim.id,
            values=first[claim.path].values,
            intent_to_retain=first[claim.path].intent_to_retain,
        )
        for claim in claims
    )


def _claim(value: object, credential_format: str) -> ClaimQuery:
    """DQ-1, DQ-2: one entry of ``claims`` (§6.3, §7)."""
    entry = _object(value, "claim")
    retain = entry.get("intent_to_retain") if credential_format == MDOC else None
    if retain is not None and not isinstance(retain, bool):
        _refuse("'intent_to_retain' is not true or false")
    return ClaimQuery(
        path=_path(entry.get("path"), credential_format),
        id=_identifier(entry["id"]) if "id" in entry else None,
        values=_array(entry, "values", _claim_value) if "values" in entry else None,
        intent_to_retain=retain,
    )


def _path(value: object, credential_format: str) -> Path:
    """DQ-2: text, null or an index from 0 (§7.1); for mdoc exactly namespace and element (§7.2)."""
    if not isinstance(value, list) or not value:
        _refuse("a claim path is an array that is not empty")
    for part in value:
        is_index = isinstance(part, int) and not isinstance(part, bool) and part >= 0
        if not (part is None or isinstance(part, str) or is_index):
            _refuse("a claim path holds something else than a name, an index or null")
    if credential_format == MDOC and not (len(value) == 2 and all(isinstance(part, str) for part in value)):
        _refuse("a claim path for mdoc is a namespace and an element")
    return tuple(value)


def _claim_value(value: object) -> ClaimValue:
    if not isinstance(value, str | int):  # a bool is an int here
        _refuse("a claim value is text, an integer or a boolean")
    return value


def _meta(entry: Mapping[str, Any], credential_format: str) -> Meta:
    """DQ-3: what the format knows; the wallet tolerates an empty object, which constrains nothing (annex B)."""
    if credential_format == SD_JWT and "vct_values" in entry:
        return Meta(vct_values=_texts(entry["vct_values"], "vct_values"))
    if credential_format == MDOC and "doctype_value" in entry:
        return Meta(doctype_value=_text(entry["doctype_value"], "doctype_value"))
    if credential_format in W3C_FORMATS and "type_values" in entry:
        return Meta(type_values=_array(entry, "type_values", lambda types: _texts(types, "type_values")))
    return Meta()


def _authority(value: object) -> TrustedAuthority:
    """DQ-7: one entry of ``trusted_authorities`` (§6.1.1)."""
    entry = _object(value, "trusted authority")
    return TrustedAuthority(type=_text(entry.get("type"), "type"), values=_texts(entry.get("values"), "values"))


def _credential_set(value: object) -> CredentialSet:
    """DQ-6: one entry of ``credential_sets`` (§6.2)."""
    entry = _object(value, "credential set")
    options = _array(entry, "options", lambda option: _texts(option, "options"), most=MAX_SETS)
    if not options:
        _refuse("a credential set has at least one option")
    return CredentialSet(options=options, required=_boolean(entry, "required", default=True))


def _array(
    entry: Mapping[str, Any], name: str, each: Callable[[object], _T], *, most: int | None = None
) -> tuple[_T, ...]:
    """Read a member that is absent or an array of at least one, at most ``most``."""
    if name not in entry:
        return ()
    items = entry[name]
    if not isinstance(items, list) or not items:
        _refuse(f"'{name}' is not an array of at least one")
    if most is not None and len(items) > most:
        _refuse(f"'{name}' has more than {most} entries")
    return tuple(each(item) for item in items)


def _texts(value: object, name: str) -> tuple[str, ...]:
    return _array({name: value}, name, lambda item: _text(item, name))


def _text(value: object, name: str) -> str:
    if not isinstance(value, str) or not value:
        _refuse(f"'{name}' is not text")
    return value


def _identifier(value: object) -> str:
    if not isinstance(value, str) or not _IDENTIFIER.fullmatch(value):
        _refuse("an id is not made of letters, digits, '_' and '-'")
    return value


def _boolean(entry: Mapping[str, Any], name: str, *, default: bool) -> bool:
    value = entry.get(name, default)
    if not isinstance(value, bool):
        _refuse(f"'{name}' is not true or false")
    return value


def _object(value: object, name: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        _refuse(f"a {name} is not an object")
    return value


def _refuse(detail: str) -> NoReturn:
    raise Malformed(Code.MALFORMED_QUERY, detail)


def _credential_json(query: CredentialQuery) -> dict[str, Any]:
    entry: dict[str, Any] = {"id": query.id, "format": query.format, "meta": _meta_json(query.meta)}
    if query.multiple:
        entry["multiple"] = True
    if not query.require_holder_binding:
        entry["require_cryptographic_holder_binding"] = False
    if query.claims:
        entry["claims"] = [_claim_json(claim) for claim in query.claims]
    if query.claim_sets:
        entry["claim_sets"] = [list(option) for option in query.claim_sets]
    if query.trusted_authorities:
        entry["trusted_authorities"] = [
            {"type": each.type, "values": list(each.values)} for each in query.trusted_authorities
        ]
    return entry


def _claim_json(claim: ClaimQuery) -> dict[str, Any]:
    optional = {
        "id": claim.id,
        "values": None if claim.values is None else list(claim.values),
        "intent_to_retain": claim.intent_to_retain,
    }
    return {"path": list(claim.path), **{name: value for name, value in optional.items() if value is not None}}


def _meta_json(meta: Meta) -> dict[str, Any]:
    members: dict[str, Any] = {}
    if meta.vct_values:
        members["vct_values"] = list(meta.vct_values)
    if meta.doctype_value is not None:
        members["doctype_value"] = meta.doctype_value
    if meta.type_values:
        members["type_values"] = [list(types) for types in meta.type_values]
    return members
