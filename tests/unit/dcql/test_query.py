"""Reading a query: comity.dcql.query."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comity import dcql
from comity.errors import Code, Malformed
from tests.support.vectors import count, vectors_folder

PERSON = "https://types.comity.example/person/1"

FULL: dict[str, Any] = {
    "credentials": [
        {
            "id": "person",
            "format": "dc+sd-jwt",
            "meta": {"vct_values": [PERSON]},
            "multiple": True,
            "require_cryptographic_holder_binding": False,
            "claims": [
                {"path": ["family_name"], "id": "a"},
                {"path": ["addresses", None, "lines", 0], "id": "b", "values": ["x", 1, True]},
            ],
            "claim_sets": [["a", "b"], ["a"]],
            "trusted_authorities": [{"type": "aki", "values": ["s9tIpPmhxdiuNkHMEWNpYim8S8Y"]}],
        },
        {"id": "w3c", "format": "vc+jwt", "meta": {"type_values": [["https://a.example#A", "https://a.example#B"]]}},
        {
            "id": "mdoc",
            "format": "mso_mdoc",
            "meta": {"doctype_value": "org.iso.18013.5.1.mDL"},
            "claims": [{"path": ["org.iso.18013.5.1", "given_name"], "intent_to_retain": False}],
        },
    ],
    "credential_sets": [{"options": [["person"], ["w3c", "mdoc"]]}, {"options": [["mdoc"]], "required": False}],
}


def query_with(**members: Any) -> dict[str, Any]:
    """One credential query, with members exchanged; ``...`` removes one."""
    credential: dict[str, Any] = {"id": "person", "format": "dc+sd-jwt", "meta": {"vct_values": [PERSON]}} | members
    return {"credentials": [{name: value for name, value in credential.items() if value is not ...}]}


def claims(*values: Any) -> dict[str, Any]:
    return query_with(claims=list(values))


def refused(value: Any) -> None:
    with pytest.raises(Malformed) as caught:
        dcql.parse(value)
    assert caught.value.code is Code.MALFORMED_QUERY
    assert caught.value.detail


@pytest.mark.clause("DQ-1")
def test_a_full_query_is_read() -> None:
    query = dcql.parse(FULL)
    person, w3c, mdoc = query.credentials
    assert person.claims[1] == dcql.ClaimQuery(path=("addresses", None, "lines", 0), id="b", values=("x", 1, True))
    assert (person.multiple, person.require_holder_binding) == (True, False)
    assert (w3c.multiple, w3c.require_holder_binding, w3c.claims) == (False, True, ())
    assert w3c.meta.type_values == (("https://a.example#A", "https://a.example#B"),)
    assert (mdoc.meta.doctype_value, mdoc.claims[0].intent_to_retain) == ("org.iso.18013.5.1.mDL", False)
    assert [each.required for each in query.credential_sets] == [True, False]
    assert query.credential("w3c") is w3c
    assert query.credential("nobody") is None


def test_a_query_is_written_as_it_was_read() -> None:
    assert dcql.parse(FULL).to_json() == FULL
    assert dcql.parse(query_with()).to_json() == query_with()
    assert json.loads(json.dumps(dcql.parse(FULL).to_json())) == FULL


def test_unknown_members_are_ignored() -> None:
    noisy = {
        "credentials": [
            {
                "id": "person",
                "format": "dc+sd-jwt",
                "meta": {"vct_values": [PERSON], "doctype_value": 7, "type_values": 7, "new": 7},
                "claims": [{"path": ["a"], "new": 7, "intent_to_retain": "only mdoc knows this"}],
                "new": [],
            }
        ],
        "new": {},
    }
    clean = query_with(claims=[{"path": ["a"]}])
    assert dcql.parse(noisy).to_json() == clean


@pytest.mark.parametrize("credential_format", ["dc+sd-jwt", "mso_mdoc", "vc+jwt", "jwt_vc_json", "ldp_vc", "new"])
def test_an_empty_meta_constrains_nothing(credential_format: str) -> None:
    """Profile DQ-1: the wallet tolerates it."""
    assert dcql.parse(query_with(format=credential_format, meta={})).credentials[0].meta == dcql.Meta()


@pytest.mark.parametrize(
    "value",
    [
        [],
        None,
        "query",
        {},
        {"credentials": []},
        {"credentials": {}},
        {"credentials": None},
        {"credentials": ["person"]},
        query_with(id=...),
        query_with(id=""),
        query_with(id=7),
        query_with(id="a b"),
        query_with(id="a.b"),
        query_with(id="é"),
        query_with(id="a\n"),
        query_with(id="a" * 256),
        query_with(format=...),
        query_with(format=""),
        query_with(format=["dc+sd-jwt"]),
        query_with(meta=...),
        query_with(meta=None),
        query_with(meta=[]),
        query_with(meta={"vct_values": []}),
        query_with(meta={"vct_values": PERSON}),
        query_with(meta={"vct_values": [7]}),
        query_with(meta={"vct_values": [""]}),
        query_with(format="mso_mdoc", meta={"doctype_value": ["a"]}),
        query_with(format="vc+jwt", meta={"type_values": []}),
        query_with(format="vc+jwt", meta={"type_values": [[]]}),
        query_with(format="vc+jwt", meta={"type_values": ["https://a.example#A"]}),
        query_with(multiple="false"),
        query_with(multiple=None),
        query_with(require_cryptographic_holder_binding=0),
        query_with(claims=[]),
        query_with(claims={}),
        claims("family_name"),
        claims({"path": []}),
        claims({"path": "family_name"}),
        claims({}),
        claims({"path": ["a", -1]}),
        claims({"path": ["a", True]}),
        claims({"path": ["a", 1.0]}),
        claims({"path": [["a"]]}),
        claims({"path": ["a"], "id": "not an id"}),
        claims({"path": ["a"], "id": None}),
        claims({"path": ["a"], "id": "x"}, {"path": ["b"], "id": "x"}),
        claims({"path": ["a"], "values": []}),
        claims({"path": ["a"], "values": "x"}),
        claims({"path": ["a"], "values": [1.5]}),
        claims({"path": ["a"], "values": [None]}),
        claims({"path": ["a"], "values": [["x"]]}),
        query_with(claim_sets=[["a"]]),
        query_with(claims=[{"path": ["a"], "id": "a"}], claim_sets=[]),
        query_with(claims=[{"path": ["a"], "id": "a"}], claim_sets=[[]]),
        query_with(claims=[{"path": ["a"], "id": "a"}], claim_sets=["a"]),
        query_with(claims=[{"path": ["a"], "id": "a"}], claim_sets=[["b"]]),
        query_with(claims=[{"path": ["a"], "id": "a"}, {"path": ["b"]}], claim_sets=[["a"]]),
        query_with(trusted_authorities=[]),
        query_with(trusted_authorities=["aki"]),
        query_with(trusted_authorities=[{"type": "aki"}]),
        query_with(trusted_authorities=[{"values": ["x"]}]),
        query_with(trusted_authorities=[{"type": "aki", "values": []}]),
        query_with(trusted_authorities=[{"type": "aki", "values": [7]}]),
        {"credentials": query_with()["credentials"] * 2},
        query_with() | {"credential_sets": []},
        query_with() | {"credential_sets": {}},
        query_with() | {"credential_sets": ["person"]},
        query_with() | {"credential_sets": [{}]},
        query_with() | {"credential_sets": [{"options": []}]},
        query_with() | {"credential_sets": [{"options": [[]]}]},
        query_with() | {"credential_sets": [{"options": ["person"]}]},
        query_with() | {"credential_sets": [{"options": [["nobody"]]}]},
        query_with() | {"credential_sets": [{"options": [["person"]], "required": "yes"}]},
    ],
)
@pytest.mark.clause("DQ-1")
def test_a_query_that_breaks_a_rule_is_refused(value: Any) -> None:
    """Profile DQ-1, DQ-2. The good twins are `test_a_full_query_is_read` and `test_unknown_members_are_ignored`."""
    refused(value)


@pytest.mark.parametrize("path", [["ns"], ["ns", "element", "more"], ["ns", 0], ["ns", None], [None, "element"]])
def test_a_path_in_an_mdoc_is_exactly_a_namespace_and_an_element(path: list[Any]) -> None:
    """Profile DQ-2: three path functions, not one."""
    refused(query_with(format="mso_mdoc", meta={}, claims=[{"path": path}]))
    assert dcql.parse(query_with(claims=[{"path": path}])).credentials[0].claims[0].path == tuple(path)


def test_intent_to_retain_is_true_or_false() -> None:
    claim = {"path": ["ns", "element"], "intent_to_retain": "yes"}
    refused(query_with(format="mso_mdoc", meta={}, claims=[claim]))


@pytest.mark.clause("DQ-1")
def test_a_claim_named_twice_is_read_as_the_first() -> None:
    """Profile DQ-1: the verifier must not, the wallet ignores the duplicate."""
    query = dcql.parse(
        query_with(
            claims=[
                {"path": ["a"], "id": "one", "values": ["x"]},
                {"path": ["b"], "id": "two"},
                {"path": ["a"], "id": "three", "values": ["y"]},
            ],
            claim_sets=[["three", "two"]],
        )
    )
    assert [(claim.id, claim.values) for claim in query.credentials[0].claims] == [
        ("one", ("x",)),
        ("two", None),
        ("three", ("x",)),
    ]


# --- catalogue Q07: how large a query may be


def many_credentials(number: int) -> dict[str, Any]:
    return {"credentials": [query_with(id=f"c{n}")["credentials"][0] for n in range(number)]}


def many_claims(number: int) -> dict[str, Any]:
    return claims(*({"path": [f"claim_{n}"]} for n in range(number)))


def many_claim_sets(number: int) -> dict[str, Any]:
    return query_with(claims=[{"path": ["a"], "id": "a"}], claim_sets=[["a"]] * number)


def many_credential_sets(number: int) -> dict[str, Any]:
    return query_with() | {"credential_sets": [{"options": [["person"]]}] * number}


def many_options(number: int) -> dict[str, Any]:
    return query_with() | {"credential_sets": [{"options": [["person"]] * number}]}


def many_authorities(number: int) -> dict[str, Any]:
    return query_with(trusted_authorities=[{"type": "aki", "values": ["x"]}] * number)


@pytest.mark.parametrize(
    ("build", "most"),
    [
        (many_credentials, 32),
        (many_claims, 128),
        (many_claim_sets, 64),
        (many_credential_sets, 64),
        (many_options, 64),
        (many_authorities, 64),
    ],
)
@pytest.mark.attack("Q07")
@pytest.mark.good_twin("Q07")
def test_a_query_is_only_so_large(build: Any, most: int) -> None:
    dcql.parse(build(most))  # the good twin
    refused(build(most + 1))
    refused(build(10_000))


# --- published queries


def published_queries() -> list[dict[str, Any]]:
    examples = vectors_folder("openid4vp") / "1.0" / "examples"
    files = [*sorted((examples / "query_lang").glob("*.json")), *sorted((examples / "request").glob("dcql_*.json"))]
    return [json.loads(file.read_text("utf-8")) for file in files]


def test_the_published_queries_are_read() -> None:
    """The examples of OpenID4VP 1.0: seven of the query language, two of requests for W3C credentials."""
    queries = published_queries()
    assert len(queries) == 9
    for value in queries:
        written = dcql.parse(value).to_json()
        assert [each["id"] for each in written["credentials"]] == [each["id"] for each in value["credentials"]]
        # Everything in the examples is known, so nothing is lost but the defaults.
        assert written == value
        count("openid4vp", 1)


# --- anything at all

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
CREDENTIAL_MEMBERS = ["id", "format", "meta", "multiple", "claims", "claim_sets", "trusted_authorities"]


def read_or_malformed(value: Any) -> None:
    try:
        query = dcql.parse(value)
    except Malformed:
        return
    assert dcql.parse(query.to_json()) == query


@given(json_values)
def test_any_json_is_a_query_or_malformed(value: Any) -> None:
    read_or_malformed(value)


@given(st.sampled_from(CREDENTIAL_MEMBERS), json_values)
def test_any_member_of_a_credential_is_read_or_malformed(name: str, value: Any) -> None:
    read_or_malformed(query_with(**{name: value}))


@given(st.dictionaries(st.sampled_from(["path", "id", "values"]), json_values | st.lists(json_values)))
def test_any_claim_is_read_or_malformed(claim: dict[str, Any]) -> None:
    read_or_malformed(claims({"path": ["a"]} | claim))


@given(st.dictionaries(st.sampled_from(["options", "required"]), json_values))
def test_any_set_is_read_or_malformed(entry: dict[str, Any]) -> None:
    read_or_malformed(query_with() | {"credential_sets": [entry]})
