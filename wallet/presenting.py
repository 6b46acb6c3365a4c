"""Presenting: open a request, show who asks for what, and send exactly what the person agreed to, once."""

import hashlib
import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from comity import base64url, dcql, formats, jcs, strict_json
from comity.errors import Code, Conflict, Denied, Malformed, NotFound, Unreachable
from comity.openid.presentation import digital_credentials, parameters, response
from comity.openid.presentation.parameters import RequestObject
from comity.openid.presentation.refused import RefusedRequest
from comity.openid.presentation.request import CLOCK_SKEW
from comity.openid.presentation.response import Received
from comity.openid.refusal import OAuthError, OAuthErrorCode
from comity.ports import Clock
from comity.record import Discreet
from comity.web import i18n
from wallet import attesters, choosing, copies, holdings, transactions
from wallet.choosing import Selection
from wallet.copies import Spent
from wallet.holdings import Held
from wallet.opening import DigitalRequest, Opened, Opening
from wallet.outbound import FORM, Outbound, accepted
from wallet.records import CONSENT, HISTORY, OpenWallet, Sheet
from wallet.unanswered import NothingAnswers, asked_types

LONGEST_CONSENT = timedelta(hours=1)
SCANNED, SHOWN_BEFORE = "wallet.scanned_warning", "wallet.shown_before_warning"
SHOWN = ("who", "purposes", "stated", "transactions", "warnings", "needed", "credentials", "missing")


class Consent(Discreet, frozen=True, kw_only=True):
    """What the person decides about. Nothing has left the wallet yet.

    Attributes:
        id: names it until it is answered.
        content: what is shown and stored: who asks, for which purposes by the registry and by its own word, the
            candidates, and the request itself.
        digest: SHA-256 over all of it; the answer must name it, so that what is sent is what was shown.
    """

    UNPRINTED = frozenset({"content"})
    id: str
    content: Mapping[str, Any]
    digest: str

    @property
    def request(self) -> RequestObject:
        """The request that is answered, as it was verified."""
        return _request_of(self.content)

    def document(self) -> dict[str, Any]:
        """Return what the person sees."""
        shown = {name: self.content[name] for name in SHOWN}
        return {"id": self.id, "digest": self.digest, **shown, "expires_at": self.content["expires_at"]}


class Presented(Discreet, frozen=True, kw_only=True):
    """What became of an answer; ``data`` is what the website gets by the Digital Credentials API."""

    UNPRINTED = frozenset({"data"})
    redirect_uri: str | None
    credentials: tuple[str, ...]
    data: Mapping[str, Any] | None = None


class Presenting(Struct, frozen=True, kw_only=True):
    """The use case, with what it needs."""

    outbound: Outbound
    clock: Clock
    opening: Opening

    async def open_request(
        self, wallet: OpenWallet, source: str | DigitalRequest, *, language: str, is_scanned: bool = False
    ) -> Consent:
        """Fetch and verify a request, match it, and return what the person is asked.

        Args:
            wallet: the open wallet.
            source: the link, or what a website asks by the Digital Credentials API.
            language: in which it is shown.
            is_scanned: whether the link was read from another screen, which the person is warned about.

        Raises:
            OAuthError: the request cannot be used; nothing is sent to anybody.
            Denied: ``verifier_unknown`` for a DID that no registry lists; ``no_matching_credential``.
            Unreachable: the verifier does not answer.
        """
        found = await self.opening.open(source)
        asked = found.asked
        held = choosing.readable(await holdings.all_held(wallet), asked)
        match = dcql.match(asked.query, [each.holding() for each in held])
        if not match.is_satisfied:
            raise NothingAnswers(self.opening.who(found), asked_types(asked.query))
        transactions.require_possible(asked.transactions, match)
        by_id = {each.id: each for each in held}
        shown = choosing.candidates(match, by_id, language)
        warned = _warnings(found, [by_id[each["credential_id"]] for each in shown], is_scanned=is_scanned)
        content = {
            "who": self.opening.who(found),
            "purposes": self.opening.purposes(found),
            "stated": [dict(each.words) for each in asked.stated],
            "transactions": transactions.shown(asked.transactions, language),
            "warnings": [i18n.text(each, language) for each in warned],
            "warned": warned,
            "needed": list(match.needed),
            "missing": list(match.missing),
            "credentials": shown,
            "request": asked.to_dict(),
            "client_id": asked.client_id.text,
            "origin": asked.origin,
            "expires_at": self._end_of(asked).isoformat(),
            "salt": base64url.encode(secrets.token_bytes(16)),
        }
        consent = Consent(id=holdings.new_id(), content=content, digest=_digest(content))
        await wallet.put(CONSENT, consent.id, content)
        await self._forget_old(wallet)
        return consent

    async def find(self, wallet: OpenWallet, consent_id: str) -> Consent | None:
        """Return a question that waits for its answer, or None when there is none of this name."""
        found = await wallet.find(CONSENT, consent_id)
        if found is None:
            return None
        return Consent(id=found.id, content=found.content, digest=_digest(found.content))

    async def answer(
        self, wallet: OpenWallet, consent_id: str, *, digest: str, selection: Selection | None = None
    ) -> Presented:
        """Send what the person agreed to.

        The consent is used up before anything leaves; when the verifier does not answer it comes back. What cannot be
        sent at all (a wrong selection, a credential deleted meanwhile) does not use it up.

        Args:
            wallet: the open wallet.
            consent_id: which consent.
            digest: what the person saw.
            selection: credential ids by query id: which queries are answered, and with what. Absent: those that are
                needed, each with the first credential that would do.

        Raises:
            NotFound: there is no such consent, or it was answered.
            Conflict: ``consent_changed``; ``request_expired``; ``expired``: a credential has ended meanwhile.
            Malformed: the selection does not answer the request.
            Denied: the verifier refused the answer.
            Unreachable: the verifier did not answer; whether it received anything is not known.
        """
        content = await self._consented(wallet, consent_id, digest)
        asked, now = _request_of(content), self.clock.now()
        if datetime.fromisoformat(content["expires_at"]) <= now:
            raise Conflict(Code.REQUEST_EXPIRED, "the request's time is over; ask for a new one")
        chosen = choosing.choose(content, asked.query, selection or {})
        held = {each["credential_id"]: await holdings.find_held(wallet, each["credential_id"]) for each in chosen}
        _require_alive(held.values(), now)
        choosing.require_as_shown(held, chosen)
        vp_token = await self._vp_token(wallet, held, chosen, asked, now)
        line, spent = _history(consent_id, content, chosen), copies.spent(held.values())
        credentials = tuple(each["credential_id"] for each in chosen)
        if asked.response_uri is None:
            data = digital_credentials.answer(asked, vp_token)
            await self._use_up(wallet, consent_id, replace(line, content={**line.content, "outcome": "sent"}), spent)
            return Presented(redirect_uri=None, credentials=credentials, data=data)
        body = response.build(asked, vp_token).encode()
        await self._use_up(wallet, consent_id, line, spent)
        try:
            reply = accepted(
                await self.outbound.post(asked.response_uri, body, content_type=FORM), refusal=Code.REQUEST_INVALID
            )
        except Unreachable:
            back = Sheet(kind=CONSENT, id=consent_id, content=content)
            await wallet.commit(put=[back])
            raise
        except Denied:
            await wallet.commit(put=[_amended(line, outcome="refused")])
            raise
        await wallet.commit(put=[_amended(line, outcome="sent")])
        return Presented(redirect_uri=Received.parse(reply).redirect_uri, credentials=credentials)

    async def decline(self, wallet: OpenWallet, consent_id: str, *, digest: str) -> Presented:
        """Tell the verifier no; the answer is the same as for a wallet that holds nothing (profile 6.8).

        The person's no stands whether or not the verifier hears it.

        Raises:
            NotFound, Conflict: as for :meth:`answer`.
        """
        content = await self._consented(wallet, consent_id, digest)
        asked = _request_of(content)
        said = {"what": "declined", "who": content["who"], "consent": consent_id}
        line = Sheet(kind=HISTORY, id=holdings.new_id(), content=said)
        await self._use_up(wallet, consent_id, line)
        if asked.response_uri is None:
            data = digital_credentials.refusal(OAuthErrorCode.ACCESS_DENIED)
            return Presented(redirect_uri=None, credentials=(), data=data)
        redirect_uri = await self._tell(OAuthErrorCode.ACCESS_DENIED, asked.response_uri, asked.state)
        return Presented(redirect_uri=redirect_uri, credentials=())

    async def refuse(self, wallet: OpenWallet, link: str) -> OAuthErrorCode:
        """Tell the verifier why its request cannot be answered, when the person wants that (§8.5; profile 6.8).

        The request is opened once more. A lack of credentials is told as a no is (DQ-5), and nobody whose key is not
        that of the verifier it claims to be is told anything.

        Raises:
            Conflict: it can be answered; agree or decline.
            OAuthError, Denied, Unreachable: as :meth:`open_request`, where there is nobody who could be told.
        """
        try:
            found = await self.opening.open(link)
            asked, entry, proof = found.asked, found.entry, found.verified.proof
            held = choosing.readable(await holdings.all_held(wallet), asked)
            match = dcql.match(asked.query, [each.holding() for each in held])
            error, address, state, client = _lack(asked, match), asked.response_uri, asked.state, asked.client_id
        except RefusedRequest as refused:
            reply, proof = refused.reply, refused.reply.proof
            entry = self.opening.known(reply.client, reply.proof)
            error, address, state, client = refused.error, reply.response_uri, reply.state, reply.client
        name = dict(entry.name) if entry is not None else attesters.name_of(proof)
        who = {"client_id": client.text, "name": name, "known": name is not None}
        line = {"what": "unanswerable", "who": who, "error": error.value}
        await wallet.put(HISTORY, holdings.new_id(), line)
        await self._tell(error, str(address), state)
        return error

    async def _tell(self, error: OAuthErrorCode, response_uri: str, state: str | None) -> str | None:
        """Post an error answer; returns where the verifier wants the person to go, None too when it does not hear."""
        body = response.build_error(error, state=state)
        try:
            reply = accepted(await self.outbound.post(response_uri, body.encode(), content_type=FORM))
            return Received.parse(reply).redirect_uri
        except (Denied, Malformed, Unreachable):
            return None

    def _end_of(self, asked: RequestObject) -> datetime:
        """Return until when the question can be answered: as long as the verifier says, within bounds.

        A request that is over by our clock was opened because clocks differ a little; so long it can be answered.
        """
        now, ends = self.clock.now(), asked.expires_at
        if ends is not None and ends <= now:
            return ends + CLOCK_SKEW
        return now + LONGEST_CONSENT if ends is None else min(ends, now + LONGEST_CONSENT)

    async def _forget_old(self, wallet: OpenWallet) -> None:
        """Delete questions that nobody answered in time; they hold what would have been shared."""
        now = self.clock.now()
        for each in await wallet.all(CONSENT):
            if datetime.fromisoformat(each.content["expires_at"]) <= now:
                await wallet.delete(CONSENT, each.id)

    # --- the answer

    async def _consented(self, wallet: OpenWallet, consent_id: str, digest: str) -> Mapping[str, Any]:
        """Return the content of a consent, which must be what the person saw."""
        found = await wallet.find(CONSENT, consent_id)
        if found is None:
            raise _answered()
        if not secrets.compare_digest(_digest(found.content).encode(), digest.encode()):
            raise choosing.changed()
        return found.content

    async def _use_up(
        self, wallet: OpenWallet, consent_id: str, history: Sheet, spent: Spent = copies.NOTHING_SPENT
    ) -> None:
        """Take the consent away and note why, in one step; of several who try, one succeeds (catalogue P20).

        A copy that is shown once goes in the same step, before it leaves.
        """
        try:
            await wallet.commit(put=[history, *spent.put], delete=[(CONSENT, consent_id), *spent.delete])
        except Conflict:
            raise _answered() from None

    async def _vp_token(
        self,
        wallet: OpenWallet,
        held: Mapping[str, Held],
        chosen: Sequence[Mapping[str, Any]],
        asked: RequestObject,
        now: datetime,
    ) -> dict[str, list[str]]:
        """Return the presentations by query id; the first of a query also carries the transactions it authorises."""
        confirmed = transactions.claims_of(asked.transactions, [each["query_id"] for each in chosen])
        token: dict[str, list[str]] = {}
        for each in chosen:
            also = confirmed.pop(each["query_id"], None)
            presentation = await self._present(wallet, held[each["credential_id"]], each, asked, now, also=also)
            token.setdefault(each["query_id"], []).append(presentation)
        return token

    async def _present(
        self,
        wallet: OpenWallet,
        held: Held,
        chosen: Mapping[str, Any],
        asked: RequestObject,
        now: datetime,
        *,
        also: Mapping[str, Any] | None,
    ) -> str:
        kind = formats.FORMATS[held.signed.format]
        signer = await holdings.signer_of(wallet, held.key_id)
        disclose = [tuple(place) for place in chosen["disclose"]]
        return kind.present(
            held.credential, disclose, signer, audience=asked.audience, nonce=asked.nonce, at=now, also=also
        )


def _lack(asked: RequestObject, match: dcql.Match) -> OAuthErrorCode:
    """Return why an open request cannot be answered; raises ``Conflict`` when it can."""
    if not match.is_satisfied:
        return OAuthErrorCode.ACCESS_DENIED
    try:
        transactions.require_possible(asked.transactions, match)
    except OAuthError as problem:
        return problem.error
    raise Conflict(Code.CONFLICT, "this request can be answered; agree or decline")


def _warnings(found: Opened, could_be_shown: Iterable[Held], *, is_scanned: bool) -> list[str]:
    """Return the keys of what the person should think of.

    Nothing ties a scanned code to the place where they are (VP-23); and a copy that was shown before tells whoever saw
    it that it is they again (catalogue X11).
    """
    warned = [SCANNED] if is_scanned and found.asked.origin is None else []
    return [*warned, *([SHOWN_BEFORE] if any(copies.was_shown(each) for each in could_be_shown) else [])]


def _require_alive(held: Iterable[Held], now: datetime) -> None:
    """Let nothing leave that has ended by now, whatever it was when it was shown (catalogue C07)."""
    for each in held:
        if each.processed.valid_until is not None and each.processed.valid_until <= now:
            raise Conflict(Code.EXPIRED, "a credential that was chosen has ended; nothing was sent")


def _history(consent_id: str, content: Mapping[str, Any], chosen: Sequence[Mapping[str, Any]]) -> Sheet:
    """Return the line that says what was shared, with whom, what was authorised, and which question it answers.

    Whether it arrived is not known before the verifier says so: a wallet that dies in between must not claim it.
    """
    shared = [_line(each) for each in chosen]
    said = {
        "what": "presented",
        "who": content["who"],
        "shared": shared,
        "outcome": "unconfirmed",
        "consent": consent_id,
    }
    authorised = [each["words"] for each in content["transactions"]]
    extra = {"authorised": authorised} if authorised else {}
    return Sheet(kind=HISTORY, id=holdings.new_id(), content={**said, **extra})


def _line(chosen: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the history keeps of one shared credential: names of claims, never their values."""
    claims = [each["claim"] for each in chosen["leaving"]]
    return {
        "credential": chosen["credential_id"],
        "title": chosen["title"],
        "type_name": chosen.get("type_name", ""),
        "claims": claims,
        "status": chosen["status"],
    }


def _amended(line: Sheet, **changes: str) -> Sheet:
    return replace(line, content={**line.content, **changes}, version=line.version + 1)


def _answered() -> NotFound:
    return NotFound(Code.CONSENT_REQUIRED, "there is no such request to answer, or it was answered")


def _request_of(content: Mapping[str, Any]) -> RequestObject:
    return parameters.again(dict(content["request"]), client=content["client_id"], origin=content["origin"])


def _digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(jcs.canonicalise(strict_json.parse(strict_json.serialise(dict(content))))).hexdigest()
