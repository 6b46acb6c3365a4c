"""Policies of an installation's own, as data: a DCQL query and what the credentials must say (OpenID4VP 1.0 §6).

A file of ``[{name, query, require?, same_holder?, counter?}]``. The query is DCQL as it is sent, so that
``credential_sets``, ``claim_sets``, ``multiple`` and ``trusted_authorities`` can all be said; only ``values`` cannot
(DQ-5): what a claim must be stands in ``require``, ``[{query_id, claim, equals}]``; each credential presented for that
query must meet it.
With ``counter``, ``{title, about, met}`` of ``{en, fr}`` each, every counter offers it as a question.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from msgspec import Struct

import schemas
from comity import dcql, strict_json
from comity.credential import CredentialType
from comity.errors import Code, Malformed, Misconfigured
from comity.formats.opened import ProcessedCredential
from comity.verification.checks import Check, CheckName, failed, passed
from verifier import policies
from verifier.policies import Ask
from verifier.presets import Asked, Preset, Words

MAX_POLICIES = 200
_NAME = re.compile(r"[a-z][a-z0-9-]{0,63}\Z")
_MEMBERS = frozenset({"name", "query", "require", "same_holder", "counter"})
_COUNTER = frozenset({"title", "about", "met"})
_LONGEST_WORDS = 120


class Requirement(Struct, frozen=True, kw_only=True):
    """A claim of the credentials that answer ``query_id`` must equal a text, a number or a truth value."""

    query_id: str
    claim: str
    equals: str | int | bool


class OwnPolicy(Struct, frozen=True, kw_only=True):
    """One policy of the file."""

    name: str
    query: dcql.Query
    requirements: tuple[Requirement, ...] = ()
    same_holder: bool = False
    words: Words | None = None

    def preset(self) -> Preset | None:
        """Return it as counters offer it, the place left empty; None when it is not for counters."""
        if self.words is None:
            return None
        asked = tuple(Asked(type_id=each["type"], claims=tuple(each["claims"])) for each in self.entitlements())
        return Preset(policy=self.name, place="", age=None, asked=asked, words=self.words)

    def prepare(self, policy: str, place: str, _today: date) -> Ask:
        """Return it made ready for one request; see :func:`verifier.policies.prepare`."""
        return Ask(policy=policy, place=place, query=self.query, judge=self.judge, same_holder=self.same_holder)

    def judge(self, credentials: Mapping[str, Sequence[ProcessedCredential]]) -> Sequence[Check]:
        """Check 11: every requirement, for every credential presented for its query; the type of a value counts."""
        unmet = sorted({each.claim for each in self.requirements if not _is_met(each, credentials)})
        if unmet:
            return (
                failed(CheckName.POLICY, Code.POLICY_NOT_MET, "a claim is not as the policy wants it", claims=unmet),
            )
        return (passed(CheckName.POLICY),)

    def entitlements(self) -> list[dict[str, Any]]:
        """Return what a verifier that offers it must be entitled to ask."""
        found = []
        for each in self.query.credentials:
            names = [name for types in dcql.named_types(each.meta) for name in types]
            claims = sorted({dcql.claim_of(each.format, claim.path) for claim in each.claims})
            for kind in (kind for name in names if (kind := CredentialType.from_vct(name))):
                if claims:
                    found.append({"type": f"{kind.slug}/{kind.version}", "claims": claims, "purpose": self.name})
        return found


def load(path: Path | None) -> dict[str, OwnPolicy]:
    """Return the policies of a file by name; none without a file.

    Raises:
        Misconfigured: the file cannot be read, or is not as the module says; a name that is taken or stands twice.
    """
    if path is None:
        return {}
    try:
        entries = strict_json.parse(path.read_bytes())
        if not isinstance(entries, list) or len(entries) > MAX_POLICIES:
            raise Malformed(Code.MALFORMED, f"it is not a list of at most {MAX_POLICIES} policies")
        own = [_policy(entry) for entry in entries]
    except OSError:
        raise Misconfigured(Code.MISCONFIGURED, f"{path} cannot be read") from None
    except Malformed as problem:
        raise Misconfigured(Code.MISCONFIGURED, f"{path}: {problem.detail}") from None
    names = [each.name for each in own]
    if len(set(names)) != len(names) or not set(names).isdisjoint(policies.POLICIES):
        raise Misconfigured(Code.MISCONFIGURED, f"{path}: a policy has the name of another one")
    return {each.name: each for each in own}


def _policy(entry: object) -> OwnPolicy:
    if not isinstance(entry, dict) or not {"name", "query"} <= set(entry) <= _MEMBERS:
        raise Malformed(Code.MALFORMED, "a policy has a name and a query, and may have require and same_holder")
    name, same_holder = entry["name"], entry.get("same_holder", False)
    if not isinstance(name, str) or not _NAME.match(name) or not isinstance(same_holder, bool):
        raise Malformed(Code.MALFORMED, "a policy's name is in small letters, and same_holder is true or false")
    query = dcql.parse(entry["query"])
    if any(claim.values is not None for each in query.credentials for claim in each.claims):
        raise Malformed(Code.MALFORMED_QUERY, "a policy asks for claims, not for values; say them under require")
    require = entry.get("require", [])
    if not isinstance(require, list):
        raise Malformed(Code.MALFORMED, "require is a list")
    requirements = tuple(_requirement(each, query) for each in require)
    words = _words(entry["counter"], query) if "counter" in entry else None
    return OwnPolicy(name=name, query=query, requirements=requirements, same_holder=same_holder, words=words)


def _words(entry: object, query: dcql.Query) -> Words:
    """Read what a counter calls it; everything that is asked must be known by name, so that the page can say it."""
    if not isinstance(entry, dict) or set(entry) != _COUNTER or not all(_is_bilingual(each) for each in entry.values()):
        raise Malformed(Code.MALFORMED, "counter has title, about and met, each short and in English and French")
    for each in query.credentials:
        kinds = [CredentialType.from_vct(name) for types in dcql.named_types(each.meta) for name in types]
        if not each.claims or not kinds or any(kind is None or not _is_known(kind) for kind in kinds):
            raise Malformed(Code.MALFORMED, "a counter asks for claims, and of types of the federation alone")
    return Words(title=entry["title"], about=entry["about"], met=entry["met"])


def _is_bilingual(entry: object) -> bool:
    if not isinstance(entry, dict) or set(entry) != {"en", "fr"}:
        return False
    return all(isinstance(each, str) and 0 < len(each.strip()) <= _LONGEST_WORDS for each in entry.values())


def _is_known(kind: CredentialType) -> bool:
    return (kind.slug, kind.version) in schemas.all_types()


def _requirement(entry: object, query: dcql.Query) -> Requirement:
    if not isinstance(entry, dict) or set(entry) != {"query_id", "claim", "equals"}:
        raise Malformed(Code.MALFORMED, "a requirement has query_id, claim and equals")
    asked, equals = query.credential(str(entry["query_id"])), entry["equals"]
    claims = {claim.path[-1] for claim in asked.claims} if asked else set()
    if asked is None or entry["claim"] not in claims or not isinstance(equals, str | int):
        raise Malformed(Code.MALFORMED, "a requirement is about a claim that its query asks for, and one plain value")
    return Requirement(query_id=asked.id, claim=str(entry["claim"]), equals=equals)


def _is_met(each: Requirement, credentials: Mapping[str, Sequence[ProcessedCredential]]) -> bool:
    """Say whether every credential presented for the query says so; whether one had to be is for the query itself."""
    found = [credential.claims.get(each.claim) for credential in credentials.get(each.query_id, ())]
    return all(type(value) is type(each.equals) and value == each.equals for value in found)
