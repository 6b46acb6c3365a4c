"""Planted faults in what wallets, issuers and verifiers tell each other, seen by unit tests; for ``mutants.py``."""

ATTESTED = "tests/unit/openid/test_verifier_attestation.py"
AUTHORIZATION = "tests/unit/openid/test_authorization.py"
BY_DID = "tests/unit/openid/test_request_by_did.py"
CLIENT_ASSERTION = "tests/unit/openid/test_client_assertion.py"
CLIENT_ATTESTATION = "tests/unit/openid/test_client_attestation.py"
DPOP = "tests/unit/openid/test_dpop.py"
ENCRYPTION = "tests/unit/openid/test_encryption.py"
KEY_ATTESTATION = "tests/unit/openid/test_key_attestation.py"
KEY_PROOF = "tests/unit/openid/test_key_proof.py"
PKCE = "tests/unit/openid/test_pkce.py"
REQUEST = "tests/unit/openid/test_request.py"
TRANSACTION_DATA = "tests/unit/openid/test_transaction_data.py"
VERIFIER_INFO = "tests/unit/openid/test_verifier_info.py"
WEBSITES = "tests/unit/openid/test_digital_credentials.py"

FLOWS: tuple[tuple[str, str, str, str], ...] = (
    (
        "comity/openid/dpop.py",
        'if claims.string("htm") != method:',
        'if claims.string("htm").upper() != method:',
        f"{DPOP}::test_htm",
    ),
    (
        "comity/openid/dpop.py",
        "        jose.verify(jws, key)\n",
        "",
        f"{DPOP}::test_signature",
    ),
    (
        "comity/openid/dpop.py",
        "if issued_at < at - MAX_AGE:",
        "if issued_at < at - 2 * MAX_AGE:",
        f"{DPOP}::test_iat_is_judged_where_there_are_no_nonces",
    ),
    (
        "comity/openid/client_attestation.py",
        "if named != thumbprint:",
        "if not named:",
        f"{CLIENT_ATTESTATION}::test_in_combined_mode_the_dpop_proof_is_by_the_attested_key",
    ),
    (
        "comity/openid/client_attestation.py",
        "if (at - begins_at if begins_at else expires_at - at) > max_age:",
        "if begins_at and at - begins_at > max_age:",
        f"{CLIENT_ATTESTATION}::test_an_attestation_that_is_not_fresh",
    ),
    (
        "comity/openid/client_attestation.py",
        'if claims.optional_string("iss") not in {None, subject}:',
        'if claims.optional_string("iss") == "":',
        f"{CLIENT_ATTESTATION}::test_a_proof_of_another_client",
    ),
    (
        "comity/openid/client_assertion.py",
        'if claims.string("aud") != audience:',
        'if not claims.string("aud").startswith(audience):',
        f"{CLIENT_ASSERTION}::test_audience",
    ),
    (
        "comity/openid/key_attestation.py",
        "if not check_nonce(nonce):",
        "if not nonce:",
        f"{KEY_ATTESTATION}::test_nonces",
    ),
    (
        "comity/openid/key_attestation.py",
        'claims.instant("exp") if must_end else',
        'claims.instant("exp") if False else',
        f"{KEY_ATTESTATION}::test_times",
    ),
    (
        "comity/openid/key_proof.py",
        "if found.thumbprint in seen:",
        "if proof in seen:",
        f"{KEY_PROOF}::test_batch_is_all_or_nothing_and_names_the_bad_one",
    ),
    (
        "comity/openid/key_proof.py",
        "if thumbprint not in seen and len(found) < most:",
        "if thumbprint not in seen:",
        f"{KEY_ATTESTATION}::test_one_more_credential_for_each_further_key",
    ),
    (
        "comity/openid/pkce.py",
        "return is_verifier(verifier) and hmac",
        "return bool(verifier) and hmac",
        f"{PKCE}::test_what_is_no_verifier_proves_nothing_even_where_the_hash_fits",
    ),
    (
        "comity/openid/authorization.py",
        'fields.get("code_challenge_method") != pkce.METHOD',
        'fields.get("code_challenge_method", pkce.METHOD) != pkce.METHOD',
        f"{AUTHORIZATION}::test_what_is_no_pushed_request_for_a_code",
    ),
    (
        "comity/openid/authorization.py",
        'if "request_uri" in fields:',
        'if fields.get("request_uri") == "":',
        f"{AUTHORIZATION}::test_what_is_no_pushed_request_for_a_code",
    ),
    (
        "comity/openid/authorization.py",
        "return host in _LOOPBACK if parts.scheme",
        "return bool(host) if parts.scheme",
        f"{AUTHORIZATION}::test_where_no_browser_is_sent",
    ),
    (
        "comity/openid/code_flow.py",
        "for each in (authorization, pushed) if each",
        "for each in (authorization,) if each",
        f"{AUTHORIZATION}::test_endpoints_of_somebody_else_are_refused",
    ),
    (
        "comity/openid/issuance/encryption.py",
        'if jwk.value.get("crv") != "P-256":',
        'if not jwk.value.get("crv"):',
        f"{ENCRYPTION}::test_an_answer_is_encrypted_to_a_key_on_the_one_curve_only",
    ),
    (
        "comity/openid/issuance/deferred.py",
        "AnswerKey.parse(answer, is_encrypted=is_encrypted)",
        "AnswerKey.parse(answer, is_encrypted=True)",
        f"{ENCRYPTION}::test_a_deferred_answer_is_encrypted_for_an_encrypted_request_only",
    ),
    (
        "comity/openid/presentation/request.py",
        "        client_id.check_certificate(asked.client, chain)\n",
        "",
        f"{REQUEST}::test_somebody_elses_certificate",
    ),
    (
        "comity/openid/presentation/request.py",
        "request.wallet_nonce != asked.wallet_nonce:",
        "not request.wallet_nonce:",
        f"{REQUEST}::test_wallet_nonce",
    ),
    (
        "comity/openid/presentation/request.py",
        'if kid.split("#", maxsplit=1)[0] != identifier or "#" not in kid:',
        'if "#" not in kid:',
        f"{BY_DID}::test_a_key_of_another_did",
    ),
    (
        "comity/openid/presentation/verifier_attestation.py",
        "if found.subject != subject:",
        "if not found.subject:",
        f"{ATTESTED}::test_each_defect_is_refused_and_its_good_twin_is_not",
    ),
    (
        "comity/openid/presentation/verifier_info.py",
        'if each.string("format") == ENTITLEMENT)',
        'if each.string("format"))',
        f"{VERIFIER_INFO}::test_other_formats_are_ignored",
    ),
    (
        "comity/openid/presentation/transaction_data.py",
        'hashlib.sha256(encoded.encode("ascii"))',
        "hashlib.sha256(base64url.decode(encoded))",
        f"{TRANSACTION_DATA}::test_the_hash_is_over_the_text_as_received",
    ),
    (
        "comity/openid/presentation/digital_credentials.py",
        "    _check_origins(asked.expected_origins)\n",
        "",
        f"{WEBSITES}::test_an_origin_that_is_none",
    ),
)
"""DPoP, attestations, assertions, batches, the code flow, encryption, requests and who vouches for them."""
