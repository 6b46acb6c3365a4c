"""The engine against a naive reading of the standard that tries every combination, on small random queries."""

import itertools
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comity import dcql

NAMES = ["a", "b", "c"]
TYPES = ["t1", "t2"]
VALUES: list[Any] = ["x", "y", 1, True, 0, False]
MORE = 3 * settings().max_examples  # most random wallets answer nothing


# --- random queries and wallets


@st.composite
def paths(draw: st.DrawFn) -> list[Any]:
    rest = draw(st.lists(st.sampled_from(["a", "b", None, 0, 1]), max_size=2))
    return [draw(st.sampled_from(NAMES)), *rest]


@st.composite
def credential_queries(draw: st.DrawFn, query_id: str) -> dict[str, Any]:
    query: dict[str, Any] = {"id": query_id, "format": "dc+sd-jwt", "meta": {}}
    if draw(st.booleans()):
        query["meta"] = {"vct_values": draw(st.lists(st.sampled_from(TYPES), min_size=1, max_size=2))}
    wanted = draw(st.lists(paths(), max_size=3, unique_by=tuple))
    if wanted:
        query["claims"] = [{"id": f"k{n}", "path": path} for n, path in enumerate(wanted)]
        for claim in query["claims"]:
            if draw(st.integers(0, 3)) == 0:
                claim["values"] = draw(st.lists(st.sampled_from(VALUES), min_size=1, max_size=2))
        if draw(st.booleans()):
            ids = st.sampled_from([claim["id"] for claim in query["claims"]])
            query["claim_sets"] = draw(st.lists(st.lists(ids, min_size=1, max_size=3), min_size=1, max_size=3))
    for name in ("multiple", "require_cryptographic_holder_binding"):
        if draw(st.booleans()):
            query[name] = draw(st.booleans())
    if draw(st.integers(0, 3)) == 0:
        query["trusted_authorities"] = [{"type": draw(st.sampled_from(["aki", "etsi_tl"])), "values": ["key"]}]
    return query


@st.composite
def queries(draw: st.DrawFn) -> dict[str, Any]:
    ids = [f"q{n}" for n in range(draw(st.integers(1, 3)))]
    query: dict[str, Any] = {"credentials": [draw(credential_queries(each)) for each in ids]}
    if draw(st.booleans()):
        options = st.lists(st.lists(st.sampled_from(ids), min_size=1, max_size=2), min_size=1, max_size=3)
        sets = st.fixed_dictionaries({"options": options}, optional={"required": st.booleans()})
        query["credential_sets"] = draw(st.lists(sets, min_size=1, max_size=2))
    return query


leaves = st.sampled_from(VALUES)
inner = st.dictionaries(st.sampled_from(["a", "b"]), leaves, max_size=2) | st.lists(leaves, max_size=2)
claims = st.dictionaries(st.sampled_from(NAMES), leaves | inner | st.lists(inner, max_size=2))


@st.composite
def holdings(draw: st.DrawFn, number: int) -> dcql.Holding:
    held = draw(claims)
    return dcql.Holding(
        id=f"h{number}",
        format=draw(st.sampled_from(["dc+sd-jwt"] * 4 + ["vc+jwt"])),
        type_names=(draw(st.sampled_from(TYPES)),),
        claims=held,
        disclosable=frozenset(draw(st.sets(st.sampled_from(sorted(held)))) if held else ()),
        can_bind=draw(st.integers(0, 3)) > 0,
        authority_key_ids=draw(st.sampled_from([(), ("key",)])),
    )


@st.composite
def wallets(draw: st.DrawFn) -> list[dcql.Holding]:
    return [draw(holdings(n)) for n in range(draw(st.integers(0, 3)))]


# --- the naive reading


class Aborted(Exception):
    """The standard's "abort processing and return an error"."""


def naive_elements(path: list[Any], root: Any) -> list[tuple[str, Any]]:
    """OpenID4VP §7.1.1, step by step; the name of the top-level member goes with each element."""
    selected = [("", root)]
    for depth, part in enumerate(path):
        following = []
        for top, element in selected:
            if isinstance(part, str):
                if not isinstance(element, dict):
                    raise Aborted
                if part in element:
                    following.append((part if depth == 0 else top, element[part]))
                continue
            if not isinstance(element, list):
                raise Aborted
            indices = range(len(element)) if part is None else [part]
            following += [(top, element[n]) for n in indices if n < len(element)]
        selected = following
    if not selected:
        raise Aborted
    return selected


def same(one: Any, other: Any) -> bool:
    return bool(type(one) is type(other) and one == other)


def naive_tops(claim: dict[str, Any], root: Any) -> set[str] | None:
    """The top-level claims needed for one claim query, None when it is not satisfied."""
    try:
        elements = naive_elements(claim["path"], root)
    except Aborted:
        return None
    accepted = {
        top
        for top, element in elements
        if "values" not in claim or any(same(element, value) for value in claim["values"])
    }
    return accepted or None


def naive_options(query: dict[str, Any]) -> Iterator[list[dict[str, Any]]]:
    by_id = {claim["id"]: claim for claim in query.get("claims", [])}
    if "claim_sets" not in query:
        yield list(by_id.values())
    for option in query.get("claim_sets", []):
        yield [by_id[each] for each in option]


def naive_kind(query: dict[str, Any], thing: dcql.Holding | dcql.Presented) -> bool:
    if query["format"] != thing.format:
        return False
    if "vct_values" in query["meta"] and thing.type_names[0] not in query["meta"]["vct_values"]:
        return False
    authorities = query.get("trusted_authorities", [])
    return not authorities or any(
        a["type"] == "aki" and v in thing.authority_key_ids for a in authorities for v in a["values"]
    )


def naive_disclosures(query: dict[str, Any], thing: dcql.Holding | dcql.Presented) -> list[set[str]]:
    """For each claim set that is satisfied, the top-level claims it needs."""
    if not naive_kind(query, thing):
        return []
    found = []
    for option in naive_options(query):
        tops = [naive_tops(claim, thing.claims) for claim in option]
        if all(top is not None for top in tops):
            found.append(set().union(*(top for top in tops if top)))
    return found


def naive_candidates(query: dict[str, Any], wallet: list[dcql.Holding]) -> dict[str, set[str]]:
    """Holding id to the disclosures of the first claim set, for every holding that can answer."""
    found = {}
    for holding in wallet:
        if query.get("require_cryptographic_holder_binding", True) and not holding.can_bind:
            continue
        disclosures = naive_disclosures(query, holding)
        if disclosures:
            found[holding.id] = disclosures[0] & {str(each) for each in holding.disclosable}
    return found


def naive_is_enough(query: dict[str, Any], answered: set[str]) -> bool:
    if "credential_sets" not in query:
        return answered >= {each["id"] for each in query["credentials"]}
    required = [each for each in query["credential_sets"] if each.get("required", True)]
    return all(any(set(option) <= answered for option in each["options"]) for each in required)


def naive_is_satisfied(query: dict[str, Any], answerable: set[str]) -> bool:
    """Try every subset of what could be answered."""
    subsets = (set(s) for n in range(len(answerable) + 1) for s in itertools.combinations(sorted(answerable), n))
    return any(naive_is_enough(query, each) for each in subsets)


# --- the comparison


@settings(max_examples=MORE)
@given(queries(), wallets())
def test_the_wallets_side(value: dict[str, Any], wallet: list[dcql.Holding]) -> None:
    match = dcql.match(dcql.parse(value), wallet)
    expected = {each["id"]: naive_candidates(each, wallet) for each in value["credentials"]}
    answerable = {query_id for query_id, found in expected.items() if found}
    assert match.is_satisfied == naive_is_satisfied(value, answerable)
    assert set(match.missing) == set(expected) - answerable
    if not match.is_satisfied:
        assert not match.candidates
        assert not match.needed
        return
    assert naive_is_enough(value, set(match.needed))
    assert set(match.needed) <= set(match.candidates) <= answerable
    for query_id, found in match.candidates.items():
        assert {each.holding_id: {str(place[0]) for place in each.disclose} for each in found} == expected[query_id]


def present(holding: dcql.Holding, disclose: set[str]) -> dcql.Presented:
    """What the verifier sees when ``disclose`` is disclosed and the rest of the disclosable claims is not."""
    withheld = {str(each) for each in holding.disclosable} - disclose
    return dcql.Presented(
        format=holding.format,
        type_names=holding.type_names,
        claims={name: value for name, value in holding.claims.items() if name not in withheld},
        is_bound=holding.can_bind,
        disclosed=sorted(disclose),
        authority_key_ids=holding.authority_key_ids,
    )


@settings(max_examples=MORE)
@given(queries(), wallets())
def test_what_the_wallet_answers_the_verifier_accepts(value: dict[str, Any], wallet: list[dcql.Holding]) -> None:
    query = dcql.parse(value)
    match = dcql.match(query, wallet)
    by_id = {holding.id: holding for holding in wallet}
    answer = {}
    for query_id in match.needed:
        candidate = match.candidates[query_id][-1]
        answer[query_id] = [present(by_id[candidate.holding_id], {str(place[0]) for place in candidate.disclose})]
    if match.is_satisfied:
        assert dcql.check_answer(query, answer) == ()
        assert not any(over for each in dcql.over_disclosed(query, answer).values() for over in each)


@settings(max_examples=MORE)
@given(queries(), wallets(), st.data())
@pytest.mark.clause("DQ-9")
def test_the_verifiers_side(value: dict[str, Any], wallet: list[dcql.Holding], data: st.DataObject) -> None:
    """Any credentials for any query, disclosing anything."""
    ids = [each["id"] for each in value["credentials"]]
    answer: dict[str, list[dcql.Presented]] = {}
    for query_id in data.draw(st.lists(st.sampled_from(ids), unique=True)):
        chosen = data.draw(st.lists(st.sampled_from(wallet), max_size=2)) if wallet else []
        answer[query_id] = [
            present(holding, {str(each) for each in holding.disclosable if data.draw(st.booleans())})
            for holding in chosen
        ]
    query = dcql.parse(value)
    assert (dcql.check_answer(query, answer) == ()) == naive_is_right(value, answer)
    for query_id, reported in dcql.over_disclosed(query, answer).items():
        wanted = next(each for each in value["credentials"] if each["id"] == query_id)
        for credential, over in zip(answer[query_id], reported, strict=True):
            sent = {str(each) for each in credential.disclosed}
            left = [sent - disclosures for disclosures in naive_disclosures(wanted, credential)] or [sent]
            assert len(over) == min(len(each) for each in left)
            assert {str(place[0]) for place in over} in left


def naive_is_right(value: dict[str, Any], answer: dict[str, list[dcql.Presented]]) -> bool:
    for query_id, credentials in answer.items():
        wanted = next(each for each in value["credentials"] if each["id"] == query_id)
        asked = {i for each in value.get("credential_sets", []) for option in each["options"] for i in option}
        if "credential_sets" in value and query_id not in asked:
            return False
        if not credentials or (len(credentials) > 1 and not wanted.get("multiple", False)):
            return False
        if not all(naive_disclosures(wanted, each) for each in credentials):
            return False
        if wanted.get("require_cryptographic_holder_binding", True) and not all(each.is_bound for each in credentials):
            return False
    return naive_is_enough(value, set(answer))


# --- catalogue Q07: linear time


def largest(credentials: int) -> tuple[dict[str, Any], list[dcql.Holding]]:
    """As many claims, sets and options as a query may have."""
    names = [f"claim_{n}" for n in range(dcql.MAX_CLAIMS)]
    missing = "absent"
    credential = {
        "format": "dc+sd-jwt",
        "meta": {"vct_values": ["t1"]},
        "claims": [{"id": name, "path": [name]} for name in (*names[:-1], missing)],
        "claim_sets": [[*names[:-1], missing]] * (dcql.MAX_SETS - 1) + [names[:-1]],
    }
    ids = [f"q{n}" for n in range(credentials)]
    value = {
        "credentials": [{"id": each, **credential} for each in ids],
        "credential_sets": [{"options": [ids] * dcql.MAX_SETS}] * dcql.MAX_SETS,
    }
    holding = dcql.Holding(
        id="h", format="dc+sd-jwt", type_names=("t1",), claims=dict.fromkeys(names, "x"), disclosable=names
    )
    return value, [holding] * 4


def seconds(credentials: int) -> float:
    value, wallet = largest(credentials)
    start = time.process_time()
    match = dcql.match(dcql.parse(value), wallet)
    assert match.is_satisfied
    return time.process_time() - start


@pytest.mark.attack("Q07")
def test_the_largest_query_costs_time_in_proportion() -> None:
    """32 credentials take about four times as long as 8, not sixteen or 2^24 times; and never long."""
    small = min(seconds(8) for _ in range(3))
    large = min(seconds(dcql.MAX_CREDENTIALS) for _ in range(3))
    assert large < 5.0  # 0.1 s on an idle machine; coverage and busy neighbours make it many times more
    assert large < 10 * small
