"""Policies as data: claim sets, credential sets and several credentials, said in a file and judged (DQ-1 to DQ-9)."""

import json
from pathlib import Path
from typing import Any

import pytest

from comity.errors import Misconfigured
from comity.openid.presentation import response
from tests.services.verifier.deployed import Place, running
from tests.services.verifier.federation import LICENCE, PERSON
from tests.services.verifier.till import paired
from verifier import policy_file


def asked(name: str, kind: str, **more: Any) -> dict[str, Any]:
    meta = {"vct_values": [f"https://types.comity.example/{kind}"]}
    return {"id": name, "format": "dc+sd-jwt", "meta": meta, **more}


PREFERRED = {
    "name": "of-age",
    "query": {
        "credentials": [
            asked(
                "person",
                "person/1",
                claims=[{"id": "a", "path": ["age_over_21"]}, {"id": "b", "path": ["age_over_18"]}],
                claim_sets=[["a"], ["b"]],
            ),
            asked("licences", "drivers-licence/1", claims=[{"path": ["class"]}], multiple=True),
        ],
        "credential_sets": [{"options": [["person"]]}, {"options": [["licences"]], "required": False}],
    },
    "require": [{"query_id": "licences", "claim": "class", "equals": "G2"}],
}


def written(folder: Path, *entries: Any) -> Path:
    file = folder / "policies.json"
    file.write_text(json.dumps(list(entries)), "utf-8")
    return file


@pytest.mark.parametrize(
    ("claims", "classes", "verdict"),
    [
        (("age_over_21",), (), "accepted"),
        (("age_over_18",), (), "accepted"),  # the second claim set
        (("family_name",), (), "rejected"),
        (("age_over_21",), ("G2", "G2"), "accepted"),  # several, in an optional set
        (("age_over_21",), ("G2", "M"), "rejected"),  # each of them is judged (P07, P09)
    ],
)
async def test_it_is_asked_and_judged_as_it_is_written(
    place: Place, claims: tuple[str, ...], classes: tuple[str, ...], verdict: str
) -> None:
    async with running(place, policies_file=written(place.folder, PREFERRED)) as verifier:
        assert "of-age" in (await verifier.client.get("/api/v1/policies")).json()["policies"]
        started = await verifier.start("of-age")
        request = await verifier.fetch(started)
        assert request.query.to_json() == PREFERRED["query"]
        token = {"person": [verifier.present(request, verifier.held(PERSON), claims)]}
        own = verifier.held(LICENCE)
        for each in classes:
            licence = own if each == "G2" else verifier.held(LICENCE, **{"class": each})
            token.setdefault("licences", []).append(verifier.present(request, licence, ("class",)))
        assert (await verifier.post(started, response.build(request, token))).status_code == 200
        assert (await verifier.result(started))["verdict"] == verdict


WORDS = {
    "title": {"en": "May rent a car", "fr": "Peut louer une voiture"},
    "about": {"en": "Of age, with a licence", "fr": "Majeur, avec un permis"},
    "met": {"en": "This person may rent a car.", "fr": "Cette personne peut louer une voiture."},
}


async def test_a_counter_offers_it_in_the_words_of_the_installation(place: Place) -> None:
    worded = {**PREFERRED, "name": "rental", "counter": WORDS}
    async with running(place, policies_file=written(place.folder, PREFERRED, worded)) as verifier:
        till = await paired(verifier)
        page = await till.read("/counter")
        assert "May rent a car Of age, with a licence" in page
        assert "of-age" not in page, "without words it is not for counters"
        assert "18 years of age or older, 21 years of age or older" in page, "what is asked is said before it starts"
        assert "May rent a car" not in await till.read("/counter/scan"), "it takes a wallet"
        assert (await till.post("/counter", {"policy": "of-age"})).status_code == 422
        check = await till.ask("rental")
        assert "May rent a car" in await till.read(check)
        started = await till.link(check)
        request = await verifier.fetch(started)
        token = {"person": [verifier.present(request, verifier.held(PERSON), ("age_over_21",))]}
        assert (await verifier.post(started, response.build(request, token))).status_code == 200
        page = await till.read(check)
        assert "Accepted This person may rent a car." in page
        till.language = "fr"
        assert "Cette personne peut louer une voiture." in await till.read(check)
        assert "Peut louer une voiture" in await till.read("/counter/history")
    async with running(place) as verifier:  # the policy is gone; what was asked stays in the history by its name
        till = await paired(verifier)
        assert "rental" in await till.read("/counter/history")


@pytest.mark.parametrize(
    "change",
    [
        {"name": "age-alcohol"},
        {"name": "Of Age"},
        {"query": {}},
        {"query": {"credentials": [asked("p", "person/1", claims=[{"path": ["region"], "values": ["BC"]}])]}},
        {"require": [{"query_id": "person", "claim": "region", "equals": "BC"}]},
        {"require": [{"query_id": "nobody", "claim": "class", "equals": "G2"}]},
        {"require": [{"query_id": "licences", "claim": "class", "equals": ["G2"]}]},
        {"require": {}},
        {"same_holder": "yes"},
        {"extra": 1},
        {"counter": {**WORDS, "title": {"en": "May rent a car"}}},
        {"counter": {**WORDS, "met": {"en": " ", "fr": "Oui"}}},
        {
            "counter": WORDS,
            "query": {"credentials": [asked("p", "unheard-of/1", claims=[{"path": ["a"]}])]},
            "require": [],
        },
        {"counter": WORDS, "query": {"credentials": [asked("p", "person/1")]}, "require": []},
    ],
)
def test_a_file_that_says_something_else_is_refused_at_start(tmp_path: Path, change: dict[str, Any]) -> None:
    assert set(policy_file.load(written(tmp_path, PREFERRED))) == {"of-age"}
    with pytest.raises(Misconfigured):
        policy_file.load(written(tmp_path, {**PREFERRED, **change}))
    assert policy_file.load(written(tmp_path, {**PREFERRED, "counter": WORDS}))["of-age"].preset() is not None


def test_twice_the_same_name_or_no_list(tmp_path: Path) -> None:
    assert policy_file.load(None) == {}
    for path in (written(tmp_path, PREFERRED, PREFERRED), tmp_path / "nothing.json"):
        with pytest.raises(Misconfigured):
            policy_file.load(path)


def test_what_it_must_be_entitled_to(tmp_path: Path) -> None:
    (own,) = policy_file.load(written(tmp_path, PREFERRED)).values()
    assert own.entitlements() == [
        {"type": "person/1", "claims": ["age_over_18", "age_over_21"], "purpose": "of-age"},
        {"type": "drivers-licence/1", "claims": ["class"], "purpose": "of-age"},
    ]
