"""Selective disclosure for JWTs, RFC 9901, over any payload. Signatures and the meaning of claims are elsewhere."""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from comity import base64url, strict_json
from comity.errors import Code, Malformed
from comity.formats.opened import Path, WantedPath
from comity.record import Discreet

MAX_BYTES = 1 << 20
"""Longest SD-JWT read, in bytes, Disclosures and key binding included."""

MAX_DISCLOSURES = 512
"""Most Disclosures in one SD-JWT."""

MAX_NESTING = 16
"""Most Disclosures inside one another."""

_HASHES = MappingProxyType({"sha-256": hashlib.sha256, "sha-384": hashlib.sha384, "sha-512": hashlib.sha512})
_CONTAINERS, _TEXT_ALONE = (dict, list), {str}
RESERVED = frozenset({"_sd", "_sd_alg", "..."})
"""Member names that belong to the mechanism."""


class SdJwt(Discreet, frozen=True, kw_only=True):
    """The parts of an SD-JWT, each as received.

    Attributes:
        encoded: everything up to and including the last tilde: what the key binding's ``sd_hash`` is over.
        jwt: the issuer-signed JWT.
        disclosures: the Disclosures, base64url.
        key_binding: the KB-JWT, or None.
    """

    UNPRINTED = frozenset({"encoded", "jwt", "disclosures", "key_binding"})

    encoded: str
    jwt: str
    disclosures: tuple[str, ...]
    key_binding: str | None


class Processed(Discreet, frozen=True, kw_only=True):
    """A payload with its Disclosures put in place.

    Attributes:
        payload: the payload; what was not disclosed is not in it.
        disclosed: the Disclosure behind each disclosed value, by the value's path, outer before inner. Positions in
            arrays count the elements as issued, those not disclosed included.
        concealing: the paths of all objects and arrays that hold digests, disclosed or not.
    """

    UNPRINTED = frozenset({"payload", "disclosed"})

    payload: dict[str, Any]
    disclosed: Mapping[Path, str]
    concealing: frozenset[Path]


def parse(encoded: str) -> SdJwt:
    """Separate an SD-JWT, with or without key binding, into its parts (RFC 9901 §4).

    Only the grammar of the tildes is checked here; the parts are read by those who need them.

    Raises:
        Malformed: ``too_large`` or ``malformed``.
    """
    if len(encoded) > MAX_BYTES:
        raise Malformed(Code.TOO_LARGE, "the SD-JWT is larger than allowed")
    # RFC 9901 §4: <Issuer-signed JWT>~<Disclosure 1>~...~<Disclosure N>~[<KB-JWT>]
    if not encoded.isascii() or "~" not in encoded:
        raise Malformed(Code.MALFORMED, "an SD-JWT is ASCII text with a tilde after each of its parts")
    jwt, *disclosures, key_binding = encoded.split("~")
    if not jwt or not all(disclosures):
        raise Malformed(Code.MALFORMED, "the SD-JWT has an empty part")
    if len(disclosures) > MAX_DISCLOSURES:
        raise Malformed(Code.TOO_LARGE, f"the SD-JWT has more than {MAX_DISCLOSURES} Disclosures")
    return SdJwt(
        encoded=encoded[: len(encoded) - len(key_binding)],
        jwt=jwt,
        disclosures=tuple(disclosures),
        key_binding=key_binding or None,
    )


def hash_name(payload: Mapping[str, Any]) -> str:
    """Return the hash that ``payload`` says its digests are made with (RFC 9901 §4.1.1 and §7.1 step 2.d).

    Raises:
        Malformed: ``hash_not_allowed`` for anything but SHA-256, SHA-384 and SHA-512. The IANA registry also holds
            truncated hashes, which are too weak.
    """
    name = payload.get("_sd_alg", "sha-256")
    if not isinstance(name, str) or name not in _HASHES:
        raise Malformed(Code.HASH_NOT_ALLOWED, "the hash algorithm of the digests is not allowed")
    return name


def digest(text: str, name: str) -> str:
    """Return the base64url digest of the ASCII ``text`` under the hash called ``name`` (RFC 9901 §4.2.3)."""
    return digests((text,), name)[0]


def digests(texts: Iterable[str], name: str) -> list[str]:
    """Return the :func:`digest` of each of ``texts``."""
    make, encode = _HASHES[name], base64url.encode
    return [encode(make(text.encode("ascii")).digest()) for text in texts]


def process_payload(payload: Mapping[str, Any], disclosures: Sequence[str]) -> Processed:
    """Put ``disclosures`` in their places in ``payload`` (RFC 9901 §7.1 steps 2.d, 3, 4 and 5).

    Not checked here: the signature, and what the claims say (step 6).

    Raises:
        Malformed: ``hash_not_allowed``; ``disclosure_malformed``, ``disclosure_duplicate``, ``disclosure_forbidden``
            (a name that may not be disclosed or would overwrite a claim), ``digest_duplicate``,
            ``disclosure_unreferenced``; ``too_large`` beyond the limits on nesting; what the JSON and base64url
            readers raise.
    """
    # RFC 9901 §7.1 step 2.d: the hash algorithm is understood and strong.
    name = hash_name(payload)
    # Step 3.a: the digest over each Disclosure, over the base64url text as it was received.
    by_digest = dict(zip(digests(disclosures, name), map(_read, disclosures), strict=True))
    if len(by_digest) != len(disclosures):
        raise Malformed(Code.DISCLOSURE_DUPLICATE, "a Disclosure was sent twice")
    # Steps 3.b to 3.f and 4.
    walk = _Walk(by_digest)
    result = walk.members(payload, (), 0)
    # Step 5: every Disclosure was referenced.
    if len(walk.disclosed) != len(by_digest):
        raise Malformed(Code.DISCLOSURE_UNREFERENCED, "a Disclosure does not belong to this credential")
    return Processed(payload=result, disclosed=walk.disclosed, concealing=frozenset(walk.concealing))


def disclose(parts: SdJwt, payload: Mapping[str, Any], wanted: Collection[WantedPath]) -> str:
    """Return ``parts`` with only the Disclosures that make the ``wanted`` values visible, without key binding.

    Those of the values that enclose a wanted one travel with it (RFC 9901 §7.2), and so do those inside it: who asks
    for an address gets the address. A path that leads nowhere, or to what is visible anyway, adds nothing; the path
    ``()`` is the whole payload. ``payload`` is that of ``parts.jwt``.

    Raises:
        Malformed: as :func:`process_payload`: what does not verify is not passed on.
    """
    chosen = choose(process_payload(payload, parts.disclosures).disclosed, wanted)
    return combine(parts.jwt, [encoded for encoded in parts.disclosures if encoded in chosen])


def choose(disclosed: Mapping[Path, str], wanted: Collection[WantedPath]) -> set[str]:
    """Return the Disclosures among those of a processed payload that :func:`disclose` lets through."""
    # Whoever asks for a whole claim gets what is inside it; only other paths are compared step by step.
    whole = {want[0] for want in wanted if len(want) == 1 and isinstance(want[0], str)}
    others = [want for want in wanted if len(want) != 1 or want[0] not in whole]
    return {
        encoded
        for path, encoded in disclosed.items()
        if path[0] in whole or (others and any(_serves(path, want) for want in others))
    }


def combine(jwt: str, disclosures: Sequence[str]) -> str:
    """Return the SD-JWT of these parts, without key binding (RFC 9901 §4)."""
    return "~".join((jwt, *disclosures, ""))


_Disclosure = tuple[str, str | None, Any]
"""A Disclosure as received, its name (None for an array element), its value."""


def _read(encoded: str) -> _Disclosure:
    """Read one Disclosure: ``[salt, name, value]`` or ``[salt, value]`` (RFC 9901 §4.2.1 and §4.2.2)."""
    parts = strict_json.parse(base64url.decode(encoded))
    if type(parts) is list and parts and type(parts[0]) is str:
        if len(parts) == 3 and type(parts[1]) is str:
            return encoded, parts[1], parts[2]
        if len(parts) == 2:
            return encoded, None, parts[1]
    raise Malformed(Code.DISCLOSURE_MALFORMED, "a Disclosure is not an array of salt, name and value")


class _Walk:
    """One pass over a payload that builds the processed one beside it."""

    __slots__ = ("_by_digest", "_seen", "concealing", "disclosed")

    def __init__(self, by_digest: Mapping[str, _Disclosure]) -> None:
        self._by_digest = by_digest
        self._seen: set[str] = set()
        self.disclosed: dict[Path, str] = {}
        self.concealing: set[Path] = set()

    def value(self, value: object, path: Path, nesting: int) -> object:
        if isinstance(value, dict):
            return self.members(value, path, nesting)
        return self._array(value, path, nesting) if isinstance(value, list) else value

    def members(self, members: Mapping[str, Any], path: Path, nesting: int) -> dict[str, Any]:
        _check_depth(path)
        # Steps 3.e and 3.f: _sd and _sd_alg leave the payload; an object without other members stays {}.
        result: dict[str, Any] = {}
        for key, child in members.items():
            if key not in RESERVED:
                result[key] = self.value(child, (*path, key), nesting) if isinstance(child, _CONTAINERS) else child
        if len(result) == len(members):
            return result
        # Step 3.b.i: an _sd key refers to an array of strings.
        for encoded, name, value in self._take(_digests(members, path), path, nesting):
            # Step 3.c.ii.1: three elements.
            if name is None:
                raise Malformed(Code.DISCLOSURE_MALFORMED, "the Disclosure of a claim has no name")
            # Step 3.c.ii.2: the name is not one of the mechanism's own.
            if name in RESERVED:
                raise Malformed(Code.DISCLOSURE_FORBIDDEN, "a Disclosure has a name that is reserved")
            # Step 3.c.ii.3: the name does not exist at this level.
            if name in result:
                raise Malformed(Code.DISCLOSURE_FORBIDDEN, "a Disclosure would overwrite a claim")
            # Steps 3.c.ii.4 and 5: the claim is inserted, and its value processed in turn.
            place = (*path, name)
            self.disclosed[place] = encoded
            result[name] = self.value(value, place, nesting + 1) if isinstance(value, _CONTAINERS) else value
        return result

    def _array(self, elements: list[Any], path: Path, nesting: int) -> list[Any]:
        _check_depth(path)
        result = []
        for index, element in enumerate(elements):
            if not isinstance(element, dict) or "..." not in element:
                result.append(self.value(element, (*path, index), nesting))
                continue
            # Step 3.b.ii: an element with the one key "...", which refers to a string.
            if len(element) != 1 or not isinstance(element["..."], str):
                raise Malformed(Code.DISCLOSURE_MALFORMED, "a concealed array element is not one digest alone")
            # Step 3.d: elements whose digest has no Disclosure go.
            for encoded, name, value in self._take([element["..."]], path, nesting):
                # Step 3.c.iii.1: two elements.
                if name is not None:
                    raise Malformed(Code.DISCLOSURE_MALFORMED, "the Disclosure of an array element has a name")
                # Steps 3.c.iii.2 and 3: the value takes the place of the element, and is processed in turn.
                place = (*path, index)
                self.disclosed[place] = encoded
                result.append(self.value(value, place, nesting + 1))
        return result

    def _take(self, found: list[str], path: Path, nesting: int) -> list[_Disclosure]:
        """Return the Disclosures behind the digests ``found`` in the object or array at ``path``."""
        if not found:
            return []
        # Step 4: no digest twice, directly or through other Disclosures.
        before = len(self._seen)
        self._seen.update(found)
        if len(self._seen) != before + len(found):
            raise Malformed(Code.DIGEST_DUPLICATE, "a digest occurs twice")
        self.concealing.add(path)
        # Step 3.c.i: a digest without a Disclosure is ignored.
        taken = [self._by_digest[each] for each in found if each in self._by_digest]
        if taken and nesting >= MAX_NESTING:
            raise Malformed(Code.TOO_LARGE, f"Disclosures are nested deeper than {MAX_NESTING} levels")
        return taken


def _check_depth(path: Path) -> None:
    """Keep the processed payload within the depth of any JSON we read, however its parts were split up."""
    if len(path) >= strict_json.MAX_DEPTH:
        raise Malformed(Code.TOO_LARGE, f"the disclosed payload is nested deeper than {strict_json.MAX_DEPTH} levels")


def _digests(members: Mapping[str, Any], path: Path) -> list[str]:
    """Return the digests in the ``_sd`` of an object, and refuse reserved members where they may not stand."""
    # RFC 9901 §4.2.4.2: "..." is the only member of an array element, and stands nowhere else.
    if "..." in members:
        raise Malformed(Code.DISCLOSURE_MALFORMED, "the member for concealed array elements stands in an object")
    # RFC 9901 §4.1.1: _sd_alg is a top-level claim.
    if path and "_sd_alg" in members:
        raise Malformed(Code.DISCLOSURE_MALFORMED, "the hash algorithm is stated below the top level")
    found = members.get("_sd", [])
    if not isinstance(found, list) or not set(map(type, found)) <= _TEXT_ALONE:
        raise Malformed(Code.DISCLOSURE_MALFORMED, "the digests of an object are not an array of strings")
    return found


def _serves(path: Path, want: WantedPath) -> bool:
    """Say whether the value at ``path`` encloses, is, or is part of a wanted one. Types count: 1 is not True."""
    return all(
        isinstance(step, int) if wanted is None else type(step) is type(wanted) and step == wanted
        for step, wanted in zip(path, want, strict=False)
    )
