"""Verifying: a wallet's answer comes in, the twelve checks run, the verdict is stored once and read by its party."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import urlencode

from comity import base64url, strict_json
from comity.errors import Code, Conflict, Denied, NotFound
from comity.openid.presentation import response
from comity.openid.presentation.parameters import ResponseMode
from comity.openid.presentation.response import ErrorAnswer, Received
from comity.ports import Clock
from comity.runtime.database import Database
from comity.runtime.evidence import EvidenceShell
from comity.runtime.keystore import seal, unseal
from comity.trust.snapshot import RegistrySnapshot
from comity.verification import report
from comity.verification.checks import Check, CheckName, Result, failed
from comity.verification.credential import Demand, HolderDemand
from comity.verification.presentation import PresentationDemand, verify_presentation
from comity.verification.status import StatusDemand
from verifier import policies, store
from verifier.requesting import SAME_DEVICE, Answered, Expired, Fetched, Requesting, digest, state_of
from verifier.store import RequestRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Verifying:
    """The use case, with what it needs.

    Attributes:
        requesting: knows the requests that were sent.
        snapshot: returns the registry as last verified; raises when none was ever seen.
        shell: fetches status lists and DID documents.
        status: how fresh a status must be.
        on_answer: told the request id when a verdict was stored.
    """

    requesting: Requesting
    snapshot: Callable[[], RegistrySnapshot]
    shell: EvidenceShell
    status: StatusDemand
    on_answer: Callable[[str], None]

    @property
    def _database(self) -> Database:
        return self.requesting.database

    @property
    def _clock(self) -> Clock:
        return self.requesting.clock

    async def receive_response(self, request_id: str, body: bytes) -> Received:
        """Verify what was posted and store the verdict; returns what the wallet is told.

        The request is answered by one statement that also holds the verdict: whoever comes second, or comes back, is
        refused, and a crash before it leaves the request open (decision record 0015). What cannot be read, decrypted
        or attributed to this request is refused *without* answering it, so that garbage cannot use it up.

        Raises:
            NotFound: there is no such request.
            Conflict: it was answered before, or its time is over.
            OAuthError: the post is not an answer to this request (profile 6.7 steps 1 to 3).
        """
        row = await self._open_request(request_id)
        asked = self.requesting.request_of(row)
        # Profile 6.7 steps 1-3: find the transaction, decrypt with its key only, state, shape.
        answer = response.settle(
            response.parse(body),
            mode=ResponseMode(row.response_mode),
            state=row.state,
            query=asked.query,
            private_jwk=self.requesting.private_jwk(row),
        )
        # Steps 4-6: each presentation, the query, the sets; then the policy.
        now = self._clock.now()
        result = _refused(answer) if isinstance(answer, ErrorAnswer) else await self._verify(row, answer.vp_token, now)
        # Step 7: consume the transaction together with its verdict.
        return await self._answer(row, result)

    async def outcome(self, transaction_id: str, *, relying_party: str, response_code: str | None) -> dict[str, Any]:
        """Return the state of a request, with its report once there is one.

        Raises:
            NotFound: this relying party has no such request.
            Denied: ``response_code_invalid``: a same-device result is released only to whoever came back from the
                wallet (OpenID4VP §14.2; profile VP-23).
        """
        wanted = partial(store.find_transaction, transaction_hash=digest(transaction_id), relying_party=relying_party)
        row = await self._database.read(wanted)
        if row is None:
            raise NotFound(Code.REQUEST_UNKNOWN, "there is no such request")
        document: dict[str, Any] = {
            "request_id": row.id,
            "policy": row.policy,
            "place": row.place,
            "state": _name_of(row, self._clock.now()),
            "expires_at": row.expires_at.isoformat(),
        }
        if row.answered_at is None or row.result is None:
            return document
        if row.flow == SAME_DEVICE and not _is_code(row, response_code):
            raise Denied(Code.RESPONSE_CODE_INVALID, "the result needs the code that the wallet brought back")
        return {**document, "answered_at": row.answered_at.isoformat(), "result": self._report(row)}

    async def state(self, transaction_id: str, *, relying_party: str) -> dict[str, Any]:
        """Return only where a request stands, for live display; never its result.

        Raises:
            NotFound: this relying party has no such request.
        """
        wanted = partial(store.find_transaction, transaction_hash=digest(transaction_id), relying_party=relying_party)
        row = await self._database.read(wanted)
        if row is None:
            raise NotFound(Code.REQUEST_UNKNOWN, "there is no such request")
        return {"request_id": row.id, "state": _name_of(row, self._clock.now())}

    async def erase(self, *, keep: timedelta) -> int:
        """Erase claims and keys whose time is over; returns how many rows changed."""
        before = self._clock.now() - keep
        return await self._database.write(partial(store.erase, answered_before=before, expired_before=before))

    async def _open_request(self, request_id: str) -> RequestRow:
        row = await self._database.read(partial(store.find_request, request_id=request_id))
        if row is None:
            raise NotFound(Code.REQUEST_UNKNOWN, "there is no such request")
        state = state_of(row, self._clock.now())
        if isinstance(state, Answered):
            raise Conflict(Code.REQUEST_ALREADY_ANSWERED, "the request was answered already")
        if isinstance(state, Expired):
            raise Conflict(Code.REQUEST_EXPIRED, "the request's time is over")
        return row

    async def _verify(self, row: RequestRow, vp_token: response.VpToken, now: datetime) -> Result:
        ask = policies.prepare(row.policy, place=row.place, today=now.date())
        demand = PresentationDemand(
            query=ask.query,
            credential=Demand(at=now, place=row.place, holder=HolderDemand(audience=row.client_id, nonce=row.nonce)),
            status=self.status,
            same_holder=ask.same_holder or row.same_holder,
            policy=ask.judge,
        )
        return await self.shell.settle(verify_presentation(vp_token, demand=demand, snapshot=self.snapshot()))

    async def _answer(self, row: RequestRow, result: Result) -> Received:
        document = report.document(result)
        claims = document.pop("claims", None)
        sealed = None
        if claims is not None:
            seal_key = self.requesting.identity.seal
            sealed = seal(seal_key, strict_json.serialise(claims), context=_claims_context(row.id))
        response_code = base64url.encode(secrets.token_bytes(32)) if row.flow == SAME_DEVICE else None
        stored = await self._database.write(
            partial(
                store.answer,
                request_id=row.id,
                at=self._clock.now(),
                result=strict_json.serialise(document).decode(),
                sealed_claims=sealed,
                response_code_hash=digest(response_code) if response_code else None,
            )
        )
        if not stored:
            raise Conflict(Code.REQUEST_ALREADY_ANSWERED, "the request was answered already")
        self.on_answer(row.id)
        return Received(redirect_uri=self._redirect(row, response_code))

    def _redirect(self, row: RequestRow, response_code: str | None) -> str | None:
        if response_code is None:
            return None
        target = row.redirect_uri or f"{self.requesting.public_url}/complete"
        return f"{target}{'&' if '?' in target else '?'}{urlencode({'response_code': response_code})}"

    def _report(self, row: RequestRow) -> dict[str, Any]:
        document = strict_json.parse_object(row.result or "{}")
        if row.sealed_claims is not None:
            claims = unseal(self.requesting.identity.seal, row.sealed_claims, context=_claims_context(row.id))
            document["claims"] = strict_json.parse_object(claims)
        return document


def _refused(answer: ErrorAnswer) -> Result:
    """Return the verdict over a wallet that says no: rejected, and nothing is told about why (profile 6.8)."""
    check: Check = failed(CheckName.QUERY, Code.WALLET_REFUSED, "the wallet presented nothing", error=answer.error[:64])
    return Result(checks=(check,))


def _is_code(row: RequestRow, response_code: str | None) -> bool:
    if response_code is None or row.response_code_hash is None:
        return False
    return secrets.compare_digest(digest(response_code), row.response_code_hash)


def _name_of(row: RequestRow, now: datetime) -> str:
    state = state_of(row, now)
    if isinstance(state, Answered):
        return "answered"
    if isinstance(state, Expired):
        return "expired"
    return "fetched" if isinstance(state, Fetched) else "requested"


def _claims_context(request_id: str) -> bytes:
    return f"verifier/request/{request_id}/claims".encode()
