"""What a website is told of a report: what was asked, nothing twice, and a subject that is nobody's elsewhere."""

from typing import Any

import pytest

from comity import dcql
from comity.errors import Denied
from verifier import id_tokens

SALT, OTHER = b"s" * 32, b"t" * 32


def query(**asked: list[str]) -> dcql.Query:
    return dcql.parse(
        {
            "credentials": [
                {
                    "id": name,
                    "format": "dc+sd-jwt",
                    "meta": {"vct_values": [f"https://types.comity.example/{name}/1"]},
                    "claims": [{"path": [claim]} for claim in claims],
                }
                for name, claims in asked.items()
            ]
        }
    )


def report(authority: str = "ca-bc/services", **claims: dict[str, Any]) -> dict[str, Any]:
    credentials = [{"query_id": name, "type": f"{name}/1", "about": {"authority": authority}} for name in claims]
    return {"credentials": credentials, "claims": {name: [disclosed] for name, disclosed in claims.items()}}


def test_only_what_was_asked_is_told() -> None:
    found = id_tokens.claims_of(
        report(person={"age_over_19": True, "family_name": "Roy"}), query(person=["age_over_19"])
    )
    assert found == {"age_over_19": True}


def test_a_name_that_means_two_things_is_not_told() -> None:
    asked = query(person=["expires_on", "region"], licence=["expires_on", "region"])
    told = report(person={"expires_on": "2027", "region": "ON"}, licence={"expires_on": "2028", "region": "ON"})
    assert id_tokens.claims_of(told, asked) == {"region": "ON"}


def test_no_claim_has_the_name_of_a_token_member() -> None:
    assert id_tokens.claims_of(report(person={"sub": "x"}), query(person=["sub"])) == {}


def test_a_subject_is_random_unless_it_is_made_of_a_number() -> None:
    told = report(server={"certification_number": "7"})
    assert id_tokens.subject_of(told, "", SALT) != id_tokens.subject_of(told, "", SALT)
    first = id_tokens.subject_of(told, "certification_number", SALT)
    assert first == id_tokens.subject_of(told, "certification_number", SALT)
    elsewhere = (
        (told, OTHER),
        (report(server={"certification_number": "8"}), SALT),
        (report("ca-on/services", server={"certification_number": "7"}), SALT),
        (report(licence={"certification_number": "7"}), SALT),
    )
    assert first not in {id_tokens.subject_of(each, "certification_number", salt) for each, salt in elsewhere}


@pytest.mark.parametrize(
    "told",
    [
        report(server={}),
        report(server={"certification_number": ""}),
        report(server={"certification_number": 7}),
        report(server={"certification_number": True}),
        report("", server={"certification_number": "7"}),
        report(server={"certification_number": "7"}, other={"certification_number": "8"}),
        {"credentials": []},
    ],
    ids=str,
)
def test_a_number_that_is_not_there_once_names_nobody(told: dict[str, Any]) -> None:
    with pytest.raises(Denied):
        id_tokens.subject_of(told, "certification_number", SALT)
