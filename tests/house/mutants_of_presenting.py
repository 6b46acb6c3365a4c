"""Planted faults in what asks, answers and confirms; see ``mutants.py`` for what each line says."""

TRANSACTIONS, CONFIRMED = "tests/attacks/test_transactions.py", "tests/unit/verification/test_transaction.py"
TRANSACTION_DATA = "tests/unit/openid/test_transaction_data.py"
WEBSITES = "tests/unit/openid/test_digital_credentials.py"
REGRESSIONS, FIXATION = "tests/attacks/test_named_regressions.py", "tests/services/verifier/test_session_fixation.py"

FAULTS: tuple[tuple[str, str, str, str], ...] = (
    # --- comity/verification
    (
        "comity/verification/transaction.py",
        "if any(confirmed[each.encoded] == 0 for each in asked):",
        "if all(confirmed[each.encoded] == 0 for each in asked):",
        f"{CONFIRMED}::test_absent",
    ),
    (
        "comity/verification/transaction.py",
        "if any(each not in mine for each in hashes):",
        "if all(each not in mine for each in hashes):",
        f"{CONFIRMED}::test_extra",
    ),
    (
        "comity/verification/transaction.py",
        "for each in asked if shown.query_id in each.credential_ids}",
        "for each in asked}",
        f"{CONFIRMED}::test_by_a_credential_that_may_not",
    ),
    (
        "comity/verification/presentation.py",
        "*check_transactions(demand.transactions, shown), ",
        "",
        f"{TRANSACTIONS}::test_another_amount",
    ),
    # --- comity/openid/presentation
    (
        "comity/openid/presentation/transaction_data.py",
        "if wrong := transactions.violations(name, fields):",
        "if (wrong := transactions.violations(name, fields)) and len(wrong) > 9:",
        f"{TRANSACTION_DATA}::test_what_is_not_known_in_full_is_refused",
    ),
    (
        "comity/openid/presentation/digital_credentials.py",
        "if origin not in verified.request.expected_origins:",
        "if not verified.request.expected_origins:",
        f"{WEBSITES}::test_signed",
    ),
    (
        "comity/openid/presentation/response.py",
        'if "kid" in private_jwk and answer.kid != private_jwk["kid"]:',
        'if answer.kid is not None and answer.kid != private_jwk["kid"]:',
        "tests/unit/openid/test_response.py::test_answer_without_kid",
    ),
    (
        "comity/openid/presentation/refused.py",
        "client_id.check_response_uri(client, response_uri)",
        "client_id.parse(client.text)",
        "tests/unit/openid/test_refused.py::test_an_elsewhere_is_not_told",
    ),
    (
        "comity/trust/attestation.py",
        'if keys.thumbprint(each) == jws.header.get("kid")), None)',
        "if True), None)",
        f"{REGRESSIONS}::test_the_same_in_what_a_jurisdiction_attests",
    ),
    # --- verifier
    (
        "verifier/same_device.py",
        "if is_lost or row.browser_hash is None or not _is(secret, row.browser_hash):",
        "if is_lost or row.browser_hash is None:",
        f"{FIXATION}::test_the_victims_answer_never_reaches_the_attacker",
    ),
)
