"""RFC 9901 §7.1, rule by rule: every refusal with its good twin."""

import time
from typing import Any, ClassVar

import pytest

from comity import base64url, strict_json
from comity.errors import Code
from comity.formats import sd_jwt
from tests.unit.formats.made import digest, disclosure, refused

SALT = "_26bc4LT-ac6q2KI6cBW5es"
NAME = disclosure(SALT, "family_name", "Tremblay")
ELEMENT = disclosure(SALT, "ON")


def claims(payload: dict[str, Any], *disclosures: str) -> dict[str, Any]:
    return sd_jwt.process_payload(payload, disclosures).payload


class TestParts:
    def test_an_sd_jwt_is_separated_at_its_tildes(self) -> None:
        assert sd_jwt.parse("a.b.c~d1~d2~") == sd_jwt.SdJwt(
            encoded="a.b.c~d1~d2~", jwt="a.b.c", disclosures=("d1", "d2"), key_binding=None
        )
        assert sd_jwt.parse("a.b.c~").disclosures == ()

    def test_what_follows_the_last_tilde_is_the_key_binding(self) -> None:
        parts = sd_jwt.parse("a.b.c~d1~k.b.j")
        assert (parts.encoded, parts.key_binding) == ("a.b.c~d1~", "k.b.j")

    @pytest.mark.parametrize(
        "text", ["", "a.b.c", "~", "~d1~", "a.b.c~~", "a.b.c~d1~~", "a.b.c~~d1~", "a.b.c\u02dcd1\u02dc"]
    )
    @pytest.mark.clause("2b-2")
    @pytest.mark.attack("S18")
    def test_other_tildes_are_refused(self, text: str) -> None:
        """S18: missing, doubled and lookalike tildes."""
        with refused(Code.MALFORMED):
            sd_jwt.parse(text)

    @pytest.mark.attack("S13")
    @pytest.mark.good_twin("S13")
    def test_there_are_limits(self) -> None:
        sd_jwt.parse("a.b.c~" + "d~" * 512)
        with refused(Code.TOO_LARGE):
            sd_jwt.parse("a.b.c~" + "d~" * 513)
        sd_jwt.parse("a.b.c~" + "d" * (sd_jwt.MAX_BYTES - 7) + "~")
        with refused(Code.TOO_LARGE):
            sd_jwt.parse("a.b.c~" + "d" * (sd_jwt.MAX_BYTES - 6) + "~")


class TestDisclosuresInPlace:
    def test_a_claim_is_put_where_its_digest_stands(self) -> None:
        processed = sd_jwt.process_payload({"a": {"_sd": [digest(NAME)], "b": 1}, "_sd_alg": "sha-256"}, [NAME])
        assert processed.payload == {"a": {"b": 1, "family_name": "Tremblay"}}
        assert processed.disclosed == {("a", "family_name"): NAME}
        assert processed.concealing == {("a",)}

    def test_an_array_element_is_put_where_its_digest_stands(self) -> None:
        payload = {"a": ["BC", {"...": digest(ELEMENT)}, {"...": digest("decoy")}, {"b": 1}, ["c"]]}
        processed = sd_jwt.process_payload(payload, [ELEMENT])
        assert processed.payload == {"a": ["BC", "ON", {"b": 1}, ["c"]]}
        assert processed.disclosed == {("a", 1): ELEMENT}
        assert processed.concealing == {("a",)}

    @pytest.mark.clause("2b-5")
    def test_disclosures_nest(self) -> None:
        inner = disclosure(SALT, "street", "Rue DEMO")
        element = disclosure(SALT, {"_sd": [digest(inner)], "city": "Alma"})
        outer = disclosure(SALT, "addresses", [{"...": digest(element)}])
        processed = sd_jwt.process_payload({"_sd": [digest(outer)]}, [inner, outer, element])
        assert processed.payload == {"addresses": [{"city": "Alma", "street": "Rue DEMO"}]}
        assert list(processed.disclosed) == [("addresses",), ("addresses", 0), ("addresses", 0, "street")]
        assert claims({"_sd": [digest(outer)]}, outer, element) == {"addresses": [{"city": "Alma"}]}

    @pytest.mark.clause("2b-7")
    def test_digests_without_a_disclosure_are_ignored_and_leave_nothing(self) -> None:
        """§7.1 steps 3.c.i, 3.d, 3.e: decoys vanish, an emptied object and array stay."""
        payload = {"_sd": [digest("x")], "a": {"_sd": [digest("y")]}, "b": [{"...": digest("z")}]}
        assert claims(payload) == {"a": {}, "b": []}

    def test_an_empty_list_of_digests_leaves_nothing(self) -> None:
        assert claims({"_sd": [], "a": 1}) == {"a": 1}

    def test_the_payload_itself_is_not_changed(self) -> None:
        payload = {"_sd": [digest(NAME)], "a": [{"...": digest(ELEMENT)}]}
        before = strict_json.serialise(payload)
        claims(payload, NAME, ELEMENT)
        assert strict_json.serialise(payload) == before

    @pytest.mark.parametrize(
        "spelt", ['["s" , "family_name",\t"Trembl\\u0061y"]', '[\n"s","family_name","Tremblay"]  ']
    )
    @pytest.mark.clause("2b-5")
    @pytest.mark.attack("S12")
    @pytest.mark.good_twin("S12")
    def test_the_digest_is_over_the_text_as_received(self, spelt: str) -> None:
        """S12: odd spacing and escapes are kept; a digest of the value written again does not count."""
        odd = base64url.encode(spelt.encode())
        plain = disclosure("s", "family_name", "Tremblay")
        assert claims({"_sd": [digest(odd)]}, odd) == {"family_name": "Tremblay"}
        with refused(Code.DISCLOSURE_UNREFERENCED):
            claims({"_sd": [digest(plain)]}, odd)


class TestRefusals:
    @pytest.mark.attack("S06")
    @pytest.mark.good_twin("S06")
    def test_a_disclosure_without_a_digest(self) -> None:
        """S06; §7.1 step 5."""
        assert claims({"_sd": [digest(NAME)]}, NAME) == {"family_name": "Tremblay"}
        with refused(Code.DISCLOSURE_UNREFERENCED):
            claims({"_sd": [digest(NAME)]}, NAME, ELEMENT)
        with refused(Code.DISCLOSURE_UNREFERENCED):
            claims({"family_name": "Tremblay"}, NAME)

    @pytest.mark.attack("S06")
    @pytest.mark.good_twin("S06")
    def test_a_disclosure_referenced_only_by_a_withheld_one(self) -> None:
        inner = disclosure(SALT, "street", "Rue DEMO")
        outer = disclosure(SALT, "address", {"_sd": [digest(inner)]})
        assert claims({"_sd": [digest(outer)]}, outer, inner) == {"address": {"street": "Rue DEMO"}}
        with refused(Code.DISCLOSURE_UNREFERENCED):
            claims({"_sd": [digest(outer)]}, inner)

    def test_a_disclosure_sent_twice(self) -> None:
        with refused(Code.DISCLOSURE_DUPLICATE):
            claims({"_sd": [digest(NAME)]}, NAME, NAME)

    @pytest.mark.parametrize(
        "payload",
        [
            {"_sd": [digest(NAME), digest(NAME)]},
            {"_sd": [digest(NAME)], "a": {"_sd": [digest(NAME)]}},
            {"a": [{"...": digest(ELEMENT)}, {"...": digest(ELEMENT)}]},
            {"a": [{"...": digest(ELEMENT)}], "b": [{"...": digest(ELEMENT)}]},
            {"_sd": [digest("decoy")], "a": [{"...": digest("decoy")}]},
        ],
        ids=["one array", "two levels", "elements", "two arrays", "decoys"],
    )
    @pytest.mark.parametrize("disclosures", [(), (NAME,), (ELEMENT,)], ids=["withheld", "claim", "element"])
    @pytest.mark.attack("S07")
    def test_a_digest_that_occurs_twice(self, payload: dict[str, Any], disclosures: tuple[str, ...]) -> None:
        """S07; §7.1 step 4, disclosed or not."""
        with refused(Code.DIGEST_DUPLICATE):
            claims(payload, *disclosures)

    @pytest.mark.attack("S07")
    @pytest.mark.good_twin("S07")
    def test_a_digest_that_occurs_again_inside_a_disclosure(self) -> None:
        outer = disclosure(SALT, "more", {"_sd": [digest(NAME)]})
        assert claims({"_sd": [digest(outer)]}, outer, NAME) == {"more": {"family_name": "Tremblay"}}
        with refused(Code.DIGEST_DUPLICATE):
            claims({"_sd": [digest(NAME), digest(outer)]}, outer, NAME)

    @pytest.mark.attack("S08")
    @pytest.mark.good_twin("S08")
    def test_a_disclosure_that_overwrites_a_claim(self) -> None:
        """S08; §7.1 step 3.c.ii.3."""
        with refused(Code.DISCLOSURE_FORBIDDEN):
            claims({"_sd": [digest(NAME)], "family_name": "Other"}, NAME)
        assert claims({"_sd": [digest(NAME)], "a": {"family_name": "Other"}}, NAME)["family_name"] == "Tremblay"

    def test_two_disclosures_of_one_name_at_one_level(self) -> None:
        second = disclosure("other salt", "family_name", "Other")
        with refused(Code.DISCLOSURE_FORBIDDEN):
            claims({"_sd": [digest(NAME), digest(second)]}, NAME, second)

    @pytest.mark.parametrize("name", ["_sd", "...", "_sd_alg"])
    @pytest.mark.attack("S10")
    def test_a_disclosure_with_a_reserved_name(self, name: str) -> None:
        """S10; §7.1 step 3.c.ii.2."""
        forged = disclosure(SALT, name, [])
        with refused(Code.DISCLOSURE_FORBIDDEN):
            claims({"_sd": [digest(forged)]}, forged)

    @pytest.mark.attack("S10")
    def test_a_disclosure_of_the_other_kind(self) -> None:
        """S10; §7.1 steps 3.c.ii.1 and 3.c.iii.1."""
        with refused(Code.DISCLOSURE_MALFORMED):
            claims({"_sd": [digest(ELEMENT)]}, ELEMENT)
        with refused(Code.DISCLOSURE_MALFORMED):
            claims({"a": [{"...": digest(NAME)}]}, NAME)

    @pytest.mark.parametrize(
        "parts",
        [[], [SALT], [SALT, "a", 1, 2], [1, "a", 1], [None, "a", 1], [SALT, 1, 2], [SALT, None, 2], [["s"], 1]],
        ids=repr,
    )
    @pytest.mark.attack("S10")
    def test_a_disclosure_that_is_not_salt_name_and_value(self, parts: list[Any]) -> None:
        """S10: arity, salt and name."""
        forged = disclosure(*parts)
        for payload in ({"_sd": [digest(forged)]}, {"a": [{"...": digest(forged)}]}):
            with refused(Code.DISCLOSURE_MALFORMED):
                claims(payload, forged)

    @pytest.mark.parametrize("text", ['{"s":1}', '"s"', "1", "null"])
    def test_a_disclosure_that_is_not_an_array(self, text: str) -> None:
        forged = base64url.encode(text.encode())
        with refused(Code.DISCLOSURE_MALFORMED):
            claims({"_sd": [digest(forged)]}, forged)

    @pytest.mark.parametrize(
        ("forged", "code"),
        [
            (NAME + "=", Code.MALFORMED_BASE64URL),
            (base64url.encode(b'["s","a",1] x'), Code.MALFORMED_JSON),
            (base64url.encode(b'["s","a",NaN]'), Code.MALFORMED_JSON),
            (base64url.encode(b'["s","a",{"b":1,"b":2}]'), Code.DUPLICATE_MEMBER),
            (base64url.encode(b'["s","a","\xff"]'), Code.MALFORMED_JSON),
        ],
    )
    def test_a_disclosure_that_cannot_be_read(self, forged: str, code: Code) -> None:
        with refused(code):
            claims({"_sd": [digest(forged)]}, forged)

    @pytest.mark.parametrize("digests", ["x", {}, None, [1], [None], ["x", ["y"]]], ids=repr)
    @pytest.mark.parametrize("nested", [False, True])
    def test_digests_that_are_not_an_array_of_strings(self, digests: Any, nested: bool) -> None:
        """S10."""
        payload = {"a": {"_sd": digests}} if nested else {"_sd": digests}
        with refused(Code.DISCLOSURE_MALFORMED):
            claims(payload)

    @pytest.mark.parametrize(
        "payload",
        [
            {"a": [{"...": digest(ELEMENT), "b": 1}]},
            {"a": [{"...": 1}]},
            {"a": [{"...": [digest(ELEMENT)]}]},
            {"...": digest(ELEMENT)},
            {"a": {"...": digest(ELEMENT)}},
            {"a": [{"b": {"...": digest(ELEMENT)}}]},
        ],
        ids=repr,
    )
    @pytest.mark.attack("S10")
    @pytest.mark.good_twin("S10")
    def test_a_concealed_element_that_is_not_one_digest_in_an_array(self, payload: dict[str, Any]) -> None:
        assert claims({"a": [{"...": digest(ELEMENT)}]}, ELEMENT) == {"a": ["ON"]}
        with refused(Code.DISCLOSURE_MALFORMED):
            claims(payload, ELEMENT)

    @pytest.mark.parametrize("payload", [{"a": {"_sd_alg": "sha-256"}}, {"a": [{"_sd_alg": "sha-256"}]}], ids=repr)
    @pytest.mark.attack("S10")
    @pytest.mark.good_twin("S10")
    def test_a_hash_algorithm_below_the_top(self, payload: dict[str, Any]) -> None:
        assert claims({"_sd_alg": "sha-256"}) == {}
        with refused(Code.DISCLOSURE_MALFORMED):
            claims(payload)


class TestHash:
    @pytest.mark.parametrize("name", ["sha-256", "sha-384", "sha-512"])
    @pytest.mark.good_twin("S11")
    def test_strong_hashes_are_known(self, name: str) -> None:
        payload = {"_sd": [sd_jwt.digest(NAME, name)], "_sd_alg": name}
        assert claims(payload, NAME) == {"family_name": "Tremblay"}

    @pytest.mark.clause("2b-4")
    def test_the_default_is_sha_256(self) -> None:
        """The digest of RFC 9901 §4.2.3 for its example Disclosure."""
        example = "WyJfMjZiYzRMVC1hYzZxMktJNmNCVzVlcyIsICJmYW1pbHlfbmFtZSIsICJNw7ZiaXVzIl0"
        assert claims({"_sd": ["X9yH0Ajrdm1Oij4tWso9UzzKJvPoDxwmuEcO3XAdRC0"]}, example) == {"family_name": "Möbius"}

    @pytest.mark.parametrize("name", ["sha-256-32", "md5", "sha-1", "SHA-256", "sha256", "", None, 256, ["sha-256"]])
    @pytest.mark.clause("2b-4")
    @pytest.mark.attack("S11")
    def test_weak_and_unknown_hashes_are_refused(self, name: Any) -> None:
        """S11, also where there is nothing to hash."""
        with refused(Code.HASH_NOT_ALLOWED):
            claims({"_sd_alg": name})


class TestLimits:
    def nested(self, levels: int) -> tuple[dict[str, Any], list[str]]:
        value: Any = "end"
        disclosures = []
        for level in range(levels):
            one = disclosure(f"salt {level}", "a", value)
            disclosures.append(one)
            value = {"_sd": [digest(one)]}
        return value, disclosures

    @pytest.mark.attack("S13")
    @pytest.mark.good_twin("S13")
    def test_disclosures_nest_sixteen_deep(self) -> None:
        """S13."""
        payload, disclosures = self.nested(16)
        assert len(sd_jwt.process_payload(payload, disclosures).disclosed) == 16
        payload, disclosures = self.nested(17)
        with refused(Code.TOO_LARGE):
            sd_jwt.process_payload(payload, disclosures)

    @pytest.mark.attack("S13")
    def test_a_thousand_deep_is_refused_quickly(self) -> None:
        payload, disclosures = self.nested(1000)
        started = time.process_time()
        with refused(Code.TOO_LARGE):
            sd_jwt.process_payload(payload, disclosures)
        assert time.process_time() - started < 0.5

    @pytest.mark.parametrize("wrap", [lambda value: {"x": value}, lambda value: [value]], ids=["objects", "arrays"])
    def test_the_parts_together_are_no_deeper_than_any_json(self, wrap: Any) -> None:
        """Each part may be 32 deep: together they may not be deeper either."""

        def deep(value: Any, levels: int) -> Any:
            for _ in range(levels):
                value = wrap(value)
            return value

        for levels, is_fine in ((15, True), (16, False)):
            inner = disclosure(SALT, "b", deep("end", levels))
            payload = {"a": deep({"_sd": [digest(inner)]}, 15)}
            if is_fine:
                claims(payload, inner)
            else:
                with refused(Code.TOO_LARGE):
                    claims(payload, inner)

    @pytest.mark.good_twin("S13")
    def test_the_most_disclosures_take_little_time(self) -> None:
        """S13: 512 Disclosures in 50 ms; a generous multiple of it here, for slow machines."""
        all_of_them = [disclosure(f"salt {number}", f"claim {number}", number) for number in range(512)]
        payload = {"_sd": [digest(each) for each in all_of_them]}
        started = time.process_time()
        assert len(claims(payload, *all_of_them)) == 512
        assert time.process_time() - started < 0.25


class TestDisclosing:
    STREET = disclosure(SALT, "street", "Rue DEMO")
    CITY = disclosure(SALT, "city", "Alma")
    ADDRESS = disclosure(SALT, "address", {"_sd": sorted([digest(STREET), digest(CITY)])})
    PLACES = (disclosure("s0", "BC"), disclosure("s1", "ON"))
    PAYLOAD: ClassVar[dict[str, Any]] = {
        "_sd": [digest(ADDRESS), digest(NAME)],
        "places": ["YT", *({"...": digest(place)} for place in PLACES)],
        "plain": 1,
    }
    PARTS = sd_jwt.SdJwt(encoded="", jwt="a.b.c", disclosures=(NAME, STREET, CITY, ADDRESS, *PLACES), key_binding=None)

    @pytest.mark.parametrize(
        ("wanted", "expected"),
        [
            ([], []),
            ([("plain",), ("nowhere",), ("places", 0)], []),
            ([("family_name",)], [NAME]),
            ([("address", "city")], [CITY, ADDRESS]),
            ([("address",)], [STREET, CITY, ADDRESS]),
            ([("address", "city"), ("address", "street")], [STREET, CITY, ADDRESS]),
            ([("places", 2)], [PLACES[1]]),
            ([("places", None)], list(PLACES)),
            ([("places", "2"), ("places", True)], []),
            ([(None,)], []),
            ([()], [NAME, STREET, CITY, ADDRESS, *PLACES]),
        ],
    )
    @pytest.mark.attack("S19")
    @pytest.mark.good_twin("S19")
    def test_parents_and_parts_of_what_is_wanted_travel_and_nothing_else(
        self, wanted: list[tuple[str | int | None, ...]], expected: list[str]
    ) -> None:
        """§7.2; S19: paths are compared by type."""
        chosen = sd_jwt.disclose(self.PARTS, self.PAYLOAD, wanted)
        assert chosen == sd_jwt.combine("a.b.c", expected)

    def test_what_does_not_verify_is_not_passed_on(self) -> None:
        with refused(Code.DISCLOSURE_UNREFERENCED):
            sd_jwt.disclose(self.PARTS, {"plain": 1}, [()])
