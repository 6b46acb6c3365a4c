"""Planted faults, one line each, that the tests must notice: the file, what is there, what is planted, who sees it.

The old text occurs exactly once in its file; when that code changes, its mutant is to be looked at again. The tests are
node ids, as narrow as they can be, since each mutant starts a pytest of its own (``test_mutants.py``).
"""

from typing import NamedTuple

from tests.house import mutants_of_presenting as presenting
from tests.house.mutants_of_flows import FLOWS
from tests.house.mutants_openid import MESSAGES

ISSUER_SIGNATURES = "tests/attacks/test_issuer_signatures.py"
DISCLOSURES, HOLDER_PROOFS = "tests/attacks/test_disclosures.py", "tests/attacks/test_holder_proofs.py"
ISSUER_KEYS, VALIDITY = "tests/attacks/test_issuer_keys.py", "tests/attacks/test_validity.py"
STATUS_TOKENS, REGISTRY = "tests/attacks/test_status_tokens.py", "tests/attacks/test_registry_answers.py"
CHECKS, STATUS = "tests/unit/verification/test_checks.py", "tests/unit/verification/test_status.py"
PRESENTATION = "tests/unit/verification/test_presentation.py"
KEPT = "tests/unit/verification/test_what_is_kept.py"


class Mutant(NamedTuple):
    """One planted fault."""

    file: str
    old: str
    new: str
    seen_by: str


MUTANTS: tuple[Mutant, ...] = (
    # --- comity/jose.py
    Mutant(
        "comity/jose.py",
        "if algorithm not in keys.allowed_algorithms(context):",
        'if algorithm == "none":',
        f"{ISSUER_SIGNATURES}::test_a_mac_under_the_issuers_public_key",
    ),
    Mutant(
        "comity/jose.py",
        'if jws.header.get("typ", "") not in expected:',
        'if jws.header.get("typ", expected[0]) not in expected:',
        f"{ISSUER_SIGNATURES}::test_another_type",
    ),
    Mutant(
        "comity/jose.py",
        'if jws.header.get("alg") != keys.algorithm_of(key):',
        "if False:",
        f"{ISSUER_SIGNATURES}::test_another_curve_than_the_keys",
    ),
    Mutant(
        "comity/jose.py",
        "if not keys.is_signature(jws.signature, jws.signing_input, key):",
        "if keys.is_signature(jws.signature, jws.signing_input, key):",
        f"{ISSUER_SIGNATURES}::test_a_flipped_bit",
    ),
    Mutant(
        "comity/jose.py",
        'if "crit" in header or "b64" in header:',
        'if "crit" in header and "b64" in header:',
        f"{ISSUER_SIGNATURES}::test_critical_headers",
    ),
    Mutant(
        "comity/jose.py",
        "and not keys.PRIVATE_MEMBERS.isdisjoint(offered):",
        "and keys.PRIVATE_MEMBERS.isdisjoint(offered):",
        f"{ISSUER_SIGNATURES}::test_private_key_material_in_the_header",
    ),
    # --- comity/formats
    Mutant(
        "comity/formats/sd_jwt.py",
        "if len(by_digest) != len(disclosures):",
        "if len(by_digest) > len(disclosures):",
        f"{DISCLOSURES}::test_one_sent_twice",
    ),
    Mutant(
        "comity/formats/sd_jwt.py",
        "if len(walk.disclosed) != len(by_digest):",
        "if len(walk.disclosed) > len(by_digest):",
        f"{DISCLOSURES}::test_one_too_many",
    ),
    Mutant(
        "comity/formats/sd_jwt.py",
        "if len(self._seen) != before + len(found):",
        "if len(self._seen) == before:",
        f"{DISCLOSURES}::test_a_digest_twice_in_the_payload",
    ),
    Mutant(
        "comity/formats/sd_jwt.py",
        "if name in RESERVED:",
        'if name == "_sd":',
        f"{DISCLOSURES}::test_a_name_of_the_mechanism",
    ),
    Mutant(
        "comity/formats/sd_jwt.py",
        "if name in result:",
        "if not name:",
        f"{DISCLOSURES}::test_a_disclosure_over_a_claim_in_the_clear",
    ),
    Mutant(
        "comity/formats/sd_jwt_vc.py",
        '"aka_vcts", "status"})',
        '"aka_vcts"})',
        f"{DISCLOSURES}::test_what_decides_validity_in_a_disclosure",
    ),
    Mutant(
        "comity/formats/sd_jwt_vc.py",
        'if proof.payload.get("sd_hash") != sd_jwt.digest(',
        'if "sd_hash" in proof.payload and proof.payload["sd_hash"] != sd_jwt.digest(',
        f"{HOLDER_PROOFS}::test_the_hash_under_another_algorithm",
    ),
    Mutant(
        "comity/formats/holder_proof.py",
        'if payload["nonce"] != nonce:',
        'if not payload["nonce"]:',
        f"{HOLDER_PROOFS}::test_another_nonce",
    ),
    Mutant(
        "comity/formats/holder_proof.py",
        'if payload["aud"] != audience:',
        'if payload["aud"] not in audience:',
        f"{HOLDER_PROOFS}::test_another_audience_or_its_prefix_missing",
    ),
    Mutant(
        "comity/formats/holder_proof.py",
        'if not at - MAX_AGE <= numeric_date(payload["iat"]) <= at + MAX_SKEW:',
        'if not at - MAX_AGE <= numeric_date(payload["iat"]):',
        f"{HOLDER_PROOFS}::test_the_second_at_which_a_proof_is_too_old_or_early",
    ),
    Mutant(
        "comity/formats/holder_proof.py",
        "jose.verify(proof.jws, key)",
        "jose.parse(proof.jws.encoded)",
        f"{HOLDER_PROOFS}::test_a_flipped_bit_in_the_proof",
    ),
    Mutant(
        "comity/formats/vc_jwt.py",
        'if place.get("iss", document.issuer) != document.issuer:',
        "if not document.issuer:",
        f"{ISSUER_KEYS}::test_trust_is_checked_on_the_issuer_whose_key_signed",
    ),
    Mutant(
        "comity/formats/vcdm.py",
        "or not known.issuperset(contexts[1:]):",
        "or not known:",
        f"{DISCLOSURES}::test_other_contexts",
    ),
    # --- what they are read with
    Mutant(
        "comity/strict_json.py",
        "if _WRITE(value) == raw:",
        "if raw:",
        "tests/unit/test_strict_json.py::test_two_members_of_one_name_are_refused_in_compact_text_too",
    ),
    Mutant(
        "comity/weierstrass.py",
        "if not in_field or (",
        "if (",
        "tests/unit/test_weierstrass.py::test_a_number_beyond_the_field_is_no_coordinate",
    ),
    *(Mutant(*each) for each in MESSAGES),
    *(Mutant(*each) for each in FLOWS),
    # --- comity/status
    Mutant(
        "comity/status/bits.py",
        "if type(index) is not int or not 0 <= index < size:",
        "if type(index) is not int or not 0 <= index <= size:",
        f"{STATUS}::test_an_index_outside_the_list",
    ),
    Mutant(
        "comity/status/bits.py",
        "if len(out) > max_bytes:",
        "if len(out) > 99 * max_bytes:",
        f"{STATUS_TOKENS}::test_a_bomb",
    ),
    Mutant(
        "comity/status/status_list.py",
        "if entry.list_uri != self.uri:",
        "if not self.uri.startswith(entry.list_uri):",
        f"{STATUS_TOKENS}::test_the_good_list_of_another_address",
    ),
    Mutant(
        "comity/status/status_list.py",
        "serves = entry.purpose in self.purposes if self.purposes else entry.purpose is None",
        "serves = bool(self.purposes) or entry.purpose is None",
        f"{STATUS_TOKENS}::test_a_list_for_another_purpose",
    ),
    Mutant(
        "comity/status/status_list.py",
        "SUSPENSION: Status.SUSPENDED}",
        "SUSPENSION: Status.VALID}",
        f"{STATUS}::test_revoked_and_suspended",
    ),
    Mutant(
        "comity/status/bitstring_list.py",
        "if len(values) < MINIMUM_ENTRIES:",
        "if len(values) < 1:",
        f"{STATUS_TOKENS}::test_a_list_that_is_too_short",
    ),
    Mutant(
        "comity/status/token_list.py",
        "jose.require(jws, typ=TYPE, context",
        'jose.require(jws, typ=(TYPE, "JWT"), context',
        f"{STATUS_TOKENS}::test_another_type",
    ),
    # --- comity/trust
    Mutant(
        "comity/trust/accreditation.py",
        "if not any(each.covers(level, wanted, today) for each in grants):",
        "if any(each.until is not None for each in grants):",
        f"{REGISTRY}::test_scope_is_granted_from_above",
    ),
    Mutant(
        "comity/trust/accreditation.py",
        'return accreditation.effect == "lose" and accreditation.withdrawn_at <= today',
        'return accreditation.effect == "lose" or accreditation.withdrawn_at <= today',
        f"{REGISTRY}::test_withdrawn_before_and_after_the_issue_day",
    ),
    Mutant(
        "comity/trust/accreditation.py",
        'return accreditation.effect == "lose" and accreditation.withdrawn_at <= today',
        'return accreditation.effect == "lose" and accreditation.withdrawn_at < today',
        f"{REGISTRY}::test_a_withdrawal_that_is_still_to_come",
    ),
    Mutant(
        "comity/trust/accreditation.py",
        "if each.reason == COMPROMISED]",
        'if each.reason == ""]',
        f"{REGISTRY}::test_an_issue_day_that_is_not_stated",
    ),
    Mutant(
        "comity/trust/entries.py",
        "return self.since <= day and (self.last_day is None or day <= self.last_day)",
        "return self.since <= day and (self.last_day is None or day < self.last_day)",
        f"{REGISTRY}::test_withdrawn_before_and_after_the_issue_day",
    ),
    Mutant(
        "comity/trust/recognition.py",
        "if rule is not None and not rule.accept:",
        "if rule is not None and rule.accept:",
        f"{REGISTRY}::test_a_place_that_does_not_recognise_it",
    ),
    Mutant(
        "comity/trust/snapshot.py",
        'if issuer.authority.rpartition("/")[0] != jurisdiction:',
        "if not issuer.authority:",
        f"{REGISTRY}::test_a_jurisdiction_lists_its_own_authorities_only",
    ),
    Mutant(
        "comity/trust/snapshot.py",
        "return at >= self.expires_at\n",
        "return at > self.expires_at\n",
        f"{REGISTRY}::test_an_expired_registry_knows_nobody_it_does_not_name",
    ),
    Mutant(
        "comity/trust/decision.py",
        "if at < snapshot.once(_first_end, documents):",
        "if snapshot.once(_first_end, documents):",
        f"{KEPT}::test_a_registry_that_answered_before_expires",
    ),
    Mutant(
        "comity/trust/decision.py",
        "if member.until is not None and today > member.until:",
        "if member.until is not None and today >= member.until:",
        f"{REGISTRY}::test_a_jurisdiction_that_left_the_federation",
    ),
    # --- comity/verification
    Mutant(
        "comity/verification/checks.py",
        "if Outcome.FAILED in outcomes:",
        "if seen and all(check.outcome is Outcome.FAILED for check in seen):",
        f"{CHECKS}::test_the_whole_truth_table",
    ),
    Mutant(
        "comity/verification/checks.py",
        "return Verdict.UNDETERMINED if undecided or not seen else",
        "return Verdict.UNDETERMINED if undecided and seen else",
        f"{CHECKS}::test_the_whole_truth_table",
    ),
    Mutant(
        "comity/verification/checks.py",
        "if self.verdict is not Verdict.ACCEPTED:",
        "if self.verdict is Verdict.REJECTED:",
        f"{CHECKS}::test_an_undetermined_result_without_codes_still_releases_nothing",
    ),
    Mutant(
        "comity/verification/credential.py",
        "processed.valid_until <= at - CLOCK_SKEW:",
        "processed.valid_until < at - CLOCK_SKEW:",
        f"{VALIDITY}::test_the_second_at_which_it_ends",
    ),
    Mutant(
        "comity/verification/credential.py",
        "return snapshot.type_digest(credential_type.vct) ==",
        "return snapshot.type_digest(credential_type.vct) is None or snapshot.type_digest(credential_type.vct) ==",
        f"{REGISTRY}::test_a_type_that_the_registry_does_not_state",
    ),
    Mutant(
        "comity/verification/credential.py",
        "if holder.required:",
        "if not holder.required:",
        f"{HOLDER_PROOFS}::test_the_proof_cut_off",
    ),
    Mutant(
        "comity/verification/issuer_key.py",
        "    path.check_valid(at)\n",
        "",
        f"{KEPT}::test_a_chain_that_was_good_yesterday_expires",
    ),
    Mutant(
        "comity/verification/issuer_key.py",
        "if names != (name,):",
        "if not any(san.startswith(name) for san in names):",
        f"{ISSUER_KEYS}::test_another_name_in_the_leaf_under_the_right_anchor",
    ),
    Mutant(
        "comity/verification/issuer_key.py",
        "if keys.thumbprint(method.jwk) not in pins:",
        "if not pins:",
        f"{ISSUER_KEYS}::test_a_key_that_the_registry_does_not_pin",
    ),
    Mutant(
        "comity/verification/issuer_key.py",
        'relationships={"assertionMethod"}',
        'relationships={"assertionMethod", "authentication"}',
        f"{ISSUER_KEYS}::test_a_key_under_another_relationship",
    ),
    Mutant(
        "comity/verification/issuer_key.py",
        "if did.parse(opened.key.did_url).did != identifier.id:",
        "if not identifier.id:",
        f"{ISSUER_KEYS}::test_trust_is_checked_on_the_issuer_whose_key_signed",
    ),
    Mutant(
        "comity/verification/presentation.py",
        "any(each.has_failed for each in examined) or any(c.outcome",
        "any(each.has_failed for each in examined) and any(c.outcome",
        f"{STATUS}::test_nobodys_status_is_asked_for_a_credential_that_is_refused",
    ),
    Mutant(
        "comity/verification/presentation.py",
        "if len(holders) != 1 or None in holders:",
        "if len(holders) != 1 and None in holders:",
        f"{PRESENTATION}::test_two_credentials_of_two_holders",
    ),
    Mutant(
        "comity/verification/presentation.py",
        "if name not in over}",
        "if name not in ()}",
        f"{PRESENTATION}::test_claims_disclosed_without_being_asked_for_are_dropped",
    ),
    Mutant(
        "comity/verification/status.py",
        "listed.issued_at < obtained.newest_issued_at:",
        "listed.issued_at > obtained.newest_issued_at:",
        f"{STATUS}::test_a_list_older_than_one_seen_before",
    ),
    Mutant(
        "comity/verification/status.py",
        "worst = min(answers, key=_severity)",
        "worst = max(answers, key=_severity)",
        f"{STATUS}::test_revoked_outranks_suspended_and_both_outrank_a_list_that_is_missing",
    ),
    Mutant(
        "comity/verification/status.py",
        'status.list_uri.startswith(signer.uri_prefix.rstrip("/") + "/"):',
        "status.list_uri.startswith(signer.uri_prefix):",
        f"{STATUS}::test_a_list_at_an_address_that_nobody_vouches_for_is_never_fetched",
    ),
    Mutant(
        "comity/verification/status.py",
        "if processed.unknown_status:\n        answers.append(",
        "if not processed.unknown_status:\n        answers.append(",
        f"{STATUS}::test_a_mechanism_that_is_not_known_beside_one_that_is",
    ),
    Mutant(
        "comity/verification/status.py",
        "jose.verify(opened.jws, signer.key)",
        "keys.public_key(keys.jwk_of_point(curve, point))",
        f"{STATUS_TOKENS}::test_a_flipped_bit",
    ),
    *(Mutant(*each) for each in presenting.FAULTS),
)
"""Every one of them must be seen."""
