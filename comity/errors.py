"""One error tree for the whole house, and the stable codes that travel in it.

An exception means *could not process*; a verification that says no is not an exception but a
:class:`comity.verification.checks.Result`. ``detail`` is shown to people and written to logs: by contract it never
holds a claim value, a token or a key. Rendering happens only at the edge (``comity.web.problems`` and the CLIs).
"""

from enum import StrEnum


class Code(StrEnum):
    """Stable machine codes. Never renamed or removed; each is documented and translated (``tests/house``)."""

    # --- reading bytes
    MALFORMED = "malformed"
    MALFORMED_JSON = "malformed_json"
    DUPLICATE_MEMBER = "duplicate_member"
    MALFORMED_BASE64URL = "malformed_base64url"
    MALFORMED_JWS = "malformed_jws"
    MALFORMED_JWE = "malformed_jwe"
    MALFORMED_KEY = "malformed_key"
    PRIVATE_KEY_EXPOSED = "private_key_exposed"
    MALFORMED_CERTIFICATE = "malformed_certificate"
    MALFORMED_DID = "malformed_did"
    MALFORMED_QUERY = "malformed_query"
    TOO_LARGE = "too_large"
    FORMAT_UNKNOWN = "format_unknown"
    # --- signatures and keys
    ALGORITHM_NOT_ALLOWED = "algorithm_not_allowed"
    TYPE_NOT_ALLOWED = "type_not_allowed"
    CRITICAL_HEADER = "critical_header"
    SIGNATURE_INVALID = "signature_invalid"
    KEY_NOT_FOUND = "key_not_found"
    KEY_NOT_PINNED = "key_not_pinned"
    KEY_MECHANISM_NOT_ALLOWED = "key_mechanism_not_allowed"
    KEY_RELATIONSHIP_MISSING = "key_relationship_missing"
    KEY_REVOKED = "key_revoked"
    CERTIFICATE_UNTRUSTED = "certificate_untrusted"
    CERTIFICATE_EXPIRED = "certificate_expired"
    CERTIFICATE_ROOT_INCLUDED = "certificate_root_included"
    CERTIFICATE_NAME_MISMATCH = "certificate_name_mismatch"
    DID_DOCUMENT_MISMATCH = "did_document_mismatch"
    DID_METHOD_UNSUPPORTED = "did_method_unsupported"
    DID_UNRESOLVED = "did_unresolved"
    # --- credentials
    ISSUER_MISMATCH = "issuer_mismatch"
    CONTEXT_UNKNOWN = "context_unknown"
    CREDENTIAL_TYPE_UNKNOWN = "credential_type_unknown"
    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"
    TIME_MALFORMED = "time_malformed"
    DISCLOSURE_MALFORMED = "disclosure_malformed"
    DISCLOSURE_UNREFERENCED = "disclosure_unreferenced"
    DISCLOSURE_DUPLICATE = "disclosure_duplicate"
    DISCLOSURE_FORBIDDEN = "disclosure_forbidden"
    DIGEST_DUPLICATE = "digest_duplicate"
    HASH_NOT_ALLOWED = "hash_not_allowed"
    SCHEMA_VIOLATED = "schema_violated"
    # --- holder
    HOLDER_BINDING_MISSING = "holder_binding_missing"
    HOLDER_KEY_MISMATCH = "holder_key_mismatch"
    HOLDER_SIGNATURE_INVALID = "holder_signature_invalid"
    HOLDER_PROOF_MALFORMED = "holder_proof_malformed"
    HOLDER_PROOF_EXPIRED = "holder_proof_expired"
    HOLDER_KEYS_DIFFER = "holder_keys_differ"
    NONCE_MISMATCH = "nonce_mismatch"
    AUDIENCE_MISMATCH = "audience_mismatch"
    DISCLOSURES_NOT_BOUND = "disclosures_not_bound"
    # --- trust
    ISSUER_UNKNOWN = "issuer_unknown"
    ISSUER_WITHDRAWN = "issuer_withdrawn"
    NOT_ACCREDITED_FOR_TYPE = "not_accredited_for_type"
    NOT_ACCREDITED_ON_ISSUE_DAY = "not_accredited_on_issue_day"
    ISSUE_DAY_UNKNOWN = "issue_day_unknown"
    NOT_RECOGNISED_IN_PLACE = "not_recognised_in_place"
    RECOGNITION_UNKNOWN = "recognition_unknown"
    PLACE_UNKNOWN = "place_unknown"
    VERIFIER_UNKNOWN = "verifier_unknown"
    VERIFIER_NOT_ENTITLED = "verifier_not_entitled"
    REGISTRY_EXPIRED = "registry_expired"
    REGISTRY_UNAVAILABLE = "registry_unavailable"
    REGISTRY_INVALID = "registry_invalid"
    REGISTRY_ROLLBACK = "registry_rollback"
    REGISTRY_OUT_OF_PATH = "registry_out_of_path"
    # --- status
    REVOKED = "revoked"
    SUSPENDED = "suspended"
    STATUS_STALE = "status_stale"
    STATUS_UNAVAILABLE = "status_unavailable"
    STATUS_MISSING = "status_missing"
    STATUS_MECHANISM_UNKNOWN = "status_mechanism_unknown"
    STATUS_VALUE_UNKNOWN = "status_value_unknown"
    STATUS_LIST_INVALID = "status_list_invalid"
    STATUS_LIST_UNTRUSTED = "status_list_untrusted"
    STATUS_LIST_MISMATCH = "status_list_mismatch"
    STATUS_LIST_TOO_SHORT = "status_list_too_short"
    STATUS_LIST_EXPIRED = "status_list_expired"
    STATUS_LIST_ROLLED_BACK = "status_list_rolled_back"
    STATUS_INDEX_OUT_OF_RANGE = "status_index_out_of_range"
    # --- query and policy
    QUERY_NOT_SATISFIED = "query_not_satisfied"
    CREDENTIAL_NOT_REQUESTED = "credential_not_requested"
    AGE_REQUIREMENT_NOT_MET = "age_requirement_not_met"
    AGE_RULE_UNKNOWN = "age_rule_unknown"
    POLICY_NOT_MET = "policy_not_met"
    POLICY_UNKNOWN = "policy_unknown"
    # --- things a check says when it passed with a remark
    OK = "ok"
    WITHDRAWN_KEEPS_EFFECT = "withdrawn_keeps_effect"
    STATUS_FROM_CACHE = "status_from_cache"
    RECOGNISED_BY_DEFAULT = "recognised_by_default"
    NOT_NEEDED = "not_needed"
    NOT_REQUIRED = "not_required"
    HELD_WITHOUT_PROOF = "held_without_proof"
    STOPPED_EARLIER = "stopped_earlier"
    # --- protocols (issuing)
    OFFER_UNKNOWN = "offer_unknown"
    OFFER_EXPIRED = "offer_expired"
    OFFER_INVALID = "offer_invalid"
    CODE_ALREADY_USED = "code_already_used"
    IDEMPOTENCY_KEY_REUSED = "idempotency_key_reused"
    TRANSACTION_CODE_WRONG = "transaction_code_wrong"
    TRANSACTION_CODE_REQUIRED = "transaction_code_required"
    TRANSACTION_CODE_ATTEMPTS_EXHAUSTED = "transaction_code_attempts_exhausted"
    NONCE_INVALID = "nonce_invalid"
    NONCE_NEEDED = "nonce_needed"
    PROOF_INVALID = "proof_invalid"
    DPOP_PROOF_INVALID = "dpop_proof_invalid"
    CLIENT_NOT_AUTHENTICATED = "client_not_authenticated"
    CLIENT_ATTESTATION_INVALID = "client_attestation_invalid"
    CLIENT_ASSERTION_INVALID = "client_assertion_invalid"
    KEY_ATTESTATION_INVALID = "key_attestation_invalid"
    TOKEN_INVALID = "token_invalid"
    CREDENTIAL_CONFIGURATION_UNKNOWN = "credential_configuration_unknown"
    BATCH_TOO_LARGE = "batch_too_large"
    AUTHORITY_UNKNOWN = "authority_unknown"
    CLAIMS_INVALID = "claims_invalid"
    CREDENTIAL_UNKNOWN = "credential_unknown"
    STATUS_CHANGE_NOT_ALLOWED = "status_change_not_allowed"
    STATUS_LISTS_FULL = "status_lists_full"
    METADATA_INVALID = "metadata_invalid"
    ISSUER_REFUSED = "issuer_refused"
    SIGN_IN_FAILED = "sign_in_failed"
    SIGN_IN_NEEDED = "sign_in_needed"
    # --- protocols (presenting and verifying)
    REQUEST_UNKNOWN = "request_unknown"
    REQUEST_EXPIRED = "request_expired"
    REQUEST_ALREADY_ANSWERED = "request_already_answered"
    REQUEST_INVALID = "request_invalid"
    RESPONSE_CODE_INVALID = "response_code_invalid"
    RESPONSE_INVALID = "response_invalid"
    RESPONSE_NOT_ENCRYPTED = "response_not_encrypted"
    DECRYPTION_FAILED = "decryption_failed"
    STATE_MISMATCH = "state_mismatch"
    CLIENT_MISMATCH = "client_mismatch"
    NO_MATCHING_CREDENTIAL = "no_matching_credential"
    CONSENT_REQUIRED = "consent_required"
    CONSENT_CHANGED = "consent_changed"
    WALLET_REFUSED = "wallet_refused"
    TRANSACTION_DATA_INVALID = "transaction_data_invalid"
    TRANSACTION_NOT_CONFIRMED = "transaction_not_confirmed"
    TRANSACTION_DIFFERS = "transaction_differs"
    ORIGIN_MISMATCH = "origin_mismatch"
    SESSION_MISMATCH = "session_mismatch"
    CLIENT_UNKNOWN = "client_unknown"
    REDIRECT_URI_UNKNOWN = "redirect_uri_unknown"
    SIGN_IN_ELSEWHERE = "sign_in_elsewhere"
    ENTITLEMENT_INVALID = "entitlement_invalid"
    ENTITLEMENT_EXPIRED = "entitlement_expired"
    ENTITLEMENT_SIGNER_UNKNOWN = "entitlement_signer_unknown"
    VERIFIER_ATTESTATION_INVALID = "verifier_attestation_invalid"
    VERIFIER_ATTESTATION_EXPIRED = "verifier_attestation_expired"
    VERIFIER_ATTESTER_UNKNOWN = "verifier_attester_unknown"
    # --- vault and accounts
    VAULT_LOCKED = "vault_locked"
    PASSPHRASE_WRONG = "passphrase_wrong"
    PAIRING_CODE_INVALID = "pairing_code_invalid"
    PASSPHRASE_TOO_SHORT = "passphrase_too_short"
    RECORD_TAMPERED = "record_tampered"
    ACCOUNT_EXISTS = "account_exists"
    ISSUER_NOT_RECOGNISED = "issuer_not_recognised"
    CREDENTIAL_REFUSED = "credential_refused"
    KEY_NOT_SHARED = "key_not_shared"
    # --- web and operations
    NOT_AUTHENTICATED = "not_authenticated"
    NOT_PERMITTED = "not_permitted"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    TOO_MANY_ATTEMPTS = "too_many_attempts"
    UNREACHABLE = "unreachable"
    ADDRESS_NOT_PUBLIC = "address_not_public"
    URL_NOT_ALLOWED = "url_not_allowed"
    REDIRECT_REFUSED = "redirect_refused"
    CONTENT_TYPE_WRONG = "content_type_wrong"
    MISCONFIGURED = "misconfigured"
    DEMO_RUNNING = "demo_running"
    BUSY = "busy"
    INTERNAL = "internal"


class ComityError(Exception):
    """Base of everything the house raises on purpose.

    Attributes:
        code: what happened, for machines.
        detail: one plain sentence for people; never a claim value, a token or a key.
    """

    def __init__(self, code: Code, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else str(code))
        self.code = code
        self.detail = detail


class Malformed(ComityError):
    """The other side's bytes are not what they must be. Nothing was changed."""


class NotFound(ComityError):
    """The thing named does not exist, or not for the one who asks."""


class Conflict(ComityError):
    """The thing exists but its state does not allow this (used already, expired, revoked)."""


class Denied(ComityError):
    """The one who asks may not do this."""


class Unreachable(ComityError):
    """Another party could not be reached. ``retry_after`` is in seconds when known."""

    def __init__(self, code: Code, detail: str = "", *, retry_after: int | None = None) -> None:
        super().__init__(code, detail)
        self.retry_after = retry_after


class Misconfigured(ComityError):
    """This installation cannot work as it is set up; said at start, not at the first request."""
