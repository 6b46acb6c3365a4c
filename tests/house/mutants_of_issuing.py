"""Planted faults in issuing that is encrypted, decided later or repeated; see ``mutants.py``."""

from tests.house.mutants import Mutant

ENCRYPTION, DEFERRING = "tests/services/issuer/test_encryption.py", "tests/services/issuer/test_deferring.py"
RENEWING, WALLET_METADATA = "tests/services/issuer/test_renewing.py", "tests/services/wallet/test_metadata.py"
REFRESHING, WALLET_DEFERRED = "tests/services/issuer/test_refreshing.py", "tests/services/wallet/test_deferred.py"

ISSUING: tuple[Mutant, ...] = (
    # --- issuing: encrypted, decided later, once more
    Mutant(
        "comity/openid/issuance/encryption.py",
        "if not is_encrypted:",
        "if False:",
        f"{ENCRYPTION}::test_an_encrypted_answer_needs_an_encrypted_request",
    ),
    Mutant(
        "comity/openid/issuance/encryption.py",
        "if content_type != CONTENT_TYPE:",
        "if not content_type:",
        f"{WALLET_METADATA}::test_a_plain_answer_to_an_encrypted_request_is_refused",
    ),
    Mutant(
        "comity/openid/issuance/signed_metadata.py",
        "x509.validate_chain(chain, anchors, at)",
        "len(anchors)",
        f"{WALLET_METADATA}::test_a_certificate_under_another_anchor_is_refused",
    ),
    Mutant(
        "comity/openid/issuance/signed_metadata.py",
        "if x509.uri_sans(chain[0]) != (IssuerMetadata.url(credential_issuer),):",
        "if not chain:",
        f"{WALLET_METADATA}::test_the_key_of_credentials_signs_no_metadata",
    ),
    Mutant(
        "issuer/store/deferrals.py",
        "if offer.decision is not Decision.APPROVED:",
        "if offer.decision is Decision.DENIED:",
        f"{DEFERRING}::test_nothing_is_signed_without_an_approval",
    ),
    Mutant(
        "issuer/store/deferrals.py",
        "if set(earlier.holder_digests) != set(digests):",
        "if not digests:",
        f"{DEFERRING}::test_the_first_proof_decides_for_whose_key_it_is",
    ),
    Mutant(
        "issuer/store/redemption.py",
        "return true() if has_key else offers.c.decision.is_(None)",
        "return true()",
        f"{DEFERRING}::test_a_token_that_waits_is_bound_to_a_key",
    ),
    Mutant(
        "issuer/renewing.py",
        "or access.proof is None:",
        "or access.proof is False:",
        f"{RENEWING}::test_an_overheard_bearer_token_gets_nothing_for_other_keys",
    ),
    Mutant(
        "issuer/renewing.py",
        "if any(each is not Status.VALID for each in",
        "if all(each is not Status.VALID for each in",
        f"{RENEWING}::test_one_revoked_copy_is_enough",
    ),
    Mutant(
        "issuer/store/authorizations.py",
        "            refresh_tokens.c.used_at.is_(None),\n",
        "",
        f"{REFRESHING}::test_of_many_at_once_one_gets_a_token_and_then_nobody_has_any",
    ),
    Mutant(
        "wallet/deferred.py",
        'return datetime.fromisoformat(line["ask_after"]) <= now',
        'return bool(line["ask_after"])',
        f"{WALLET_DEFERRED}::test_it_is_asked_for_no_sooner_than_the_issuer_says",
    ),
)
