"""The data model's own rules (profile 2a, "Must reject"), and the catalogue's V02, V03, V06, V08."""

from typing import Any

import pytest

from comity.credential import W3C_CONTEXT, CredentialType
from comity.errors import Code
from comity.formats import vcdm
from tests.unit.formats.made import ISSUER_DID, PERSON, refused, w3c_document

LICENCE = CredentialType(slug="drivers-licence", version=1)
URL = "https://elsewhere.example/1"


def read(**changes: Any) -> vcdm.CredentialDocument:
    return vcdm.read_credential(w3c_document(**changes))


@pytest.mark.clause("2a-members")
@pytest.mark.good_twin("V02", "D01", "D03")
def test_the_good_twin() -> None:
    document = read()
    assert (document.issuer, document.type) == (ISSUER_DID, PERSON)


class TestContexts:
    """V02, D01."""

    @pytest.mark.parametrize(
        "context",
        [
            None,
            [],
            W3C_CONTEXT,
            {},
            [PERSON.context],
            [PERSON.context, W3C_CONTEXT],
            ["https://www.w3.org/2018/credentials/v1", PERSON.context],
            ["https://www.w3.org/2018/credentials/v1", W3C_CONTEXT, PERSON.context],
            ["http://www.w3.org/ns/credentials/v2", PERSON.context],
            [W3C_CONTEXT + "/", PERSON.context],
            [W3C_CONTEXT, PERSON.context, "https://attacker.example/context"],
            [W3C_CONTEXT, PERSON.context, {"given_names": "https://attacker.example/#other"}],
            [W3C_CONTEXT, PERSON.context, None],
            [W3C_CONTEXT, PERSON.context, ["https://attacker.example/context"]],
            [W3C_CONTEXT, "https://types.comity.example/person/9999/context"],
            [W3C_CONTEXT, PERSON.vct],
        ],
        ids=repr,
    )
    @pytest.mark.clause("2a-members")
    @pytest.mark.attack("V02", "D01")
    def test_only_the_known_ones_in_order(self, context: Any) -> None:
        with refused(Code.CONTEXT_UNKNOWN):
            read(context=context)

    @pytest.mark.parametrize(
        "changes",
        [
            {"credentialSubject": {"@context": URL, "given_names": "DEMO"}},
            {"credentialSubject": {"given_names": "DEMO", "more": [{"deep": {"@context": {}}}]}},
            {"issuer": {"id": ISSUER_DID, "@context": None}},
        ],
        ids=repr,
    )
    @pytest.mark.attack("V02", "D01", "D03")
    def test_none_inside(self, changes: dict[str, Any]) -> None:
        with refused(Code.CONTEXT_UNKNOWN):
            read(**changes)

    def test_a_second_known_one_is_fine(self) -> None:
        assert read(context=[W3C_CONTEXT, LICENCE.context, PERSON.context]).type == PERSON


class TestTypes:
    """V02."""

    @pytest.mark.parametrize("types", [None, [], "Person", ["Person"], ["Person", 1], {}, [None]], ids=repr)
    @pytest.mark.clause("2a-4")
    @pytest.mark.attack("V02")
    def test_not_a_credential(self, types: Any) -> None:
        with refused(Code.MALFORMED):
            read(type=types)

    @pytest.mark.parametrize("term", ["Unmapped", "DriversLicence", "person", "VerifiablePresentation", "not a url"])
    @pytest.mark.attack("V02")
    def test_a_term_that_no_context_maps(self, term: str) -> None:
        with refused(Code.CONTEXT_UNKNOWN):
            read(type=["VerifiableCredential", "Person", term])

    def test_a_type_by_its_url_is_fine(self) -> None:
        assert read(type=["VerifiableCredential", URL, "Person"]).type == PERSON

    def test_exactly_one_type_of_the_federation(self) -> None:
        both = ["VerifiableCredential", "Person", "DriversLicence"]
        with refused(Code.CREDENTIAL_TYPE_UNKNOWN):
            read(context=[W3C_CONTEXT, PERSON.context, LICENCE.context], type=both)
        with refused(Code.CREDENTIAL_TYPE_UNKNOWN):
            read(type="VerifiableCredential")

    @pytest.mark.parametrize(
        ("changes", "name"),
        [
            ({}, PERSON.vct),
            ({"type": ["Person", "VerifiableCredential"]}, PERSON.vct),
            ({"context": [W3C_CONTEXT]}, "Person"),
            ({"context": [W3C_CONTEXT, PERSON.vct]}, "Person"),
            ({"context": [{"a": 1}, URL + "/context"]}, "Person"),
            ({"context": None}, "Person"),
            ({"type": "VerifiableCredential"}, "VerifiableCredential"),
        ],
        ids=repr,
    )
    def test_the_name_of_a_type_is_told_without_judgement(self, changes: dict[str, Any], name: str) -> None:
        assert vcdm.type_name(w3c_document(**changes)) == name


class TestIdentifiers:
    @pytest.mark.parametrize("value", ["", "no url", "https://", 1, {}, {"id": 1}, {"id": ""}, [ISSUER_DID]], ids=repr)
    def test_the_issuer_is_a_url(self, value: Any) -> None:
        with refused(Code.MALFORMED):
            read(issuer=value)

    def test_an_issuer_is_needed(self) -> None:
        with refused(Code.MALFORMED):
            read(issuer=None)

    def test_the_issuer_may_be_an_object_with_names(self) -> None:
        names = [{"@value": "Services", "@language": "en"}, {"@value": "Services", "@language": "fr"}]
        assert read(issuer={"id": ISSUER_DID, "name": names}).issuer == ISSUER_DID
        with refused(Code.MALFORMED):
            read(issuer={"id": ISSUER_DID, "name": 1})

    @pytest.mark.parametrize("value", [None, "", "no url", 1, [URL], {}], ids=repr)
    def test_ids_are_one_url_and_never_null(self, value: Any) -> None:
        read(id=URL)
        with refused(Code.MALFORMED):
            vcdm.read_credential(w3c_document() | {"id": value})
        with refused(Code.MALFORMED):
            read(credentialSubject={"id": value, "given_names": "DEMO"})


class TestSubject:
    @pytest.mark.parametrize(
        "value",
        [None, [], {}, "x", ["x"], {"id": URL}, {"type": "Person", "id": URL}, [{"a": 1}, {"a": 2}], [[{"a": 1}]]],
        ids=repr,
    )
    def test_one_subject_with_a_claim(self, value: Any) -> None:
        with refused(Code.MALFORMED):
            read(credentialSubject=value)

    def test_it_may_stand_in_a_list(self) -> None:
        assert read(credentialSubject=[{"given_names": "DEMO"}]).subject == {"given_names": "DEMO"}


class TestPeriod:
    """V03."""

    @pytest.mark.parametrize("member", ["validFrom", "validUntil"])
    @pytest.mark.parametrize("value", ["2026-11-23T00:00:00", "2026-11-23", "", 1795390200, True, []], ids=repr)
    @pytest.mark.attack("V03")
    def test_times_have_a_zone(self, member: str, value: Any) -> None:
        with refused(Code.TIME_MALFORMED):
            read(**{member: value})

    @pytest.mark.attack("V03")
    @pytest.mark.good_twin("V03")
    def test_times_are_compared_as_instants(self) -> None:
        read(validFrom="2026-11-01T12:00:00+14:00", validUntil="2026-10-31T22:00:00Z")
        with refused(Code.TIME_MALFORMED):
            read(validFrom="2026-11-01T12:00:00+14:00", validUntil="2026-10-31T21:59:59Z")


class TestNames:
    @pytest.mark.parametrize("member", ["name", "description"])
    @pytest.mark.parametrize(
        "value",
        [
            1,
            [],
            [1],
            {},
            {"@language": "fr"},
            {"@value": 1},
            {"@value": "x", "@language": None},
            {"@value": "x", "@type": "y"},
        ],
        ids=repr,
    )
    def test_they_are_text_in_languages(self, member: str, value: Any) -> None:
        read(**{member: "Personne DEMO"})
        read(**{member: [{"@value": "Personne", "@language": "fr", "@direction": "ltr"}, {"@value": "Person"}]})
        with refused(Code.MALFORMED):
            read(**{member: value})


class TestReferences:
    """V08: what refers to something else is checked for its form and never followed."""

    @pytest.mark.parametrize("member", ["credentialSchema", "evidence", "termsOfUse", "refreshService", "renderMethod"])
    @pytest.mark.attack("V08")
    @pytest.mark.good_twin("V08")
    def test_they_are_objects_with_a_type(self, member: str) -> None:
        good = {"type": "DEMO", "id": URL}
        read(**{member: good})
        read(**{member: [good, good]})
        for bad in (
            "x",
            {"id": URL},
            [good, URL],
            {"type": 1, "id": URL},
            {"type": "x", "id": None},
            {"type": "x", "id": 1},
        ):
            with refused(Code.MALFORMED):
                read(**{member: bad})

    def test_a_schema_has_an_id(self) -> None:
        read(evidence={"type": "DEMO"})
        with refused(Code.MALFORMED):
            read(credentialSchema={"type": "JsonSchema"})

    def test_a_malformed_status_is_refused(self) -> None:
        with refused(Code.MALFORMED):
            read(credentialStatus="https://status.example/1#3")
        with refused(Code.MALFORMED):
            read(credentialStatus={"type": "BitstringStatusListEntry"})

    def test_related_resources_have_distinct_ids_and_a_digest(self) -> None:
        one, two = ({"id": f"{URL}/{number}", "digestSRI": "sha384-abc"} for number in (1, 2))
        read(relatedResource=[one, two])
        read(relatedResource={"id": URL, "digestMultibase": "uEiA"})
        for bad in ([one, one], [{"id": URL}], ["x"], [{"digestSRI": "x"}], [one, two | {"id": "x y"}]):
            with refused(Code.MALFORMED):
                read(relatedResource=bad)
