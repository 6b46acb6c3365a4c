"""Opening: fetch a request, verify it, and find out who asks. Nothing is sent but what fetches the request."""

import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from msgspec import Struct

from comity import base64url, dcql, x509
from comity.credential import CredentialType
from comity.errors import Code, Denied, Malformed, NotFound
from comity.jwe import EncryptionKey
from comity.keys import public_jwk, thumbprint
from comity.openid.presentation import digital_credentials, request
from comity.openid.presentation.client_id import ClientId, Prefix
from comity.openid.presentation.link import RequestLink, RequestUriMethod, RequestUriPost, parse_link, wallet_metadata
from comity.openid.presentation.parameters import RequestObject
from comity.openid.presentation.proof import RequestProof, SignedByAttested, SignedByCertificate, SignedByDid
from comity.openid.presentation.request import Needs, NeedsAttester, VerifiedRequest
from comity.openid.presentation.wallet_metadata import opened
from comity.ports import Clock, FetchRequest
from comity.record import Discreet
from comity.trust import may_ask
from comity.trust.snapshot import RegistrySnapshot, VerifierEntry
from wallet import attesters, entitlements
from wallet.outbound import Outbound

REQUEST_TYPE = "application/oauth-authz-req+jwt"


class DigitalRequest(Discreet, frozen=True, kw_only=True):
    """A request by the Digital Credentials API: ``origin`` is what the platform says, never what the request says."""

    UNPRINTED = frozenset({"data"})
    origin: str
    protocol: str
    data: Mapping[str, Any]


class Opened(Struct, frozen=True, kw_only=True):
    """A request that holds together, with the registry's entry for whoever signed it (None: not listed)."""

    verified: VerifiedRequest
    entry: VerifierEntry | None

    @property
    def asked(self) -> RequestObject:
        """The request itself."""
        return self.verified.request


class Opening(Struct, frozen=True, kw_only=True):
    """What opening needs.

    Attributes:
        encrypt_requests: whether verifiers that are posted to must encrypt their request objects to this wallet.
    """

    outbound: Outbound
    clock: Clock
    snapshot: Callable[[], RegistrySnapshot]
    encrypt_requests: bool = False

    async def open(self, source: str | DigitalRequest) -> Opened:
        """Return the request behind a link, or the one that a website made.

        Raises:
            OAuthError: it cannot be used; ``RefusedRequest`` where it is known whom to tell so.
            Denied: ``verifier_unknown``: a DID or a name without prefix that no registry lists.
            Unreachable: the verifier does not answer.
        """
        verified = await (self._fetch(parse_link(source)) if isinstance(source, str) else self._read(source))
        return Opened(verified=verified, entry=self.known(verified.request.client_id, verified.proof))

    def known(self, client: ClientId, proof: RequestProof) -> VerifierEntry | None:
        """Return the registry's entry for whoever *signed*; None when there is none.

        The key that verified the request must be one of the entry's own: an entry that names the client but not the key
        is no match, and the request is refused as forged.

        Raises:
            Malformed: ``certificate_untrusted``.
            Denied: ``verifier_unknown``: a name without prefix is nobody's unless it is registered.
        """
        entry = self.snapshot().find_verifier(client.text)
        if entry is None:
            if client.prefix is Prefix.PRE_REGISTERED:
                raise Denied(Code.VERIFIER_UNKNOWN, "no registry lists the name under which this request is made")
            return None
        if isinstance(proof, SignedByCertificate) and entry.anchor is not None:
            x509.validate_chain(proof.chain, [x509.from_base64(entry.anchor)], self.clock.now())
            # Nothing in the certificate names a client without prefix, and an authority may have others under it.
            leaf = public_jwk(x509.public_key(proof.chain[0]))
            if client.prefix is not Prefix.PRE_REGISTERED or thumbprint(leaf) in entry.key_thumbprints:
                return entry
        if isinstance(proof, SignedByDid) and thumbprint(proof.jwk) in entry.key_thumbprints:
            return entry
        if isinstance(proof, SignedByAttested) and thumbprint(proof.attestation.jwk) in entry.key_thumbprints:
            return entry
        raise Malformed(Code.CERTIFICATE_UNTRUSTED, "the request is signed with a key that the registry does not list")

    def who(self, found: Opened) -> dict[str, Any]:
        """Return separate facts: is this verifier known, may it ask for all of this, and who says so?"""
        asked, entry = found.asked, found.entry
        shown: dict[str, Any] = {
            "client_id": asked.client_id.text,
            "response_uri": asked.response_uri,
            "origin": asked.origin,
            "entitlement": None,
            "attested_by": None,
        }
        attested = entitlements.judge(asked, self.snapshot(), asked_claims(asked.query), at=self.clock.now())
        if attested is not None:
            shown["entitlement"] = attested.document()
        if entry is None:
            if attested is not None and attested.is_valid:
                may, code = attested.answer, attested.code.value
                return {**shown, "name": dict(attested.name), "known": True, "may_ask": may, "code": code}
            if (name := attesters.name_of(found.verified.proof)) is not None:
                who = attesters.issuer_name(found.verified.proof, self.snapshot())
                code = (attested.code if attested is not None else Code.VERIFIER_NOT_ENTITLED).value
                return {**shown, "name": name, "known": True, "may_ask": "failed", "code": code, "attested_by": who}
            unknown = attested.code if attested is not None else Code.VERIFIER_UNKNOWN
            return {**shown, "name": None, "known": False, "may_ask": "unknown", "code": unknown.value}
        decision = may_ask(self.snapshot(), entry, asked_claims(asked.query), None, at=self.clock.now())
        answer, code = decision.answer.value, decision.code
        if answer == "passed" and attested is not None and attested.answer != "passed":
            answer, code = attested.answer, attested.code  # what is shown along must hold as well
        return {**shown, "name": dict(entry.name), "known": True, "may_ask": answer, "code": code.value}

    def purposes(self, found: Opened) -> list[str]:
        """Return the purposes for which the registry, or else an entitlement, lets it ask for exactly this."""
        asked, entry = found.asked, found.entry
        claims, now = asked_claims(asked.query), self.clock.now()
        if entry is None:
            attested = entitlements.judge(asked, self.snapshot(), claims, at=now)
            return list(attested.purposes) if attested is not None else []
        listed = sorted({each.purpose for each in entry.may_ask if each.purpose})
        snapshot = self.snapshot()
        return [each for each in listed if may_ask(snapshot, entry, claims, each, at=now).answer.value == "passed"]

    # --- how it comes

    async def _fetch(self, link: RequestLink) -> VerifiedRequest:
        nonce = None
        if link.request_uri is None:
            if link.request is None:
                return request.read_unsigned(link)
            encoded = link.request
        elif link.method is RequestUriMethod.POST:
            nonce = base64url.encode(secrets.token_bytes(16))
            encoded = await self._posted(link.request_uri, nonce)
        else:
            encoded = await self._request_object(self.outbound.get_text(link.request_uri, REQUEST_TYPE))
        found = request.verify(encoded, client=link.client_id, at=self.clock.now(), wallet_nonce=nonce)
        return await self._resolved(found)

    async def _read(self, made: DigitalRequest) -> VerifiedRequest:
        found = digital_credentials.read(made.protocol, made.data, origin=made.origin, at=self.clock.now())
        return await self._resolved(found)

    async def _resolved(self, found: VerifiedRequest | Needs) -> VerifiedRequest:
        """Get what a request needs: an attester's keys from the registry, or the DID document of a listed DID."""
        if isinstance(found, VerifiedRequest):
            return found
        if isinstance(found, NeedsAttester):
            return found.resume(attesters.find(self.snapshot(), found.issuer, at=self.clock.now()).keys)
        client = f"{Prefix.DECENTRALIZED_IDENTIFIER.value}:{found.did}"
        if self.snapshot().find_verifier(client) is None:
            raise Denied(Code.VERIFIER_UNKNOWN, "no registry lists the identifier under which this request is made")
        fetched = await self.outbound.fetcher.fetch(FetchRequest(url=found.url))
        return found.resume(fetched.body)

    async def _posted(self, request_uri: str, nonce: str) -> str:
        """Fetch by POST, with a nonce of ours to be echoed; the object inside its encryption where we want that."""
        key = EncryptionKey.generate(base64url.encode(secrets.token_bytes(12))) if self.encrypt_requests else None
        posted = RequestUriPost(wallet_nonce=nonce, wallet_metadata=wallet_metadata(key.public_jwk if key else None))
        fetching = self.outbound.post_form_for_text(request_uri, posted.to_form(), REQUEST_TYPE)
        encoded = await self._request_object(fetching)
        return opened(encoded, key.private_jwk()) if key else encoded

    async def _request_object(self, fetching: Awaitable[str]) -> str:
        try:
            return await fetching
        except NotFound:
            detail = "the verifier does not have this request, or it was answered or expired"
            raise NotFound(Code.REQUEST_UNKNOWN, detail) from None


def asked_claims(query: dcql.Query) -> dict[CredentialType | None, set[str]]:
    """Return the claims that a query asks for, by credential type of the federation.

    None stands for what is asked of no type in particular, or of one that is not the federation's: no entitlement
    speaks of it. Queries for formats that this wallet does not hold can take nothing and are left out.
    """
    asked: dict[CredentialType | None, set[str]] = {}
    for each in query.credentials:
        if each.format in dcql.MATCHED_FORMATS:
            claims = {dcql.claim_of(each.format, claim.path) for claim in each.claims}
            for kind in _kinds(each):
                asked.setdefault(kind, set()).update(claims)
    return asked or {None: set()}


def _kinds(query: dcql.CredentialQuery) -> set[CredentialType | None]:
    """Return the types any of which answers; one of ours among several that must all be there is enough to know it."""
    kinds: set[CredentialType | None] = set()
    for names in dcql.named_types(query.meta) or ((),):
        kinds |= {kind for name in names if (kind := CredentialType.from_vct(name))} or {None}
    return kinds
