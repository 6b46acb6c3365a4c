"""Edits of the registry's documents: pure functions from documents to documents.

An edit is a JSON object with a member ``edit`` that names it (``schemas/registry/plan.schema.json`` says what each may
hold); :func:`apply` applies one to a set of documents and returns the documents that changed, each validated as a
reader would. Who may sign the result, and signing it, is :mod:`comity.runtime.registry_repository`'s part.
"""

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import schemas
from comity import keys
from comity.credential import CredentialType
from comity.errors import Code, Conflict, Malformed, NotFound
from comity.trust import documents
from comity.trust.placement import FEDERATION, document_of, jurisdiction_of
from comity.trust.places import is_jurisdiction, is_type_id, top_of

Document = Mapping[str, Any]
Documents = Mapping[str, Document]
"""Documents by name, as JSON values."""

Edit = Mapping[str, Any]

_EMPTY: Mapping[str, Document] = {
    "issuers": {"issuers": [], "delegations": []},
    "verifiers": {"verifiers": []},
    "recognition": {"narrow": []},
}

_PARSERS: Mapping[str, Callable[[Document], object]] = {
    "federation": documents.parse_federation,
    "issuers": documents.parse_issuers,
    "verifiers": documents.parse_verifiers,
    "recognition": documents.parse_recognition,
}


def new_federation(*, name_en: str, name_fr: str, recognition_default: str | None = "members") -> Document:
    """Return a ``federation.json`` without members.

    Raises:
        Malformed: ``registry_invalid``.
    """
    document: dict[str, Any] = {
        "version": 1,
        "name": {"en": name_en, "fr": name_fr},
        "members": [],
        "types": [],
        "delegations": [],
    }
    if recognition_default is not None:
        document["recognition_default"] = {"accept": recognition_default}
    check(FEDERATION, document)
    return document


def check(name: str, document: Document) -> None:
    """Refuse a document that no reader would accept.

    Raises:
        Malformed: ``registry_invalid``, or ``registry_out_of_path`` when it speaks for another jurisdiction.
    """
    jurisdiction = jurisdiction_of(name)
    kind = name.rpartition("/")[2].removesuffix(".json")
    _PARSERS[kind](document)
    for issuer in document.get("issuers", ()):
        if issuer["authority"].rpartition("/")[0] != jurisdiction:
            raise Malformed(Code.REGISTRY_OUT_OF_PATH, f"{issuer['authority']} is not an authority of {jurisdiction}")


def plan(value: Document) -> tuple[Edit, ...]:
    """Return the edits of a plan (``{"edits": [...]}``).

    Raises:
        Malformed: ``registry_invalid`` naming the edit's position.
    """
    return tuple(documents.validated("plan", value)["edits"])


def type_edit(type_id: str) -> Edit:
    """Return the edit that adds a credential type of this software (``person/1``) to the federation.

    Raises:
        NotFound: this software does not know the type.
    """
    slug, _, version = type_id.partition("/")
    if not is_type_id(type_id) or (slug, int(version)) not in schemas.all_types():
        raise NotFound(Code.NOT_FOUND, "this software has no such credential type")
    credential_type = CredentialType(slug=slug, version=int(version))
    return {"edit": "type", "id": type_id, "vct": credential_type.vct, "digest": schemas.digest(slug, int(version))}


def document_of_edit(edit: Edit) -> str:
    """Return the name of the document that ``edit`` changes."""
    kind = edit["edit"]
    if kind in ("member", "end_member", "type", "recognition_default"):
        return FEDERATION
    if kind in ("delegation", "end_delegation"):
        giver = giver_of(edit["to"])
        return FEDERATION if giver == "federation" else document_of(giver, "issuers")
    if kind.removeprefix("remove_") in ("verifier", "entitlement_signer", "verifier_attester"):
        return document_of(edit["jurisdiction"], "verifiers")
    if kind == "recognition":
        return document_of(edit["place"], "recognition")
    return document_of(edit["authority"].rpartition("/")[0], "issuers")


def giver_of(jurisdiction: str) -> str:
    """Return who gives ``jurisdiction`` its scope: the federation, or the jurisdiction above it."""
    return "federation" if top_of(jurisdiction) == jurisdiction else top_of(jurisdiction)


def apply(current: Documents, edit: Edit) -> Documents:
    """Return the documents that ``edit`` changes, changed; a document that does not exist yet starts empty.

    Raises:
        Malformed: the edit, or the document that it would make, does not fit its schema.
        Conflict: what is to be added is there already, or would let readers ignore a verifier.
        NotFound: what is to be changed is not there.
    """
    (edit,) = plan({"edits": [edit]})
    name = document_of_edit(edit)
    if jurisdiction_of(name) is None and name != FEDERATION:
        raise Malformed(Code.REGISTRY_INVALID, "the edit names a place that is not a jurisdiction of Canada")
    kind = name.rpartition("/")[2].removesuffix(".json")
    document = current.get(name) or _EMPTY.get(kind)
    if document is None:
        raise NotFound(Code.NOT_FOUND, "there is no federation yet")
    changed = _EDITS[edit["edit"]](document, edit)
    check(name, changed)
    if edit["edit"] in ("verifier", "issuer"):
        _refuse_ignored({**current, name: changed}, _anchors_of(edit), _ids_of(edit), name)
    return {name: changed}


def _refuse_ignored(after: Documents, anchors: set[str], client_ids: set[str], name: str) -> None:
    """Refuse what no reader would believe of a verifier (:mod:`comity.trust.snapshot`), and would not say so."""
    issuers = [each for document in after.values() for each in document.get("issuers", ())]
    verifiers = [(place, each) for place, document in after.items() for each in document.get("verifiers", ())]
    of_issuers = {digest for each in issuers for digest in _digests(each["identifiers"])}
    if anchors & of_issuers & {digest for _, each in verifiers for digest in _digests([each])}:
        raise Conflict(Code.CONFLICT, "an issuer and a verifier have one anchor; a verifier needs an anchor of its own")
    if any(place != name and not client_ids.isdisjoint(each["client_ids"]) for place, each in verifiers):
        raise Conflict(Code.CONFLICT, "another jurisdiction lists a verifier under this client identifier")


def _anchors_of(edit: Edit) -> set[str]:
    return _digests([edit["verifier"]] if edit["edit"] == "verifier" else edit["identifiers"])


def _ids_of(edit: Edit) -> set[str]:
    return set(edit["verifier"]["client_ids"]) if edit["edit"] == "verifier" else set()


def _digests(entries: Sequence[Document]) -> set[str]:
    return {documents.anchor_digest(each["anchor"]) for each in entries if each.get("anchor")}


def _add_member(document: Document, edit: Edit) -> Document:
    if not is_jurisdiction(edit["id"]):
        raise Malformed(Code.REGISTRY_INVALID, "a member must be a jurisdiction of Canada")
    if any(member["id"] == edit["id"] for member in document["members"]):
        raise Conflict(Code.CONFLICT, f"{edit['id']} is a member already")
    return {**document, "members": [*document["members"], _without(edit, "edit")]}


def _end_member(document: Document, edit: Edit) -> Document:
    members = document["members"]
    index = _index(members, "id", edit["id"], f"{edit['id']} is not a member")
    return {**document, "members": _replaced(members, index, {**members[index], "until": edit["until"]})}


def _add_type(document: Document, edit: Edit) -> Document:
    """Add a type, or replace what is said about it (a new digest)."""
    others = [record for record in document["types"] if record["id"] != edit["id"]]
    return {**document, "types": [*others, _without(edit, "edit")]}


def _set_default(document: Document, edit: Edit) -> Document:
    return {**document, "recognition_default": {"accept": edit["accept"]}}


def _delegate(document: Document, edit: Edit) -> Document:
    """Pass types on; grants to one jurisdiction with one end are kept as one."""
    grants = list(document.get("delegations", ()))
    until = edit.get("until")
    same = next((each for each in grants if each["to"] == edit["to"] and each.get("until") == until), None)
    types = dict.fromkeys([*(same["types"] if same else ()), *edit["types"]])
    grant = {"to": edit["to"], "types": list(types), **({"until": until} if until else {})}
    return {**document, "delegations": [*(each for each in grants if each is not same), grant]}


def _end_delegation(document: Document, edit: Edit) -> Document:
    """Take types back, whatever their end."""
    taken = set(edit["types"])
    grants = []
    for grant in document.get("delegations", ()):
        left = [each for each in grant["types"] if grant["to"] != edit["to"] or each not in taken]
        if left:
            grants.append({**grant, "types": left})
    return {**document, "delegations": grants}


def _add_issuer(document: Document, edit: Edit) -> Document:
    """Add an issuer from what ``comity issuer identifiers --json`` prints; an issuer known already gets its new keys.

    Its accreditations stay; ``types`` are added to them.
    """
    issuers = document["issuers"]
    known = next((each for each in issuers if each["authority"] == edit["authority"]), None)
    accreditations = list(known["accreditations"]) if known else []
    for wanted in edit.get("types", ()):
        accreditations.append(_accreditation(wanted, edit))
    entry = {
        "authority": edit["authority"],
        "name": edit["name"],
        "identifiers": [_with_digest(each) for each in edit["identifiers"]],
        "accreditations": accreditations,
        "status_signers": [_with_digest(each) for each in edit.get("status_signers", ())],
    }
    if known is None:
        return {**document, "issuers": [*issuers, entry]}
    return {**document, "issuers": _replaced(issuers, issuers.index(known), entry)}


def _remove_issuer(document: Document, edit: Edit) -> Document:
    index = _issuer_index(document, edit)
    return {**document, "issuers": [*document["issuers"][:index], *document["issuers"][index + 1 :]]}


def _accredit(document: Document, edit: Edit) -> Document:
    index = _issuer_index(document, edit)
    issuer = document["issuers"][index]
    accreditations = [*issuer["accreditations"], _accreditation(edit["type"], edit)]
    issuers = _replaced(document["issuers"], index, {**issuer, "accreditations": accreditations})
    return {**document, "issuers": issuers}


def _withdraw(document: Document, edit: Edit) -> Document:
    """Withdraw the accreditations of one type, or of all; doing it again changes day, effect and reason."""
    index = _issuer_index(document, edit)
    issuer = document["issuers"][index]
    withdrawal = {"withdrawn_at": edit["on"], "effect": edit["effect"], "reason": edit["reason"]}
    wanted = edit.get("type")
    if not any(wanted in (None, each["type"]) for each in issuer["accreditations"]):
        raise NotFound(Code.NOT_FOUND, f"{edit['authority']} has no such accreditation")
    accreditations = [
        {**each, **withdrawal} if wanted in (None, each["type"]) else each for each in issuer["accreditations"]
    ]
    issuers = _replaced(document["issuers"], index, {**issuer, "accreditations": accreditations})
    return {**document, "issuers": issuers}


def _add_verifier(document: Document, edit: Edit) -> Document:
    """Add a verifier; one that shares a client id with it is replaced."""
    entry = _with_digest(edit["verifier"])
    mine = set(_client_ids(entry))
    others = [each for each in document["verifiers"] if mine.isdisjoint(each["client_ids"])]
    return {**document, "verifiers": [*others, entry]}


def _remove_verifier(document: Document, edit: Edit) -> Document:
    left = [each for each in document["verifiers"] if edit["client_id"] not in each["client_ids"]]
    if len(left) == len(document["verifiers"]):
        raise NotFound(Code.NOT_FOUND, "no verifier has this client identifier")
    return {**document, "verifiers": left}


def _add_entitlement_signer(document: Document, edit: Edit) -> Document:
    """Add a key that signs entitlements, by its public members; one that is there already stays once."""
    public = keys.public_jwk(keys.public_key(edit["jwk"]))
    others = [each for each in document.get("entitlement_signers", ()) if each != public]
    return {**document, "entitlement_signers": [*others, public]}


def _remove_entitlement_signer(document: Document, edit: Edit) -> Document:
    listed = document.get("entitlement_signers", ())
    left = [each for each in listed if keys.thumbprint(each) != edit["thumbprint"]]
    if len(left) == len(listed):
        raise NotFound(Code.NOT_FOUND, "no entitlement signer has a key with this thumbprint")
    return {**document, "entitlement_signers": left}


def _add_attester(document: Document, edit: Edit) -> Document:
    """Add who may attest verifiers, its keys by their public members; one of the same name is replaced."""
    public = [keys.public_jwk(keys.public_key(each)) for each in edit["keys"]]
    others = [each for each in document.get("verifier_attesters", ()) if each["iss"] != edit["iss"]]
    attester = {"iss": edit["iss"], "name": edit["name"], "keys": public}
    return {**document, "verifier_attesters": [*others, attester]}


def _remove_attester(document: Document, edit: Edit) -> Document:
    listed = document.get("verifier_attesters", ())
    left = [each for each in listed if each["iss"] != edit["iss"]]
    if len(left) == len(listed):
        raise NotFound(Code.NOT_FOUND, "nobody of this name attests verifiers here")
    return {**document, "verifier_attesters": left}


def _add_rule(document: Document, edit: Edit) -> Document:
    """Add a rule; one about the same jurisdiction, type and purpose is replaced."""
    rule = edit["rule"]
    about = ("jurisdiction", "type", "purpose")
    others = [each for each in document["narrow"] if any(each.get(name) != rule.get(name) for name in about)]
    return {**document, "narrow": [*others, rule]}


_EDITS: Mapping[str, Callable[[Document, Edit], Document]] = {
    "member": _add_member,
    "end_member": _end_member,
    "type": _add_type,
    "recognition_default": _set_default,
    "delegation": _delegate,
    "end_delegation": _end_delegation,
    "issuer": _add_issuer,
    "remove_issuer": _remove_issuer,
    "accreditation": _accredit,
    "withdraw": _withdraw,
    "verifier": _add_verifier,
    "remove_verifier": _remove_verifier,
    "entitlement_signer": _add_entitlement_signer,
    "remove_entitlement_signer": _remove_entitlement_signer,
    "verifier_attester": _add_attester,
    "remove_verifier_attester": _remove_attester,
    "recognition": _add_rule,
}


def _accreditation(wanted: str, edit: Edit) -> Document:
    if "since" not in edit:
        raise Malformed(Code.REGISTRY_INVALID, "an accreditation needs the day from which it holds")
    until = edit.get("until")
    return {"type": wanted, "from": edit["since"], **({"until": until} if until else {})}


def _with_digest(entry: Document) -> Document:
    """Return ``entry`` without empty members, and with the hash of its anchor in hexadecimal.

    A hash that came with it (hexadecimal or base64url) must be the anchor's.
    """
    kept = {name: value for name, value in entry.items() if value is not None and value != []}
    anchor = kept.get("anchor")
    if not isinstance(anchor, str):
        return kept
    digest = documents.anchor_digest(anchor)
    in_base64url = base64.urlsafe_b64encode(bytes.fromhex(digest)).rstrip(b"=").decode("ascii")
    if kept.get("anchor_sha256", digest) not in (digest, in_base64url):
        raise Malformed(Code.REGISTRY_INVALID, "an anchor does not have the hash stated beside it")
    return {**kept, "anchor_sha256": digest}


def _client_ids(entry: Document) -> Sequence[str]:
    ids = entry.get("client_ids")
    if not isinstance(ids, list) or not all(isinstance(each, str) for each in ids):
        raise Malformed(Code.REGISTRY_INVALID, "a verifier needs client identifiers")
    return ids


def _issuer_index(document: Document, edit: Edit) -> int:
    authority = edit["authority"]
    return _index(document["issuers"], "authority", authority, f"{authority} is not in the registry")


def _index(items: Sequence[Document], member: str, value: object, problem: str) -> int:
    for index, item in enumerate(items):
        if item[member] == value:
            return index
    raise NotFound(Code.NOT_FOUND, problem)


def _replaced(items: Sequence[Document], index: int, item: Document) -> list[Document]:
    return [*items[:index], item, *items[index + 1 :]]


def _without(edit: Edit, *names: str) -> Document:
    return {name: value for name, value in edit.items() if name not in names and value is not None}
