"""Verifying: a wallet's answer comes in, the twelve checks run, the verdict is stored once and read by its party."""

import secrets
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import structlog
from msgspec import Struct

from comity import base64url, strict_json
from comity.errors import Code, Conflict, Denied, NotFound, Unreachable
from comity.openid.members import Document
from comity.openid.presentation import digital_credentials, response
from comity.openid.presentation.parameters import RequestObject, ResponseMode
from comity.openid.presentation.response import ErrorAnswer, Received
from comity.openid.refusal import OAuthErrorCode
from comity.runtime.evidence import EvidenceShell
from comity.runtime.keystore import seal, unseal
from comity.trust.snapshot import RegistrySnapshot
from comity.verification import report
from comity.verification.checks import CheckName, Result, failed
from comity.verification.credential import Demand, HolderDemand
from comity.verification.presentation import PresentationDemand, verify_presentation
from comity.verification.status import StatusDemand
from verifier import same_device, store, telling
from verifier.requesting import SECRET_BYTES, Flow, Requesting, digest
from verifier.states import Answered, PresentationRequest, require_open, state_of
from verifier.store import RequestRow

_log = structlog.get_logger("verifier")


class Verifying(Struct, frozen=True, kw_only=True):
    """The use case, with what it needs.

    Attributes:
        requesting: knows the requests that were sent; its database, clock and seal are used here too.
        snapshot: returns the registry as last verified; raises when none was ever seen.
        shell: fetches status lists and DID documents.
        status: how fresh a status must be.
        keep: how long a report can be read after the answer.
    """

    requesting: Requesting
    snapshot: Callable[[], RegistrySnapshot]
    shell: EvidenceShell
    status: StatusDemand
    keep: timedelta

    async def receive_response(self, request_id: str, body: bytes) -> Received:
        """Verify what was posted and store the verdict; returns what the wallet is told.

        The request is answered by one statement that also holds the verdict: whoever comes second, or comes back, is
        refused, and a crash before it leaves the request open (decision record 0015). What cannot be read, decrypted
        or attributed to this request is refused *without* answering it, so that garbage cannot use it up; nor can the
        time in which this verifier has no registry.

        Raises:
            NotFound: there is no such request.
            Conflict: it was answered before, or its time is over.
            OAuthError: the post is not an answer to this request (profile 6.7 steps 1 to 3).
            Unreachable: the registry was never seen.
        """
        row = (await self.requesting.find_open(request_id)).row
        if not ResponseMode(row.response_mode).is_posted:
            raise NotFound(Code.REQUEST_UNKNOWN, "this request is not one that a wallet answers by a post")
        return await self._settle(row, response.parse(body), audience=row.client_id)

    async def receive_digital(
        self, transaction_id: str, document: Document, *, relying_party: str, origin: str | None
    ) -> None:
        """Verify what a website got from the Digital Credentials API, and store the verdict (annex A; VP-24).

        ``origin`` is where the website ran; it may be left out where the request names one origin only. Otherwise as
        :meth:`receive_response`.

        Raises:
            Denied: ``origin_mismatch``: not one of the request's origins.
        """
        state = await self._find(transaction_id, relying_party)
        row = require_open(state.row, self.requesting.clock.now()).row
        origins = self.requesting.particulars_of(row).origins
        if not origins:
            raise NotFound(Code.REQUEST_UNKNOWN, "this request is not one for the Digital Credentials API")
        asking = origins[0] if origin is None and len(origins) == 1 else origin
        if asking not in origins:
            raise Denied(Code.ORIGIN_MISMATCH, "name the origin that asked, one of those of the request")
        await self._settle(row, digital_credentials.parse_answer(document), audience=f"origin:{asking}")

    async def _settle(self, row: RequestRow, answer: response.Answer, *, audience: str) -> Received:
        asked = self.requesting.request_of(row)
        # Profile 6.7 steps 1-3: find the transaction, decrypt with its key only, state, shape.
        settled = response.settle(
            answer,
            mode=ResponseMode(row.response_mode),
            state=row.state,
            query=asked.query,
            private_jwk=self.requesting.private_jwk(row),
        )
        # Steps 4-6: each presentation, the query, the sets; then the policy.
        if isinstance(settled, ErrorAnswer):
            result = _refused(settled)
        else:
            result = await self._verify(row, asked, settled.vp_token, audience)
        # Step 7: consume the transaction together with its verdict.
        return await self._answer(row, result)

    async def state(self, transaction_id: str, *, relying_party: str) -> dict[str, Any]:
        """Return only where a request stands, for live display; never its result.

        Raises:
            NotFound: this relying party has no such request.
        """
        found = await self._find(transaction_id, relying_party)
        return {"request_id": found.row.id, "state": found.name}

    async def outcome(self, transaction_id: str, *, relying_party: str, response_code: str | None) -> dict[str, Any]:
        """Return the state of a request, with its report once there is one.

        Raises:
            NotFound: this relying party has no such request.
            Denied: ``response_code_invalid`` or ``session_mismatch``: a same-device result is released only to whoever
                came back from the wallet (OpenID4VP §14.2; profile VP-23).
        """
        found = await self._find(transaction_id, relying_party)
        row = found.row
        document: dict[str, Any] = {
            "request_id": row.id,
            "policy": row.policy,
            "place": row.place,
            "state": found.name,
            "expires_at": row.expires_at.isoformat(),
        }
        if row.answered_at is None:
            return document
        same_device.require_released(row, response_code)
        return {**document, "answered_at": row.answered_at.isoformat(), "result": self._report(row)}

    async def answered(self, request_id: str, *, relying_party: str) -> tuple[PresentationRequest, dict[str, Any]]:
        """Return the state of a request by its own name, and its report once it is answered (else an empty object).

        For this verifier's own pages, which know what they started without keeping a transaction id; only for
        requests across devices, since on one device the report needs the code that the wallet brought back.

        Raises:
            NotFound: this relying party has no such request across devices.
        """
        row = await self.requesting.database.read(partial(store.find_request, request_id=request_id))
        if row is None or row.relying_party != relying_party or row.flow != Flow.CROSS_DEVICE:
            raise NotFound(Code.REQUEST_UNKNOWN, "there is no such request")
        state = state_of(row, self.requesting.clock.now())
        return state, self._report(row) if isinstance(state, Answered) else {}

    def open_report(self, sealed: bytes, request_id: str) -> dict[str, Any]:
        """Return the report of a request from its sealed form; whether it is released is the caller's to know."""
        return strict_json.parse_object(
            unseal(self.requesting.identity.seal, sealed, context=_report_context(request_id))
        )

    async def erase(self) -> int:
        """Erase reports and keys whose time is over; returns how many records changed."""
        now = self.requesting.clock.now()
        return await self.requesting.database.write(
            partial(store.erase, answered_before=now - self.keep, expired_at=now)
        )

    async def _find(self, transaction_id: str, relying_party: str) -> PresentationRequest:
        wanted = partial(store.find_transaction, transaction_hash=digest(transaction_id), relying_party=relying_party)
        row = await self.requesting.database.read(wanted)
        if row is None:
            raise NotFound(Code.REQUEST_UNKNOWN, "there is no such request")
        return state_of(row, self.requesting.clock.now())

    async def _verify(self, row: RequestRow, asked: RequestObject, vp_token: response.VpToken, audience: str) -> Result:
        now = self.requesting.clock.now()
        ask = self.requesting.prepare(row.policy, row.place, now.date())
        demand = PresentationDemand(
            query=asked.query,
            credential=Demand(
                at=now,
                place=row.place,
                holder=HolderDemand(audience=audience, nonce=row.nonce),
                purpose=row.policy,
            ),
            status=self.status,
            same_holder=ask.same_holder or row.same_holder,
            policy=ask.judge,
            transactions=asked.transactions,
        )
        return await self.shell.settle(verify_presentation(vp_token, demand=demand, snapshot=self.snapshot()))

    async def _answer(self, row: RequestRow, result: Result) -> Received:
        document = {**report.document(result), "registry_read_at": self._registry_read_at()}
        is_same_device = row.flow == Flow.SAME_DEVICE
        response_code = base64url.encode(secrets.token_bytes(SECRET_BYTES)) if is_same_device else None
        given = store.Answer(
            at=self.requesting.clock.now(),
            verdict=document["verdict"],
            codes=strict_json.serialise(document["codes"]).decode(),
            sealed_report=seal(
                self.requesting.identity.seal, strict_json.serialise(document), context=_report_context(row.id)
            ),
            response_code_hash=digest(response_code) if response_code else None,
        )
        answer = partial(telling.answer_and_tell, row=row, given=given, is_released=response_code is None)
        if not await self.requesting.database.write(answer):
            await self.requesting.find_open(row.id)  # says why: answered meanwhile, or its time is over
            raise Conflict(Code.REQUEST_EXPIRED, "the clock was set back while the answer was verified; start again")
        self.requesting.on_change(row.id)
        told = {"verdict": given.verdict, "reasons": document["codes"]}
        _log.info("request answered", policy=row.policy, place=row.place, **told)

        if response_code is None:
            return Received()
        current = await self.requesting.find(row.id)  # a browser may have started it since
        return Received(
            redirect_uri=same_device.redirect_for(current or row, response_code, self.requesting.public_url)
        )

    def _registry_read_at(self) -> str | None:
        """Return when the registry that was used was last confirmed; None when it was never seen."""
        try:
            return self.snapshot().fetched_at.isoformat()
        except Unreachable:
            return None

    def _report(self, row: RequestRow) -> dict[str, Any]:
        """Return the report of an answered request; what is left of it once it was erased: verdict and codes."""
        if row.sealed_report is None:
            codes = strict_json.parse(row.codes or "[]")
            return {"verdict": row.verdict, "codes": codes, "erased": True}
        return self.open_report(row.sealed_report, row.id)


def _refused(answer: ErrorAnswer) -> Result:
    """Return the verdict over a wallet that says no: rejected, and nothing is told about why (profile 6.8)."""
    told = answer.error if answer.error in set(OAuthErrorCode) else "other"
    return Result(checks=(failed(CheckName.QUERY, Code.WALLET_REFUSED, "the wallet presented nothing", error=told),))


def _report_context(request_id: str) -> bytes:
    return f"verifier/request/{request_id}/report".encode()
