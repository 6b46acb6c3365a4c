"""The minimum negative-test matrix, cell by cell: which tests stand behind it (standards profile, section 13).

Rows are mutations, columns are kinds of token. Each cell names the tests that execute it; this module makes sure that
every cell has at least one, and that all of them exist. Data Integrity and mdoc are formats that are not built.
"""

import ast
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
SD, VC, LIST, PROOF, REQUEST = "SD-JWT VC", "vc+jwt and vp+jwt", "status token", "VCI proof", "request object"

SIGNATURES, KEYS = "attacks/test_issuer_signatures.py", "attacks/test_issuer_keys.py"
VALIDITY, HOLDER = "attacks/test_validity.py", "attacks/test_holder_proofs.py"
DISCLOSURES, LISTS = "attacks/test_disclosures.py", "attacks/test_status_tokens.py"
REGISTRY, OPENID = "attacks/test_registry_answers.py", "attacks/test_key_proofs_and_requests.py"
STATUS, PRESENTATION = "unit/verification/test_status.py", "unit/verification/test_presentation.py"
KEY_PROOF, REQUESTS = "unit/openid/test_key_proof.py", "unit/openid/test_request*.py"
ENTITLEMENT, SHELL = "unit/trust/test_entitlement.py", "unit/runtime/test_evidence.py"

_SIGNED = ["test_a_flipped_bit", "test_no_algorithm", "test_a_mac_under_the_issuers_public_key"]
_ANSWERS = [
    f"{STATUS}::test_revoked_and_suspended",
    f"{STATUS}::test_an_index_outside_the_list",
    f"{LISTS}::test_a_list_that_is_too_short",
    f"{LISTS}::test_a_bomb",
    f"{LISTS}::test_the_good_list_of_another_address",
    f"{STATUS}::test_a_policy_may_refuse_a_stale_list",
    f"{STATUS}::test_a_list_that_cannot_be_had_leaves_it_open",
    f"{STATUS}::test_a_list_older_than_one_seen_before",
]
_TRUST = [
    f"{REGISTRY}::test_an_issuer_that_no_registry_names_costs_no_fetch",
    f"{REGISTRY}::test_an_issuer_that_is_known_but_not_for_the_type",
    f"{REGISTRY}::test_withdrawn_before_and_after_the_issue_day",
    f"{REGISTRY}::test_a_compromised_key_loses_everything",
    f"{REGISTRY}::test_a_jurisdiction_lists_its_own_authorities_only",
]

CELLS: dict[str, dict[str, list[str]]] = {
    "signature bit flip; alg none; HS256 with public key; wrong curve": {
        SD: [*(f"{SIGNATURES}::{each}" for each in _SIGNED), f"{SIGNATURES}::test_another_curve_than_the_keys"],
        VC: [f"{HOLDER}::test_a_flipped_bit_in_the_proof", f"{HOLDER}::test_algorithms_of_the_proof"],
        LIST: [f"{LISTS}::test_a_flipped_bit", f"{LISTS}::test_algorithms"],
        PROOF: [f"{OPENID}::test_signatures_of_a_proof"],
        REQUEST: [f"{OPENID}::test_signatures_of_a_request"],
    },
    "wrong or missing typ": {
        SD: [f"{SIGNATURES}::test_another_type", f"{HOLDER}::test_another_type_of_proof"],
        VC: [
            f"{SIGNATURES}::test_the_formats_are_not_exchangeable",
            f"{HOLDER}::test_a_presentation_of_another_type_is_no_presentation",
        ],
        LIST: [f"{LISTS}::test_another_type", f"{LISTS}::test_the_kinds_of_list_are_not_exchangeable"],
        PROOF: [f"{KEY_PROOF}::test_header_refused"],
        REQUEST: [f"{REQUESTS}::test_header_refused", f"{OPENID}::test_signatures_of_a_request"],
    },
    "key not authorised: other relationship, revoked, other controller": {
        SD: [f"{KEYS}::test_another_name_in_the_leaf_under_the_right_anchor"],
        VC: [
            f"{KEYS}::test_a_key_under_another_relationship",
            f"{KEYS}::test_a_key_past_its_end",
            f"{KEYS}::test_a_key_with_another_controller",
            f"{KEYS}::test_trust_is_checked_on_the_issuer_whose_key_signed",
        ],
        LIST: [
            f"{LISTS}::test_another_signer_of_a_token_list",
            f"{LISTS}::test_a_key_that_the_registry_does_not_pin_for_lists",
        ],
        PROOF: [f"{KEY_PROOF}::test_signed_by_another_key"],
        REQUEST: [f"{OPENID}::test_another_leaf_than_the_one_in_the_client_identifier"],
    },
    "expired, not yet valid, zone-less time": {
        SD: [f"{VALIDITY}::test_the_second_at_which_it_ends", f"{VALIDITY}::test_a_time_of_the_wrong_kind"],
        VC: [f"{VALIDITY}::test_a_time_without_a_zone_is_no_time", f"{VALIDITY}::test_the_second_at_which_it_begins"],
        LIST: [
            f"{STATUS}::test_the_second_at_which_a_list_ends",
            f"{STATUS}::test_the_second_at_which_a_list_begins",
            f"{LISTS}::test_a_time_that_is_none",
        ],
        PROOF: [f"{KEY_PROOF}::test_window_of_iat", f"{OPENID}::test_times_of_a_proof_that_are_none"],
        REQUEST: [f"{REQUESTS}::test_parameters_refused", f"{REQUESTS}::test_clock_skew_is_a_minute"],
    },
    "wrong nonce, reused nonce, wrong audience, missing prefix": {
        SD: [f"{HOLDER}::test_another_nonce", f"{HOLDER}::test_the_answer_to_one_request_replayed_to_the_next"],
        VC: [f"{HOLDER}::test_another_audience_or_its_prefix_missing"],
        PROOF: [
            f"{KEY_PROOF}::test_a_wrong_nonce_has_its_own_error",
            f"{OPENID}::test_a_nonce_that_was_used_is_refused_by_who_keeps_them",
        ],
        REQUEST: [f"{REQUESTS}::test_wallet_nonce"],
    },
    "extra, duplicate, missing disclosure or digest": {
        SD: [
            f"{DISCLOSURES}::test_one_too_many",
            f"{DISCLOSURES}::test_one_sent_twice",
            f"{DISCLOSURES}::test_a_digest_twice_in_the_payload",
            f"{HOLDER}::test_a_disclosure_taken_away_or_moved_after_the_proof",
            f"{PRESENTATION}::test_a_claim_withheld",
        ],
    },
    "holder-binding proof removed or by another key": {
        SD: [f"{HOLDER}::test_the_proof_cut_off", f"{HOLDER}::test_the_proof_of_another_key_by_sd_jwt"],
        VC: [f"{HOLDER}::test_the_proof_of_another_key_by_presentation"],
        PROOF: [f"{KEY_PROOF}::test_signed_by_another_key"],
    },
    "root included in x5c, self-signed leaf, unknown anchor": {
        SD: [
            f"{KEYS}::test_the_anchor_included",
            f"{KEYS}::test_a_self_signed_leaf",
            f"{KEYS}::test_an_unknown_anchor",
            f"{KEYS}::test_the_leaf_of_another_authority_of_the_same_deployment",
        ],
        VC: [f"{KEYS}::test_a_certificate_where_the_registry_says_did"],
        LIST: [f"{LISTS}::test_the_chain_of_a_token_list"],
        PROOF: [f"{KEY_PROOF}::test_header_refused"],
        REQUEST: [f"{OPENID}::test_the_chain_of_a_request_is_left_to_the_registry_and_refused_by_it"],
    },
    "status: revoked, suspended, out of range, short list, bomb, sub mismatch, stale, unreachable": {
        SD: _ANSWERS,
        VC: _ANSWERS,
        LIST: [*_ANSWERS, f"{SHELL}::test_a_verified_list_is_remembered_and_an_older_one_refused"],
    },
    "issuer unknown, known but not for type, withdrawn before and after issue, other jurisdiction": {
        SD: _TRUST,
        VC: _TRUST,
        LIST: [f"{STATUS}::test_a_list_at_an_address_that_nobody_vouches_for_is_never_fetched"],
        REQUEST: [
            f"{ENTITLEMENT}::test_claims_and_purposes",
            f"{ENTITLEMENT}::test_only_while_its_jurisdiction_is_a_member",
        ],
    },
    "private key in JWK, kid and jwk both, duplicate JSON member": {
        SD: [
            f"{SIGNATURES}::test_private_key_material_in_the_header",
            f"{SIGNATURES}::test_a_key_brought_along_verifies_nothing",
            f"{SIGNATURES}::test_a_member_said_twice",
        ],
        VC: [
            f"{KEYS}::test_private_key_material_in_the_document",
            f"{HOLDER}::test_a_private_key_in_the_confirmation",
            f"{SIGNATURES}::test_a_member_said_twice",
        ],
        LIST: [f"{LISTS}::test_headers_that_demand_or_expose", f"{LISTS}::test_a_member_said_twice"],
        PROOF: [
            f"{KEY_PROOF}::test_a_private_key_in_the_header",
            f"{KEY_PROOF}::test_header_refused",
            f"{KEY_PROOF}::test_duplicate_members_in_the_payload",
        ],
        REQUEST: [f"{REQUESTS}::test_a_private_key_in_the_header", f"{REQUESTS}::test_duplicate_members"],
    },
}

DOES_NOT_APPLY = {
    ("wrong nonce, reused nonce, wrong audience, missing prefix", LIST),
    ("extra, duplicate, missing disclosure or digest", VC),
    ("extra, duplicate, missing disclosure or digest", LIST),
    ("extra, duplicate, missing disclosure or digest", PROOF),
    ("extra, duplicate, missing disclosure or digest", REQUEST),
    ("holder-binding proof removed or by another key", LIST),
    ("holder-binding proof removed or by another key", REQUEST),
    ("status: revoked, suspended, out of range, short list, bomb, sub mismatch, stale, unreachable", PROOF),
    ("status: revoked, suspended, out of range, short list, bomb, sub mismatch, stale, unreachable", REQUEST),
    ("issuer unknown, known but not for type, withdrawn before and after issue, other jurisdiction", PROOF),
}
"""Cells that the profile leaves out."""


@cache
def names_in(pattern: str) -> frozenset[str]:
    """The names of the tests in the files that fit ``pattern``."""
    names: set[str] = set()
    for file in TESTS.glob(pattern):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
        names.update(node.name for node in functions)
    return frozenset(names)


@pytest.mark.parametrize("row", list(CELLS))
@pytest.mark.parametrize("column", [SD, VC, LIST, PROOF, REQUEST])
def test_the_cell_has_tests_that_exist(row: str, column: str) -> None:
    named = CELLS[row].get(column, [])
    assert bool(named) is ((row, column) not in DOES_NOT_APPLY)
    missing = [each for each in named if each.partition("::")[2] not in names_in(each.partition("::")[0])]
    assert missing == []
