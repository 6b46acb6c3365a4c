"""Every credential type, as data: consistent with itself in schema, metadata and context, and in both languages."""

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from jsonschema_rs import meta

import schemas
from comity.credential import CredentialType

TYPES = schemas.all_types()
EXPECTED = {
    "boating-card",
    "business-licence",
    "drivers-licence",
    "fare-subsidy",
    "fishing-licence",
    "health-card",
    "identification-card",
    "person",
    "serving-it-right",
    "work-permit",
}
FOLDER = Path(schemas.__file__).parent

SHARED_KEY = {"person", "serving-it-right", "drivers-licence", "identification-card"}


def test_the_ten_types_of_the_cast_exist() -> None:
    assert {slug for slug, version in TYPES if version == 1} == EXPECTED


@pytest.mark.parametrize(("slug", "version"), TYPES)
def test_names_follow_the_house(slug: str, version: int) -> None:
    kind = CredentialType(slug=slug, version=version)
    assert schemas.type_metadata(slug, version)["vct"] == kind.vct
    context = dict(schemas.type_context(slug, version)["@context"])
    assert context.pop("@version") == 1.1
    assert context.pop("@protected") is True
    assert context.pop(kind.w3c_type) == f"{kind.vct}#{kind.w3c_type}"
    iris = {name: term["@id"] if isinstance(term, Mapping) else term for name, term in context.items()}
    assert iris == {name: f"{kind.vct}#{name}" for name in schemas.type_schema(slug, version)["properties"]}


@pytest.mark.parametrize(("slug", "version"), TYPES)
def test_schema_is_2020_12_without_references_and_closed(slug: str, version: int) -> None:
    schema = schemas.type_schema(slug, version)
    meta.validate(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["additionalProperties"] is False
    assert not re.search(r'"\$(ref|dynamicRef)"', json.dumps(schema))
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", name) for name in schema["properties"])


@pytest.mark.parametrize(("slug", "version"), TYPES)
def test_metadata_names_the_claims_of_the_schema(slug: str, version: int) -> None:
    schema, metadata = schemas.type_schema(slug, version), schemas.type_metadata(slug, version)
    assert [claim["path"] for claim in metadata["claims"]] == [[name] for name in schema["properties"]]
    assert [claim["path"][0] for claim in metadata["claims"] if claim["mandatory"]] == schema["required"]


@pytest.mark.parametrize(("slug", "version"), TYPES)
def test_every_label_stands_in_both_languages(slug: str, version: int) -> None:
    metadata = schemas.type_metadata(slug, version)
    assert [each["locale"] for each in metadata["display"]] == ["en-CA", "fr-CA"]
    assert all(each["name"] and each["description"] for each in metadata["display"])
    for claim in metadata["claims"]:
        assert [each["locale"] for each in claim["display"]] == ["en-CA", "fr-CA"]
        assert all(each["label"] for each in claim["display"])
    for codes in metadata["comity"]["values"].values():
        assert all(set(words) == {"en", "fr"} and all(words.values()) for words in codes.values())


@pytest.mark.parametrize(("slug", "version"), TYPES)
def test_code_lists_are_those_of_the_schema(slug: str, version: int) -> None:
    properties = schemas.type_schema(slug, version)["properties"]
    lists = {
        name: rule.get("items", rule)["enum"] for name, rule in properties.items() if "enum" in rule.get("items", rule)
    }
    values = schemas.type_metadata(slug, version)["comity"]["values"]
    assert {name: list(codes) for name, codes in values.items()} == lists


@pytest.mark.parametrize(("slug", "version"), TYPES)
def test_issuing_facts_are_usable(slug: str, version: int) -> None:
    properties = schemas.type_schema(slug, version)["properties"]
    facts = dict(schemas.type_metadata(slug, version)["comity"])  # a copy: what is read is kept for everybody
    assert facts.pop("copies", "one_time") == "one_time"
    assert set(facts) == {"holder_key", "validity_days", "suspendable", "number_claim", "name_claims", "values"}
    assert facts["holder_key"] == ("shared" if slug in SHARED_KEY else "own")
    assert isinstance(facts["validity_days"], int)
    assert 0 < facts["validity_days"] <= 1830
    assert isinstance(facts["suspendable"], bool)
    assert facts["number_claim"] is None or facts["number_claim"] in properties
    assert set(facts["name_claims"]) <= set(properties)


def test_only_one_claim_is_always_visible_and_it_says_nothing_of_a_person() -> None:
    never = {
        (slug, claim["path"][0])
        for slug, version in TYPES
        for claim in schemas.type_metadata(slug, version)["claims"]
        if claim["sd"] != "always"
    }
    assert never == {("business-licence", "category")}


@pytest.mark.parametrize("slug", ["person", "drivers-licence", "identification-card"])
def test_ages_are_precomputed_where_ages_are_asked(slug: str) -> None:
    properties = schemas.type_schema(slug, 1)["properties"]
    assert all(properties[f"age_over_{age}"] == {"type": "boolean"} for age in (18, 19, 21))


def _luminance(colour: str) -> float:
    """WCAG 2.2 relative luminance of ``#rrggbb``."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize(("slug", "version"), TYPES)
def test_card_colours_have_enough_contrast(slug: str, version: int) -> None:
    for display in schemas.type_metadata(slug, version)["display"]:
        simple = display["rendering"]["simple"]
        low, high = sorted(_luminance(simple[key]) for key in ("background_color", "text_color"))
        assert (high + 0.05) / (low + 0.05) >= 7, "WCAG 2.2 AAA contrast"


@pytest.mark.parametrize(("slug", "version"), TYPES)
def test_digest_is_over_the_bytes_of_type_json(slug: str, version: int) -> None:
    content = (FOLDER / slug / str(version) / "type.json").read_bytes()
    assert schemas.digest(slug, version) == hashlib.sha256(content).hexdigest()


def test_context_urls_are_those_of_the_types() -> None:
    assert schemas.context_urls() == {
        f"https://types.comity.example/{slug}/{version}/context" for slug, version in TYPES
    }


@pytest.mark.parametrize(
    "read", [schemas.type_metadata, schemas.type_schema, schemas.type_context, schemas.digest], ids=lambda f: f.__name__
)
@pytest.mark.parametrize(("slug", "version"), [("pilot-licence", 1), ("person", 2), ("../schemas/person", 1), ("", 1)])
def test_unknown_types_are_key_errors(read: Any, slug: str, version: int) -> None:
    with pytest.raises(KeyError):
        read(slug, version)


@pytest.mark.parametrize("name", ["federation", "issuers", "verifiers", "recognition"])
def test_registry_schemas_are_found_by_name(name: str) -> None:
    meta.validate(schemas.registry_schema(name))


def test_unknown_registry_schema_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        schemas.registry_schema("../person")


def test_algorithms_are_named_lists_by_context() -> None:
    table = schemas.algorithms()
    assert table["credential"][0] == "ES256"
    assert "none" not in {name for names in table.values() for name in names}
