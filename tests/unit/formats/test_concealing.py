"""RFC 9901 §4.2 and §6: what the issuer makes."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comity import base64url, strict_json
from comity.errors import Code
from comity.formats import sd_jwt
from comity.formats.concealing import conceal
from tests.unit.formats.made import refused

CLAIMS = {"name": "DEMO", "address": {"city": "Alma", "lines": ["1", "2"]}, "places": ["BC", {"code": "ON"}]}


@pytest.mark.parametrize(
    "paths",
    [
        [],
        [("name",)],
        [("address", "city")],
        [("address",), ("address", "city"), ("address", "lines"), ("address", "lines", 1)],
        [("places", 0), ("places", 1), ("places", 1, "code")],
        [("name",), ("address",), ("places",)],
    ],
    ids=repr,
)
@pytest.mark.parametrize("hash_name", ["sha-256", "sha-384", "sha-512"])
@pytest.mark.good_twin("S17")
def test_all_disclosures_together_give_the_claims_back(paths: list[Any], hash_name: str) -> None:
    concealed = conceal(CLAIMS, paths, hash_name=hash_name)
    assert len(concealed.disclosures) == len(paths)
    processed = sd_jwt.process_payload(concealed.payload, concealed.disclosures)
    assert processed.payload == CLAIMS
    assert processed.disclosed.keys() == set(paths)


def test_without_anything_concealed_the_mechanism_leaves_no_trace() -> None:
    """SD-JWT VC §2.2.2: then no _sd and no Disclosure; here also no decoy."""
    concealed = conceal(CLAIMS, [], decoys=3)
    assert concealed.payload == CLAIMS
    assert concealed.disclosures == ()


def test_concealed_values_are_nowhere_in_the_payload() -> None:
    concealed = conceal({"name": "DEMO", "places": ["BC", "ON"]}, [("name",), ("places", 1)])
    assert concealed.payload.keys() == {"_sd", "_sd_alg", "places"}
    assert concealed.payload["places"][0] == "BC"
    assert concealed.payload["places"][1].keys() == {"..."}
    assert not any(word in strict_json.serialise(concealed.payload) for word in (b'"DEMO"', b'"ON"'))


@pytest.mark.clause("2b-members")
@pytest.mark.attack("S17")
def test_digests_stand_sorted_at_every_level() -> None:
    """S17: in the order of the claims they would say which is which."""
    names = [f"claim_{number}" for number in range(20)]
    inner = dict.fromkeys(names, 1)
    concealed = conceal({**inner, "more": inner}, [*((name,) for name in names), *(("more", name) for name in names)])
    for digests in (concealed.payload["_sd"], concealed.payload["more"]["_sd"]):
        assert len(digests) == 20
        assert digests == sorted(digests)


@pytest.mark.attack("S17")
def test_digests_stand_sorted_decoys_among_them() -> None:
    """S17: their order says nothing."""
    names = [f"claim_{number}" for number in range(20)]
    concealed = conceal(dict.fromkeys(names, 1), [(name,) for name in names], decoys=5)
    digests = concealed.payload["_sd"]
    assert len(digests) == 25
    assert digests == sorted(digests)
    assert len(sd_jwt.process_payload(concealed.payload, concealed.disclosures).payload) == 20


def test_decoys_may_stand_where_only_inner_values_are_concealed() -> None:
    concealed = conceal({"address": {"city": "Alma"}}, [("address", "city")], decoys=2)
    assert len(concealed.payload["_sd"]) == 2
    assert sd_jwt.process_payload(concealed.payload, concealed.disclosures).payload == {"address": {"city": "Alma"}}


@pytest.mark.clause("2b-members")
@pytest.mark.attack("S17", "X01")
def test_salts_are_144_bits_and_never_repeat() -> None:
    """S17."""
    salts = set()
    for _ in range(500):
        for each in conceal(dict.fromkeys("abcdefghij", 1), [(name,) for name in "abcdefghij"]).disclosures:
            salt = strict_json.parse(base64url.decode(each))[0]
            assert len(base64url.decode(salt)) == 18
            salts.add(salt)
    assert len(salts) == 5000


@pytest.mark.parametrize(
    "path",
    [("nowhere",), ("name", "x"), ("address", "nowhere"), ("places", 2), ("places", -1), ("places", "0"), (0,), ()],
    ids=repr,
)
def test_a_path_that_leads_nowhere_is_refused(path: tuple[str | int, ...]) -> None:
    conceal(CLAIMS, [("places", 1)])
    with refused(Code.CLAIMS_INVALID):
        conceal(CLAIMS, [path])


@pytest.mark.parametrize("name", ["_sd", "_sd_alg", "..."])
@pytest.mark.attack("K07")
def test_claims_with_a_name_of_the_mechanism_are_refused(name: str) -> None:
    """RFC 9901 §4.1: an issuer must not be talked into signing digests that somebody else made."""
    everywhere: list[dict[str, Any]] = [{name: []}, {"a": {name: []}}, {"a": [{"b": {name: []}}]}]
    for claims in everywhere:
        with refused(Code.CLAIMS_INVALID):
            conceal(claims, [])


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1), inner, max_size=3),
    max_leaves=8,
)


def _paths(value: Any, at: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for step, child in inner for found in ((*at, step), *_paths(child, (*at, step)))]


@given(st.dictionaries(st.text("abcd", min_size=1), _JSON, max_size=4), st.data())
def test_any_claims_concealed_anywhere_come_back_whole(claims: dict[str, Any], data: st.DataObject) -> None:
    every = _paths(claims)
    paths = data.draw(st.lists(st.sampled_from(every), unique=True)) if every else []
    concealed = conceal(claims, paths, decoys=data.draw(st.integers(0, 3)))
    assert sd_jwt.process_payload(concealed.payload, concealed.disclosures).payload == claims
