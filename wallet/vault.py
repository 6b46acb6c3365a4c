"""The citizen's vault: one random data key, wrapped independently by each way of unlocking (decision record 0009).

Unlocking *decrypts*; it never flips a flag. Whoever replaces a slot's record gains nothing, since the data key does not
come out of it (catalogue K02). Every record has its own key, and is bound to its citizen, kind, name and version, so
that two records cannot change places and an old one cannot pass for the new one (K04). Not noticed: a whole row put
back together with its version number, or taken away, by whoever can write to the database.

A service adds a pepper that is not in its database, so that a stolen database alone cannot be guessed at (K01). A local
file has none and makes each guess cost more memory instead.
"""

import base64
import hashlib
import hmac
import secrets
import unicodedata
from typing import Any

from argon2.low_level import Type, hash_secret_raw
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from msgspec import Struct

from comity import base64url
from comity.errors import Code, Denied, Malformed

KEY_BYTES = 32
NONCE_BYTES = 12
SALT_BYTES = 16
COMMITMENT_BYTES = 32
TAG_BYTES = 16
RECOVERY_BYTES = 20
MINIMUM_PASSPHRASE = 10
"""Shortest passphrase, in characters after NFKC. Length is asked for, no mixture of signs (NIST SP 800-63B)."""


class Cost(Struct, frozen=True, kw_only=True):
    """What one guess of a passphrase costs (Argon2id, RFC 9106).

    Attributes:
        memory_kib: memory.
        passes: passes over it.
        lanes: parallel lanes.
    """

    memory_kib: int
    passes: int
    lanes: int

    @property
    def is_possible(self) -> bool:
        """Whether Argon2id takes these (RFC 9106 §3.1: eight KiB a lane), and they are not above :data:`MOST`."""
        is_enough = self.passes >= 1 and self.lanes >= 1 and self.memory_kib >= _MEMORY_OF_A_LANE * self.lanes
        is_bearable = self.memory_kib <= MOST.memory_kib and self.passes <= MOST.passes and self.lanes <= MOST.lanes
        return is_enough and is_bearable


SERVICE_COST = Cost(memory_kib=19 * 1024, passes=2, lanes=1)
"""Beside a pepper (OWASP's floor)."""
LOCAL_COST = Cost(memory_kib=64 * 1024, passes=3, lanes=4)
"""Without one (RFC 9106, second recommended option)."""
MOST = Cost(memory_kib=128 * 1024, passes=8, lanes=8)
"""The most that is spent on a slot that somebody brings: an import must not hold up everybody else's unlocking."""
_MEMORY_OF_A_LANE = 8
_NO_STRETCH = Cost(memory_kib=8, passes=1, lanes=1)

PASSPHRASE, RECOVERY, PASSKEY = "passphrase", "recovery", "passkey"
"""Kinds of slots. There may be several passkeys: their kinds go on with a point and the passkey's own name."""


class Slot(Struct, frozen=True, kw_only=True):
    """One way to unlock: the data key, wrapped.

    Attributes:
        kind: ``passphrase``, ``recovery``, or ``passkey.`` with a name.
        salt: of the key derivation.
        cost: of the key derivation, kept with the slot so that it can grow.
        wrapped: nonce and ciphertext of the data key.
    """

    kind: str
    salt: bytes
    cost: Cost
    wrapped: bytes

    def to_dict(self) -> dict[str, Any]:
        """Return the slot as JSON values."""
        return {
            "kind": self.kind,
            "salt": base64url.encode(self.salt),
            "cost": [self.cost.memory_kib, self.cost.passes, self.cost.lanes],
            "wrapped": base64url.encode(self.wrapped),
        }

    @classmethod
    def from_dict(cls, members: dict[str, Any]) -> "Slot":
        """Read a slot; raises ``Malformed(record_tampered)``."""
        try:
            memory_kib, passes, lanes = (int(each) for each in members["cost"])
            salt, cost = base64url.decode(members["salt"]), Cost(memory_kib=memory_kib, passes=passes, lanes=lanes)
            if not cost.is_possible or len(salt) != SALT_BYTES:
                raise ValueError("cost")
            kind, wrapped = str(members["kind"]), base64url.decode(members["wrapped"])
            return cls(kind=kind, salt=salt, cost=cost, wrapped=wrapped)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise Malformed(Code.RECORD_TAMPERED, "a key slot is not what was stored") from None


def new_data_key() -> bytes:
    """Return a new random data key."""
    return secrets.token_bytes(KEY_BYTES)


def new_recovery_code() -> str:
    """Return a recovery code of 160 random bits, shown to the citizen once: groups of four, base32."""
    text = base64.b32encode(secrets.token_bytes(RECOVERY_BYTES)).decode("ascii")
    return "-".join(text[start : start + 4] for start in range(0, len(text), 4))


def passphrase_slot(data_key: bytes, passphrase: str, *, citizen: str, pepper: bytes | None) -> Slot:
    """Return a slot that ``passphrase`` opens. Slow on purpose: call it in a thread.

    Raises:
        Malformed: ``passphrase_too_short``.
    """
    text = unicodedata.normalize("NFKC", passphrase)
    if len(text) < MINIMUM_PASSPHRASE:
        raise Malformed(Code.PASSPHRASE_TOO_SHORT, f"a passphrase has at least {MINIMUM_PASSPHRASE} characters")
    secret, cost = _secret(PASSPHRASE, passphrase), _cost(PASSPHRASE, pepper)
    return _wrap(PASSPHRASE, data_key, secret, cost=cost, citizen=citizen, pepper=pepper)


def recovery_slot(data_key: bytes, code: str, *, citizen: str, pepper: bytes | None) -> Slot:
    """Return a slot that the recovery ``code`` opens; 160 random bits need no stretching."""
    secret, cost = _secret(RECOVERY, code), _cost(RECOVERY, pepper)
    return _wrap(RECOVERY, data_key, secret, cost=cost, citizen=citizen, pepper=pepper)


def passkey_slot(data_key: bytes, secret: str, *, kind: str, citizen: str, pepper: bytes | None) -> Slot:
    """Return a slot that the secret of an authenticator opens: 32 bytes of its PRF (WebAuthn §10.1.4), base64url."""
    return _wrap(kind, data_key, _secret(kind, secret), cost=_NO_STRETCH, citizen=citizen, pepper=pepper)


def decoy_slot(kind: str, *, pepper: bytes | None) -> Slot:
    """Return a slot that nothing opens, at the same cost as a real one: for accounts that do not exist (W12)."""
    wrapped = secrets.token_bytes(NONCE_BYTES + KEY_BYTES + TAG_BYTES)
    return Slot(kind=kind, salt=secrets.token_bytes(SALT_BYTES), cost=_cost(kind, pepper), wrapped=wrapped)


def unlock(slot: Slot, secret: str, *, citizen: str, pepper: bytes | None) -> bytes:
    """Return the data key. Slow on purpose for a passphrase: call it in a thread.

    Raises:
        Denied: ``passphrase_wrong``: this secret does not open this slot, or the slot was changed.
    """
    key = _slot_key(_secret(slot.kind, secret), slot.salt, slot.cost, pepper)
    try:
        return AESGCM(key).decrypt(
            slot.wrapped[:NONCE_BYTES], slot.wrapped[NONCE_BYTES:], _slot_name(slot.kind, citizen)
        )
    except (InvalidTag, ValueError):
        raise Denied(Code.PASSPHRASE_WRONG, "this does not open the wallet") from None


def seal(data_key: bytes, plaintext: bytes, *, citizen: str, kind: str, record: str, version: int) -> bytes:
    """Return ``plaintext`` encrypted as one record: commitment, nonce, ciphertext under the record's own key."""
    key, commitment = _record_keys(data_key, kind, record)
    nonce = secrets.token_bytes(NONCE_BYTES)
    sealed = AESGCM(key).encrypt(nonce, plaintext, _record_name(citizen, kind, record, version))
    return commitment + nonce + sealed


def unseal(data_key: bytes, sealed: bytes, *, citizen: str, kind: str, record: str, version: int) -> bytes:
    """Return what was sealed.

    Raises:
        Malformed: ``record_tampered``: changed, moved, an older version, or another wallet's.
    """
    key, commitment = _record_keys(data_key, kind, record)
    start = COMMITMENT_BYTES + NONCE_BYTES
    if not hmac.compare_digest(sealed[:COMMITMENT_BYTES], commitment):
        raise Malformed(Code.RECORD_TAMPERED, "a record of the wallet is not what was stored")
    try:
        name = _record_name(citizen, kind, record, version)
        return AESGCM(key).decrypt(sealed[COMMITMENT_BYTES:start], sealed[start:], name)
    except (InvalidTag, ValueError):
        raise Malformed(Code.RECORD_TAMPERED, "a record of the wallet is not what was stored") from None


def wrap_for_session(data_key: bytes, session_key: bytes, *, session: str) -> bytes:
    """Return the data key wrapped under a key that only the citizen's cookie holds."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + AESGCM(session_key).encrypt(nonce, data_key, f"wallet/session/{session}".encode())


def unwrap_for_session(wrapped: bytes, session_key: bytes, *, session: str) -> bytes:
    """Return the data key.

    Raises:
        Denied: ``vault_locked``: the cookie's key does not open this session.
    """
    try:
        name = f"wallet/session/{session}".encode()
        return AESGCM(session_key).decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], name)
    except (InvalidTag, ValueError):
        raise Denied(Code.VAULT_LOCKED, "the wallet is locked; unlock it again") from None


def _wrap(kind: str, data_key: bytes, secret: bytes, *, cost: Cost, citizen: str, pepper: bytes | None) -> Slot:
    salt, nonce = secrets.token_bytes(SALT_BYTES), secrets.token_bytes(NONCE_BYTES)
    key = _slot_key(secret, salt, cost, pepper)
    wrapped = nonce + AESGCM(key).encrypt(nonce, data_key, _slot_name(kind, citizen))
    return Slot(kind=kind, salt=salt, cost=cost, wrapped=wrapped)


def _slot_key(secret: bytes, salt: bytes, cost: Cost, pepper: bytes | None) -> bytes:
    stretched = hash_secret_raw(
        secret, salt, time_cost=cost.passes, memory_cost=cost.memory_kib, parallelism=cost.lanes,
        hash_len=KEY_BYTES, type=Type.ID,
    )  # fmt: skip
    peppered = hmac.digest(pepper, stretched, "sha256") if pepper is not None else stretched
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=salt, info=b"wallet/slot").derive(peppered)


def _record_keys(data_key: bytes, kind: str, record: str) -> tuple[bytes, bytes]:
    """Return the record's key, and a commitment to it: GCM alone lets one ciphertext open under two keys (K05)."""
    info = f"wallet/record/{kind}/{record}".encode()
    both = HKDF(algorithm=SHA256(), length=KEY_BYTES + COMMITMENT_BYTES, salt=None, info=info).derive(data_key)
    return both[:KEY_BYTES], hashlib.sha256(both[KEY_BYTES:]).digest()


def _record_name(citizen: str, kind: str, record: str, version: int) -> bytes:
    return "\0".join(("wallet", citizen, kind, record, str(version))).encode()


def _slot_name(kind: str, citizen: str) -> bytes:
    return "\0".join(("wallet", citizen, "slot", kind)).encode()


def _secret(kind: str, text: str) -> bytes:
    """Return what is stretched: a code without its dashes, or a passphrase as every keyboard would spell it."""
    plain = unicodedata.normalize("NFKC", text)
    if kind == RECOVERY:
        plain = plain.replace("-", "").replace(" ", "").upper()
    return plain.encode("utf-8", "surrogatepass")


def _cost(kind: str, pepper: bytes | None) -> Cost:
    if kind == RECOVERY:
        return _NO_STRETCH
    return SERVICE_COST if pepper is not None else LOCAL_COST
