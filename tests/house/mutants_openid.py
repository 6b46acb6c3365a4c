"""Planted faults in the messages of ``comity/openid``, for ``mutants.py``: file, old text, new text, who sees it."""

DPOP, CLIENT_ASSERTION = "tests/unit/openid/test_dpop.py", "tests/unit/openid/test_client_assertion.py"
CLIENT_ATTESTATION = "tests/unit/openid/test_client_attestation.py"
KEY_ATTESTATION = "tests/unit/openid/test_key_attestation.py"

MESSAGES: tuple[tuple[str, str, str, str], ...] = (
    (
        "comity/openid/dpop.py",
        "    if len(fields) != 1:",
        "    if not fields:",
        f"{DPOP}::test_one_header",
    ),
    (
        "comity/openid/dpop.py",
        "is not None and target == _target(url))",
        "is not None)",
        f"{DPOP}::test_htu",
    ),
    (
        "comity/openid/dpop.py",
        'if access_token is not None and claims.string("ath") != hash_of(access_token):',
        'if access_token is not None and not claims.string("ath"):',
        f"{DPOP}::test_ath",
    ),
    (
        "comity/openid/dpop.py",
        "if bound is not None and thumbprint != bound:",
        "if bound is not None and not thumbprint:",
        f"{DPOP}::test_the_key_is_the_one_of_the_token",
    ),
    (
        "comity/openid/dpop.py",
        "(nonce is None or not check_nonce(nonce)):",
        "(nonce is not None and not check_nonce(nonce)):",
        f"{DPOP}::test_nonce",
    ),
    (
        "comity/openid/attester.py",
        "    jose.verify(jws, key)\n",
        "",
        f"{CLIENT_ATTESTATION}::test_whose_signature_counts",
    ),
    (
        "comity/openid/attester.py",
        "x509.validate_chain(chain, attester.anchors, at)",
        "attester.anchors[0]",
        f"{CLIENT_ATTESTATION}::test_certificates",
    ),
    (
        "comity/openid/client_attestation.py",
        "if len(attestations) != 1 or len(proofs) != 1:",
        "if not attestations or not proofs:",
        f"{CLIENT_ATTESTATION}::test_one_header_field_each",
    ),
    (
        "comity/openid/client_attestation.py",
        "if subject not in signed.attester.client_ids:",
        "if not signed.attester.client_ids:",
        f"{CLIENT_ATTESTATION}::test_an_attester_speaks_for_its_own_clients_only",
    ),
    (
        "comity/openid/client_attestation.py",
        "jose.verify(jws, keys.public_key(instance_jwk))",
        "keys.public_key(instance_jwk)",
        f"{CLIENT_ATTESTATION}::test_a_proof_by_another_key",
    ),
    (
        "comity/openid/client_attestation.py",
        'if claims.value.get("aud") not in (audience, [audience]):',
        'if audience not in claims.value.get("aud"):',
        f"{CLIENT_ATTESTATION}::test_a_proof_for_another_server",
    ),
    (
        "comity/openid/client_attestation.py",
        "(challenge is None or not check_challenge(challenge)):",
        "(challenge is not None and not check_challenge(challenge)):",
        f"{CLIENT_ATTESTATION}::test_challenges",
    ),
    (
        "comity/openid/client_attestation.py",
        "if jwk == keys.public_jwk(signed.key):",
        "if not jwk:",
        f"{CLIENT_ATTESTATION}::test_the_instance_key",
    ),
    (
        "comity/openid/client_assertion.py",
        'registered.get(claims.string("sub"), {})',
        "next(iter(registered.values()))",
        f"{CLIENT_ASSERTION}::test_the_key_of_one_client_does_not_speak_for_another",
    ),
    (
        "comity/openid/client_assertion.py",
        "if expires_at > at + MAX_LIFETIME:",
        "if expires_at > at + 2 * MAX_LIFETIME:",
        f"{CLIENT_ASSERTION}::test_times",
    ),
    (
        "comity/openid/key_attestation.py",
        "if len(set(thumbprints)) != len(thumbprints):",
        "if not thumbprints:",
        f"{KEY_ATTESTATION}::test_the_attested_keys",
    ),
    (
        "comity/openid/key_attestation.py",
        "if rules.demand is not None and not rules.demand.is_met_by(*stated):",
        "if rules.demand is not None and not stated:",
        f"{KEY_ATTESTATION}::test_what_is_demanded",
    ),
    (
        "comity/openid/key_proof.py",
        "if attestation is not None and jwk not in attestation.jwks:",
        "if attestation is not None and not attestation.jwks:",
        f"{KEY_ATTESTATION}::test_the_key_of_the_proof_is_an_attested_one",
    ),
)
"""Deciding checks of DPoP, client attestations and assertions, key attestations and key proofs."""
