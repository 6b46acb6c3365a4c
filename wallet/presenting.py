"""Presenting: open a request, show who asks for what, and send exactly what the person agreed to, once."""

import hashlib
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from comity import base64url, dcql, formats, jcs, strict_json, x509
from comity.credential import CredentialType, Format
from comity.errors import Code, Conflict, Denied, Malformed, NotFound, Unreachable
from comity.keys import thumbprint
from comity.openid.members import Members
from comity.openid.presentation import client_id, parameters, request, response
from comity.openid.presentation.link import RequestLink, RequestUriMethod, RequestUriPost, parse_link, wallet_metadata
from comity.openid.presentation.parameters import RequestObject
from comity.openid.presentation.request import NeedsDocument, SignedByCertificate, SignedByDid, VerifiedRequest
from comity.openid.presentation.response import Received
from comity.openid.refusal import OAuthErrorCode
from comity.ports import Clock, FetchRequest
from comity.trust import may_ask
from comity.trust.snapshot import RegistrySnapshot, VerifierEntry
from wallet import copies, holdings
from wallet.copies import Spent
from wallet.holdings import Held
from wallet.outbound import FORM, Outbound, accepted
from wallet.records import CONSENT, HISTORY, OpenWallet, Sheet

REQUEST_TYPE = "application/oauth-authz-req+jwt"
LONGEST_CONSENT = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """What the person decides about. Nothing has left the wallet yet.

    Attributes:
        id: names it until it is answered.
        content: what is shown and stored: who asks, for which purposes, the candidates, and the request itself.
        digest: SHA-256 over all of it; the answer must name it, so that what is sent is what was shown.
    """

    id: str
    content: Mapping[str, Any] = field(repr=False)
    digest: str

    def document(self) -> dict[str, Any]:
        """Return what the person sees."""
        shown = {name: self.content[name] for name in ("who", "purposes", "needed", "credentials", "missing")}
        return {"id": self.id, "digest": self.digest, **shown, "expires_at": self.content["expires_at"]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Presented:
    """What became of an answer."""

    redirect_uri: str | None
    credentials: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Presenting:
    """The use case, with what it needs."""

    outbound: Outbound
    clock: Clock
    snapshot: Callable[[], RegistrySnapshot]

    async def open_request(self, wallet: OpenWallet, link: str, *, language: str) -> Consent:
        """Fetch and verify a request, match it, and return what the person is asked.

        Raises:
            OAuthError: the request cannot be used; nothing is sent to anybody.
            Denied: ``verifier_unknown`` for a DID that no registry lists; ``no_matching_credential``.
            Unreachable: the verifier does not answer.
        """
        verified = await self._fetch(parse_link(link))
        asked, snapshot = verified.request, self.snapshot()
        entry = self._known_verifier(verified, snapshot)
        held = await holdings.all_held(wallet)
        match = dcql.match(asked.query, [each.holding() for each in held])
        if not match.is_satisfied:
            raise Denied(Code.NO_MATCHING_CREDENTIAL, "the wallet holds nothing that answers this request")
        content = {
            "who": self._who(verified, entry, snapshot),
            "purposes": self._purposes(asked, entry, snapshot),
            "needed": list(match.needed),
            "missing": list(match.missing),
            "credentials": _candidates(match, {each.id: each for each in held}, language),
            "request": asked.to_dict(),
            "client_id": asked.client_id.text,
            "expires_at": self._end_of(asked).isoformat(),
            "salt": base64url.encode(secrets.token_bytes(16)),
        }
        consent = Consent(id=holdings.new_id(), content=content, digest=_digest(content))
        await wallet.put(CONSENT, consent.id, content)
        await self._forget_old(wallet)
        return consent

    async def answer(
        self, wallet: OpenWallet, consent_id: str, *, digest: str, selection: Mapping[str, str] | None = None
    ) -> Presented:
        """Send what the person agreed to.

        The consent is used up before anything leaves; when the verifier does not answer it comes back. What cannot be
        sent at all (a wrong selection, a credential deleted meanwhile) does not use it up.

        Args:
            wallet: the open wallet.
            consent_id: which consent.
            digest: what the person saw.
            selection: credential id by query id: which queries are answered, and with what. Absent: those that are
                needed, each with the first credential that would do.

        Raises:
            NotFound: there is no such consent, or it was answered.
            Conflict: ``consent_changed``; ``request_expired``.
            Malformed: the selection does not answer the request.
            Denied: the verifier refused the answer.
            Unreachable: the verifier did not answer; whether it received anything is not known.
        """
        content = await self._consented(wallet, consent_id, digest)
        asked, now = _request_of(content), self.clock.now()
        if datetime.fromisoformat(content["expires_at"]) <= now:
            raise Conflict(Code.REQUEST_EXPIRED, "the request's time is over; ask for a new one")
        chosen = _chosen(content, selection or {})
        held = {each["credential_id"]: await holdings.find_held(wallet, each["credential_id"]) for each in chosen}
        vp_token = {
            each["query_id"]: [await self._present(wallet, held[each["credential_id"]], each, asked, now)]
            for each in chosen
        }
        body = response.build(asked, vp_token).encode()
        history = {"what": "presented", "who": content["who"], "shared": [_line(each) for each in chosen]}
        line = Sheet(kind=HISTORY, id=holdings.new_id(), content={**history, "outcome": "sent"})
        await self._use_up(wallet, consent_id, line, copies.spent(held.values()))
        try:
            reply = accepted(
                await self.outbound.post(asked.response_uri, body, content_type=FORM), refusal=Code.REQUEST_INVALID
            )
        except Unreachable:
            back = Sheet(kind=CONSENT, id=consent_id, content=content)
            await wallet.commit(put=[back, _amended(line, outcome="unconfirmed")])
            raise
        except Denied:
            await wallet.commit(put=[_amended(line, outcome="refused")])
            raise
        credentials = tuple(each["credential_id"] for each in chosen)
        return Presented(redirect_uri=Received.parse(reply).redirect_uri, credentials=credentials)

    async def decline(self, wallet: OpenWallet, consent_id: str, *, digest: str) -> Presented:
        """Tell the verifier no; the answer is the same as for a wallet that holds nothing (profile 6.8).

        The person's no stands whether or not the verifier hears it.

        Raises:
            NotFound, Conflict: as for :meth:`answer`.
        """
        content = await self._consented(wallet, consent_id, digest)
        asked = _request_of(content)
        line = Sheet(kind=HISTORY, id=holdings.new_id(), content={"what": "declined", "who": content["who"]})
        await self._use_up(wallet, consent_id, line)
        body = response.build_error(OAuthErrorCode.ACCESS_DENIED, state=asked.state)
        try:
            reply = accepted(await self.outbound.post(asked.response_uri, body.encode(), content_type=FORM))
            redirect_uri = Received.parse(reply).redirect_uri
        except (Denied, Malformed, Unreachable):
            redirect_uri = None
        return Presented(redirect_uri=redirect_uri, credentials=())

    def _end_of(self, asked: RequestObject) -> datetime:
        """Return until when the question can be answered: as long as the verifier says, within bounds."""
        longest = self.clock.now() + LONGEST_CONSENT
        return min(asked.expires_at, longest) if asked.expires_at else longest

    async def _forget_old(self, wallet: OpenWallet) -> None:
        """Delete questions that nobody answered in time; they hold what would have been shared."""
        now = self.clock.now()
        for each in await wallet.all(CONSENT):
            if datetime.fromisoformat(each.content["expires_at"]) <= now:
                await wallet.delete(CONSENT, each.id)

    # --- the request

    async def _fetch(self, link: RequestLink) -> VerifiedRequest:
        nonce = None
        if link.request_uri is None:
            if link.request is None:
                return request.read_unsigned(link)
            encoded = link.request
        else:
            if link.method is RequestUriMethod.POST:
                nonce = base64url.encode(secrets.token_bytes(16))
            encoded = await self._request_object(link.request_uri, nonce)
        verified = request.verify(encoded, client=link.client_id, at=self.clock.now(), wallet_nonce=nonce)
        if isinstance(verified, NeedsDocument):
            if self.snapshot().find_verifier(link.client_id) is None:
                raise Denied(Code.VERIFIER_UNKNOWN, "no registry lists the identifier under which this request is made")
            fetched = await self.outbound.fetcher.fetch(FetchRequest(url=verified.url))
            verified = verified.resume(fetched.body)
        return verified

    async def _request_object(self, request_uri: str, nonce: str | None) -> str:
        """Fetch the request object: by POST when the verifier wants a nonce of ours in it, else by GET."""
        try:
            if nonce is None:
                return await self.outbound.get_text(request_uri, REQUEST_TYPE)
            posted = RequestUriPost(wallet_nonce=nonce, wallet_metadata=wallet_metadata())
            return await self.outbound.post_form_for_text(request_uri, posted.to_form(), REQUEST_TYPE)
        except NotFound:
            detail = "the verifier does not have this request, or it was answered or expired"
            raise NotFound(Code.REQUEST_UNKNOWN, detail) from None

    # --- who asks, and may they

    def _known_verifier(self, verified: VerifiedRequest, snapshot: RegistrySnapshot) -> VerifierEntry | None:
        """Return the registry's entry for whoever *signed* the request; None when there is none.

        An entry that names the client but not the key is no match: the request is refused as forged.
        """
        entry = snapshot.find_verifier(verified.request.client_id.text)
        if entry is None:
            return None
        proof = verified.proof
        if isinstance(proof, SignedByCertificate) and entry.anchor is not None:
            x509.validate_chain(proof.chain, [x509.from_base64(entry.anchor)], self.clock.now())
            return entry
        if isinstance(proof, SignedByDid) and thumbprint(proof.jwk) in entry.key_thumbprints:
            return entry
        raise Malformed(Code.CERTIFICATE_UNTRUSTED, "the request is signed with a key that the registry does not list")

    def _who(
        self, verified: VerifiedRequest, entry: VerifierEntry | None, snapshot: RegistrySnapshot
    ) -> dict[str, Any]:
        """Return two separate facts: is this verifier known, and may it ask for all of this?"""
        asked = verified.request
        who: dict[str, Any] = {"client_id": asked.client_id.text, "response_uri": asked.response_uri}
        if entry is None:
            return {**who, "name": None, "known": False, "may_ask": "unknown", "code": Code.VERIFIER_UNKNOWN.value}
        decision = may_ask(snapshot, entry, _asked_claims(asked.query), None, at=self.clock.now())
        return {
            **who,
            "name": dict(entry.name),
            "known": True,
            "may_ask": decision.answer.value,
            "code": decision.code.value,
        }

    def _purposes(self, asked: RequestObject, entry: VerifierEntry | None, snapshot: RegistrySnapshot) -> list[str]:
        """Return the purposes for which the registry lets this verifier ask for exactly this."""
        if entry is None:
            return []
        listed = sorted({each.purpose for each in entry.may_ask if each.purpose})
        claims, now = _asked_claims(asked.query), self.clock.now()
        return [each for each in listed if may_ask(snapshot, entry, claims, each, at=now).answer.value == "passed"]

    # --- the answer

    async def _consented(self, wallet: OpenWallet, consent_id: str, digest: str) -> Mapping[str, Any]:
        """Return the content of a consent, which must be what the person saw."""
        found = await wallet.find(CONSENT, consent_id)
        if found is None:
            raise _answered()
        if not secrets.compare_digest(_digest(found.content).encode(), digest.encode()):
            raise Conflict(Code.CONSENT_CHANGED, "what is asked is not what was shown; look at it again")
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

    async def _present(
        self, wallet: OpenWallet, held: Held, chosen: Mapping[str, Any], asked: RequestObject, now: datetime
    ) -> str:
        kind = formats.FORMATS[held.signed.format]
        signer = await holdings.signer_of(wallet, held.key_id)
        disclose = [tuple(place) for place in chosen["disclose"]]
        return kind.present(held.signed, disclose, signer, audience=asked.client_id.text, nonce=asked.nonce, at=now)


def _candidates(match: dcql.Match, held: Mapping[str, Held], language: str) -> list[dict[str, Any]]:
    """Return every credential that could answer, with what would leave and what would stay."""
    return [
        _shown(candidate, held[candidate.holding_id], language)
        for candidates in match.candidates.values()
        for candidate in candidates
    ]


def _shown(candidate: dcql.Candidate, held: Held, language: str) -> dict[str, Any]:
    claims = held.processed.claims
    if held.signed.format is Format.DC_SD_JWT:
        leaving = [str(place[-1]) for place in candidate.disclose]
        leaving += [name for name in held.processed.always_disclosed if name in claims]
    else:
        leaving = list(claims)  # this format cannot withhold anything, and the person is told so
    staying = [name for name in claims if name not in leaving]
    return {
        "query_id": candidate.query_id,
        "credential_id": held.id,
        "title": held.title(language),
        "format": held.signed.format.value,
        "status": held.about["status"],
        "recognised": held.about["recognised"],
        "disclose": [list(place) for place in candidate.disclose],
        "leaving": [held.described(name, claims[name], language) for name in leaving],
        "staying": [{"claim": name, "label": held.label(name, language)} for name in staying],
    }


def _chosen(content: Mapping[str, Any], selection: Mapping[str, str]) -> list[Mapping[str, Any]]:
    """Return one candidate for each credential query to be answered.

    A selection names which queries are answered; without one those that the match needs are.
    """
    wanted = list(selection) or content["needed"]
    chosen = []
    for query_id in wanted:
        candidates = [each for each in content["credentials"] if each["query_id"] == query_id]
        if query_id in selection:
            candidates = [each for each in candidates if each["credential_id"] == selection[query_id]]
        if not candidates:
            raise Malformed(Code.NO_MATCHING_CREDENTIAL, "the selection names a credential that does not answer this")
        chosen.append(candidates[0])
    return chosen


def _line(chosen: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the history keeps of one shared credential: names of claims, never their values."""
    claims = [each["claim"] for each in chosen["leaving"]]
    return {"credential": chosen["credential_id"], "title": chosen["title"], "claims": claims}


def _amended(line: Sheet, **changes: str) -> Sheet:
    return replace(line, content={**line.content, **changes}, version=line.version + 1)


def _answered() -> NotFound:
    return NotFound(Code.CONSENT_REQUIRED, "there is no such request to answer, or it was answered")


def _asked_claims(query: dcql.Query) -> dict[CredentialType, set[str]]:
    """Return the claims that a query asks for, by credential type of the federation."""
    asked: dict[CredentialType, set[str]] = {}
    for each in query.credentials:
        names = [*each.meta.vct_values, *(iri.partition("#")[0] for types in each.meta.type_values for iri in types)]
        kinds = [kind for name in names if (kind := CredentialType.from_vct(name))]
        for kind in kinds:
            claims = {str(claim.path[-1]) for claim in each.claims}
            asked.setdefault(kind, set()).update(claims)
    return asked


def _request_of(content: Mapping[str, Any]) -> RequestObject:
    members = Members(dict(content["request"]), "request", parameters.REFUSE)
    return parameters.read(members, client_id.parse(content["client_id"]))


def _digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(jcs.canonicalise(strict_json.parse(strict_json.serialise(dict(content))))).hexdigest()
