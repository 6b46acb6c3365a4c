"""Passkeys that open the vault: WebAuthn with the PRF extension (WebAuthn Level 3 §10.1.4).

A signature alone opens nothing here, because unlocking decrypts. The authenticator therefore also computes 32 secret
bytes that only it can compute again, and they wrap the data key in a slot of their own. An authenticator without PRF
cannot be a key to the vault, and the person is told so.

What is stored: the public key and the counter, beside the wrapped data key. The secret passes through this service as
a passphrase does, and is kept nowhere.
"""

import hashlib
import secrets
from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from msgspec import Struct

from comity import base64url, strict_json
from comity.errors import Code, Conflict, Denied, Malformed
from comity.ports import Clock
from comity.runtime.database import Database
from wallet import passkey_store, store
from wallet.custody import Custody, account_name, new_citizen
from wallet.records import OpenWallet
from wallet.vault import PASSKEY, Slot

if TYPE_CHECKING:
    from webauthn.registration.verify_registration_response import VerifiedRegistration

CHALLENGE_BYTES = 32
CHALLENGE_LIFE = timedelta(minutes=5)
SECRET_BYTES = 32
MOST = 10
MAX_LABEL = 60
_DISPLAY = "comity wallet"
_REGISTER, _SIGN_IN, _ACCOUNT = "register", "sign in", "account"


class Passkey(Struct, frozen=True, kw_only=True):
    """One passkey of an account, as its owner sees it."""

    name: str
    label: str
    added_on: str


class Passkeys(Struct, frozen=True, kw_only=True):
    """The use case, with what it needs.

    Attributes:
        origin: the wallet's origin, which the authenticator signs.
        host: the relying party id.
    """

    database: Database
    clock: Clock
    custody: Custody
    origin: str
    host: str

    @classmethod
    def of(cls, database: Database, clock: Clock, custody: Custody, public_url: str) -> "Passkeys":
        """Return the passkeys of the wallet at ``public_url``."""
        parts = urlsplit(public_url)
        origin = f"{parts.scheme}://{parts.netloc}"
        return cls(database=database, clock=clock, custody=custody, origin=origin, host=parts.hostname or "")

    # --- adding one

    async def begin(self, wallet: OpenWallet) -> dict[str, Any]:
        """Return what ``navigator.credentials.create`` is asked (WebAuthn §5.4), with the PRF input.

        Raises:
            Conflict: the account has as many passkeys as it may.
        """
        kept = await self._kept(wallet.citizen)
        if len(kept) >= MOST:
            raise Conflict(Code.CONFLICT, f"an account has at most {MOST} passkeys; remove one first")
        name = await self.database.read(partial(store.name_of, citizen_id=wallet.citizen))
        known = [base64url.decode(each["credential_id"]) for each in kept.values()]
        return await self._question_for(_REGISTER, wallet.citizen, name or _DISPLAY, known)

    async def add(self, wallet: OpenWallet, answer: Mapping[str, Any], secret: str, label: str) -> None:
        """Verify a new passkey (WebAuthn §7.1) and let it open the vault.

        Raises:
            Denied: ``not_permitted``: the answer is not to a question of ours, or not from this origin.
            Malformed: the secret is not one of 32 bytes; the label is too long.
        """
        _check_secret(secret)
        if len(label) > MAX_LABEL:
            raise Malformed(Code.TOO_LARGE, f"a passkey's name has at most {MAX_LABEL} characters")
        verified = await self._registered(answer, _REGISTER, wallet.citizen)
        kind, text = self._slot(wallet, verified, secret, label)
        await self.database.write(partial(passkey_store.add_slot, citizen_id=wallet.citizen, kind=kind, slot=text))

    # --- an account that begins with one

    async def begin_account(self, name: str) -> dict[str, Any]:
        """Return as :meth:`begin`, for an account to be; ``user.id`` is its identifier and comes back with the answer.

        Raises:
            Malformed: the name is none.
        """
        return await self._question_for(_ACCOUNT, new_citizen(), account_name(name), [])

    async def open_account(
        self, name: str, user: str, answer: Mapping[str, Any], secret: str
    ) -> tuple[OpenWallet, str]:
        """Verify a new passkey (WebAuthn §7.1) and open an account with it; returns the wallet and the recovery code.

        ``user`` is the ``user.id`` of the question: an answer to a question about somebody else is none.

        Raises:
            Denied: as for :meth:`add`.
            Malformed: the secret is not one of 32 bytes; the name is none.
            Conflict: ``account_exists``.
        """
        _check_secret(secret)
        citizen = base64url.decode(user).decode("utf-8", "replace")
        verified = await self._registered(answer, _ACCOUNT, citizen)
        return await self.custody.create_with(
            name, citizen, lambda wallet: self._slot(wallet, verified, secret, label="")
        )

    # --- unlocking with one

    async def begin_sign_in(self) -> dict[str, Any]:
        """Return what ``navigator.credentials.get`` is asked; whose passkey it is, the authenticator says."""
        from webauthn import generate_authentication_options, options_to_json  # noqa: PLC0415  (comity.web.later says why)
        from webauthn.helpers.structs import UserVerificationRequirement  # noqa: PLC0415

        options = generate_authentication_options(
            rp_id=self.host,
            challenge=await self._challenge(_SIGN_IN, ""),
            user_verification=UserVerificationRequirement.REQUIRED,
        )
        return self._with_prf(options_to_json(options))

    async def sign_in(self, answer: Mapping[str, Any], secret: str) -> OpenWallet:
        """Verify a passkey's signature (WebAuthn §7.2) and unlock with its secret.

        Raises:
            Denied: ``passphrase_wrong``: no such passkey, another origin, an old or used challenge, a wrong
                signature, a counter that went back (a copied authenticator), or a secret that opens nothing.
        """
        from webauthn import verify_authentication_response  # noqa: PLC0415  (comity.web.later says why)
        from webauthn.helpers.exceptions import WebAuthnException  # noqa: PLC0415

        _check_secret(secret)
        challenge = await self._used(answer, _SIGN_IN, "")
        citizen, kind, text = await self._named(answer)
        members = strict_json.parse_object(text)
        about = dict(members[PASSKEY])
        try:
            verified = verify_authentication_response(
                credential=dict(answer),
                expected_challenge=challenge,
                expected_rp_id=self.host,
                expected_origin=self.origin,
                credential_public_key=base64url.decode(about["public_key"]),
                credential_current_sign_count=int(about["sign_count"]),
                require_user_verification=True,
            )
        except (WebAuthnException, ValueError, KeyError, TypeError):
            raise _wrong() from None
        wallet = await self.custody.unlock_slot(citizen, Slot.from_dict(members), secret)
        about["sign_count"] = verified.new_sign_count
        after = strict_json.serialise({**members, PASSKEY: about}).decode()
        unit = partial(passkey_store.change_slot, citizen_id=citizen, kind=kind, before=text, after=after)
        await self.database.write(unit)
        return wallet

    # --- keeping them

    async def all(self, wallet: OpenWallet) -> list[Passkey]:
        """Return the account's passkeys."""
        kept = await self._kept(wallet.citizen)
        return [Passkey(name=kind, label=each["label"], added_on=each["added_on"]) for kind, each in kept.items()]

    async def remove(self, wallet: OpenWallet, name: str) -> None:
        """Let a passkey open the vault no longer, nor after a restore; passphrase and recovery code stay."""
        if not name.startswith(f"{PASSKEY}."):
            return
        was_there = await self.database.write(partial(passkey_store.remove_slot, citizen_id=wallet.citizen, kind=name))
        if was_there and wallet.deletions is not None:
            await wallet.deletions.slot_removed(wallet.citizen, name, self.clock.now())

    # --- inside

    async def _question_for(self, purpose: str, citizen: str, name: str, known: list[bytes]) -> dict[str, Any]:
        from webauthn import generate_registration_options, options_to_json  # noqa: PLC0415  (comity.web.later says why)
        from webauthn.helpers.structs import (  # noqa: PLC0415
            AuthenticatorSelectionCriteria,
            PublicKeyCredentialDescriptor,
            ResidentKeyRequirement,
            UserVerificationRequirement,
        )

        options = generate_registration_options(
            rp_id=self.host,
            rp_name=_DISPLAY,
            user_id=citizen.encode(),
            user_name=name,
            challenge=await self._challenge(purpose, citizen),
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
            ),
            exclude_credentials=[PublicKeyCredentialDescriptor(id=each) for each in known],
        )
        return self._with_prf(options_to_json(options))

    async def _registered(self, answer: Mapping[str, Any], purpose: str, citizen: str) -> "VerifiedRegistration":
        from webauthn import verify_registration_response  # noqa: PLC0415  (comity.web.later says why)
        from webauthn.helpers.exceptions import WebAuthnException  # noqa: PLC0415

        challenge = await self._used(answer, purpose, citizen)
        try:
            return verify_registration_response(
                credential=dict(answer),
                expected_challenge=challenge,
                expected_rp_id=self.host,
                expected_origin=self.origin,
                require_user_verification=True,
            )
        except (WebAuthnException, ValueError, KeyError, TypeError):
            raise _refused() from None

    def _slot(self, wallet: OpenWallet, verified: "VerifiedRegistration", secret: str, label: str) -> tuple[str, str]:
        """Return kind and JSON of the slot that a verified passkey opens."""
        kind = f"{PASSKEY}.{_digest(verified.credential_id)}"
        slot = self.custody.passkey_slot(wallet, kind, secret)
        about = {
            "credential_id": base64url.encode(verified.credential_id),
            "public_key": base64url.encode(verified.credential_public_key),
            "sign_count": verified.sign_count,
            "label": label,
            "added_on": self.clock.now().date().isoformat(),
        }
        return kind, strict_json.serialise({**slot.to_dict(), PASSKEY: about}).decode()

    async def _kept(self, citizen: str) -> dict[str, dict[str, Any]]:
        found = await self.database.read(partial(passkey_store.slots_of, citizen_id=citizen))
        return {
            kind: dict(strict_json.parse_object(text)[PASSKEY])
            for kind, text in found.items()
            if kind.startswith(f"{PASSKEY}.")
        }

    async def _named(self, answer: Mapping[str, Any]) -> tuple[str, str, str]:
        """Return the account, kind and content of the slot that an answer names."""
        response = answer.get("response")
        handle = response.get("userHandle") if isinstance(response, Mapping) else None
        raw_id = answer.get("rawId")
        if not isinstance(handle, str) or not isinstance(raw_id, str):
            raise _wrong()
        citizen = base64url.decode(handle).decode("utf-8", "replace")
        kind = f"{PASSKEY}.{_digest(base64url.decode(raw_id))}"
        found = await self.database.read(partial(passkey_store.slots_of, citizen_id=citizen))
        if kind not in found:
            raise _wrong()
        return citizen, kind, found[kind]

    async def _challenge(self, purpose: str, citizen: str) -> bytes:
        challenge = secrets.token_bytes(CHALLENGE_BYTES)
        digest, ends = _question(purpose, citizen, challenge), self.clock.now() + CHALLENGE_LIFE
        await self.database.write(partial(passkey_store.save_challenge, digest=digest, expires_at=ends))
        return challenge

    async def _used(self, answer: Mapping[str, Any], purpose: str, citizen: str) -> bytes:
        """Return the challenge that an answer is to, used up now whether or not the answer is any good."""
        from webauthn.helpers import parse_client_data_json  # noqa: PLC0415  (comity.web.later says why)
        from webauthn.helpers.exceptions import WebAuthnException  # noqa: PLC0415

        try:
            response = answer["response"]
            challenge = parse_client_data_json(base64url.decode(response["clientDataJSON"])).challenge
        except (WebAuthnException, Malformed, KeyError, TypeError, ValueError):
            raise _refused() from None
        digest = _question(purpose, citizen, challenge)
        if not await self.database.write(partial(passkey_store.use_challenge, digest=digest, now=self.clock.now())):
            raise _refused()
        return challenge

    def _with_prf(self, options: str) -> dict[str, Any]:
        members = strict_json.parse_object(options)
        salt = hashlib.sha256(b"comity wallet vault\0" + self.host.encode()).digest()
        members["extensions"] = {**members.get("extensions", {}), "prf": {"eval": {"first": base64url.encode(salt)}}}
        return members


def _check_secret(secret: str) -> None:
    if len(base64url.decode(secret)) != SECRET_BYTES:
        raise Malformed(Code.MALFORMED, "the authenticator's secret has 32 bytes")


def _digest(credential_id: bytes) -> str:
    return hashlib.sha256(credential_id).hexdigest()[:22]


def _question(purpose: str, citizen: str, challenge: bytes) -> str:
    return hashlib.sha256(b"\0".join((purpose.encode(), citizen.encode(), challenge))).hexdigest()


def _refused() -> Denied:
    return Denied(Code.NOT_PERMITTED, "this passkey answers no question that was asked here")


def _wrong() -> Denied:
    return Denied(Code.PASSPHRASE_WRONG, "this does not open the wallet")
