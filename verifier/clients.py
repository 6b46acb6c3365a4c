"""Websites that let people sign in here: how the operator registers them, and how they show who they are."""

import hashlib
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import unquote_plus

import structlog
from msgspec import Struct, field

from comity import base64url, keys, strict_json
from comity.errors import Code, ComityError, Malformed, NotFound
from comity.openid import client_assertion
from comity.openid.authorization import is_redirect_uri
from comity.openid.refusal import OAuthError, OAuthErrorCode, Refusal
from comity.ports import Clock, Jwk
from comity.runtime.database import Database
from comity.runtime.keystore import seal, unseal
from comity.trust.places import PROVINCES_AND_TERRITORIES
from verifier import bridge_store
from verifier.bridge_store import Client
from verifier.policies import Ask

SECRET, KEY, PUBLIC = "client_secret", client_assertion.METHOD, "none"
MAX_NAME, MAX_URIS, MAX_KEYS = 200, 16, 8
CURVES = ("P-256", "P-384", "Ed25519")
_MARGIN = timedelta(minutes=2)
_REFUSE = Refusal(code=Code.CLIENT_NOT_AUTHENTICATED, error=OAuthErrorCode.INVALID_CLIENT)

_log = structlog.get_logger("verifier")


class Proven(Struct, frozen=True, kw_only=True):
    """A website that showed who it is; ``used`` is an assertion's digest and how long it must be remembered."""

    client: Client
    used: tuple[str, datetime] | None = None


class Wish(Struct, frozen=True, kw_only=True):
    """What the operator says of a new website; see :class:`verifier.bridge_store.Client`."""

    name: Mapping[str, str]
    redirect_uris: tuple[str, ...]
    policies: tuple[str, ...]
    place: str = ""
    method: str = SECRET
    jwks: Mapping[str, Any] = field(default_factory=dict)
    subject_claim: str = ""


class Clients(Struct, frozen=True, kw_only=True):
    """The use case, with what it needs.

    Attributes:
        database: where websites are kept.
        clock: the time.
        seal: under which salts are sealed.
        issuer: the bridge's issuer identifier: what assertions must be meant for.
    """

    database: Database
    clock: Clock
    seal: bytes
    issuer: str

    # --- the operator

    async def add(self, wish: Wish, asks: Mapping[str, Ask]) -> tuple[Client, str]:
        """Register a website and return it with its secret, which is kept as a hash only; empty where it has none.

        Args:
            wish: what the operator says.
            asks: every policy of the installation that can be asked in the website's place, made ready.

        Raises:
            Malformed: a name, an address, a policy, a place, a key or the claim for ``sub`` is not one that can be.
        """
        _check(wish, asks)
        client_id, secret = secrets.token_hex(12), _secret() if wish.method == SECRET else ""
        client = Client(
            id=client_id,
            name=dict(wish.name),
            redirect_uris=wish.redirect_uris,
            policies=wish.policies,
            place=wish.place,
            method=wish.method,
            secret_hash=_digest(secret) if secret else None,
            jwks=_keys(wish.jwks) if wish.method == KEY else {},
            subject_claim=wish.subject_claim,
            sealed_salt=seal(self.seal, secrets.token_bytes(32), context=_context(client_id)),
        )
        await self.database.write(partial(bridge_store.add_client, client=client, at=self.clock.now()))
        _log.info("client added", client=client_id, method=client.method, policies=list(client.policies))
        return client, secret

    async def renew(self, client_id: str) -> str:
        """Give a website a new secret, the old one being worth nothing from now on, and let it in after a restore.

        Returns:
            The secret; empty for a website without one, which is only let in.

        Raises:
            NotFound: there is no such website.
        """
        known = {each.id: each for each in await self.every() if not each.is_removed}
        if client_id not in known:
            raise _unknown()
        secret = _secret() if known[client_id].method == SECRET else ""
        hashed = _digest(secret) if secret else None
        renew = partial(bridge_store.renew_client, client_id=client_id, secret_hash=hashed, at=self.clock.now())
        if not await self.database.write(renew):
            raise _unknown()
        _log.info("client renewed", client=client_id)
        return secret

    async def remove(self, client_id: str) -> None:
        """End a website's rights at once, sign-ins under way among them. Its name is never given again.

        Raises:
            NotFound: there is no such website.
        """
        remove = partial(bridge_store.remove_client, client_id=client_id, at=self.clock.now())
        if not await self.database.write(remove):
            raise _unknown()
        _log.info("client removed", client=client_id)

    async def every(self) -> tuple[Client, ...]:
        """Return every website that there is or was."""
        return await self.database.read(bridge_store.list_clients)

    # --- the website

    async def find(self, client_id: str) -> Client | None:
        """Return the website of this name if it may do something, or None."""
        if not client_id.isascii() or not client_id.isalnum() or len(client_id) > 43:
            return None  # no such text reaches a database (catalogue W14)
        return await self.database.read(partial(bridge_store.find_client, client_id=client_id))

    async def authenticate(self, authorization: str | None, form: Mapping[str, str]) -> Proven:
        """Return the website that a token request is from (Core §9; RFC 6749 §2.3, RFC 7523).

        A website shows who it is as it was registered: by its secret in the header or in the form, by an assertion
        signed with its key, or, where it can keep no secret, by its name alone, its code being bound to a challenge.

        Raises:
            OAuthError: ``invalid_client``; ``invalid_request`` for two ways at once.
        """
        is_asserted = "client_assertion" in form or "client_assertion_type" in form
        if sum((authorization is not None, "client_secret" in form, is_asserted)) > 1:  # RFC 6749 §2.3
            raise OAuthError(Code.REQUEST_INVALID, "a client authenticates in one way at a time")
        if is_asserted:
            return await self._asserted(form)
        named, secret = form.get("client_id", ""), form.get("client_secret")
        if authorization is not None:
            named, secret = _basic(authorization)
            if form.get("client_id", named) != named:
                raise _REFUSE("the header and the form name two clients")
        client = await self.find(named)
        if client is None or client.method != (PUBLIC if secret is None else SECRET):
            raise _REFUSE("the client is not known, or must show in another way who it is")
        if secret is not None and not secrets.compare_digest(_digest(secret), client.secret_hash or ""):
            raise _REFUSE("the client's secret is wrong")
        return Proven(client=client)

    async def _asserted(self, form: Mapping[str, str]) -> Proven:
        named = form.get("client_id") or _subject_of(form.get("client_assertion", ""))
        client = await self.find(named)
        if client is None or client.method != KEY:
            raise _REFUSE("the client is not known, or must show in another way who it is")
        registered = {client.id: client.jwks}
        found = client_assertion.check(form, audience=self.issuer, registered=registered, at=self.clock.now())
        return Proven(client=client, used=(_digest(f"{client.id} {found.jti}"), found.expires_at + _MARGIN))

    def salt(self, client: Client) -> bytes:
        """Return the secret bytes that make a website's ``sub`` its own."""
        return unseal(self.seal, client.sealed_salt, context=_context(client.id))


def _check(wish: Wish, asks: Mapping[str, Ask]) -> None:
    names = [wish.name.get(language, "").strip() for language in ("en", "fr")]
    if not all(0 < len(each) <= MAX_NAME and each.isprintable() for each in names):
        raise Malformed(Code.MALFORMED, f"a website's names have 1 to {MAX_NAME} printable characters")
    if not 0 < len(wish.redirect_uris) <= MAX_URIS or not all(is_redirect_uri(each) for each in wish.redirect_uris):
        detail = "each redirect address must be https, a loopback address, or a private scheme such as org.example.app"
        raise Malformed(Code.URL_NOT_ALLOWED, detail)
    if wish.place and wish.place not in PROVINCES_AND_TERRITORIES:
        raise Malformed(Code.PLACE_UNKNOWN, "no province or territory has this code")
    if not wish.policies or not all(each in asks for each in wish.policies):
        raise Malformed(Code.POLICY_UNKNOWN, f"name what may be asked there, of {', '.join(asks)}")
    if not all(asks[each].query.always_proves_holder for each in wish.policies):
        detail = "nobody is signed in by a credential that is asked for without a proof by its holder"
        raise Malformed(Code.POLICY_UNKNOWN, detail)
    if wish.method not in {SECRET, KEY, PUBLIC}:
        raise Malformed(Code.MALFORMED, f"a website shows who it is by {SECRET}, {KEY} or {PUBLIC}")
    if wish.subject_claim:
        _check_subject(wish, asks)


def _check_subject(wish: Wish, asks: Mapping[str, Ask]) -> None:
    """Refuse a claim that not every policy asks for, or that says the same of many people."""
    for policy in wish.policies:
        asked = {str(each.path[-1]) for query in asks[policy].query.credentials for each in query.claims}
        if wish.subject_claim not in asked:
            raise Malformed(Code.POLICY_UNKNOWN, f"the policy {policy} does not ask for the claim of the subject")
    if not wish.subject_claim.endswith("_number"):
        detail = "a subject is made of a number that one person alone has, such as certification_number"
        raise Malformed(Code.CLAIMS_INVALID, detail)


def _keys(jwks: Mapping[str, Any]) -> dict[str, Jwk]:
    """Return the keys of a JWK Set by ``kid``, by thumbprint where they have none.

    Keys of other kinds and for other uses are passed over (RFC 7517 §5): Keycloak publishes all that it has.
    Those that remain must be usable, and one must remain.
    """
    listed = jwks.get("keys")
    if not isinstance(listed, list) or not 0 < len(listed) <= MAX_KEYS:
        raise Malformed(Code.MALFORMED_KEY, f"a JWK Set of 1 to {MAX_KEYS} public keys is needed")
    found: dict[str, Jwk] = {}
    for each in listed:
        if not isinstance(each, dict):
            raise Malformed(Code.MALFORMED_KEY, "a key of the JWK Set is no object")
        if _is_of_another_kind(each):
            continue
        bare = keys.public_jwk(keys.public_key(each))
        kid = str(each.get("kid") or keys.thumbprint(bare))
        if found.setdefault(kid, bare) != bare:
            raise Malformed(Code.MALFORMED_KEY, "two different keys of the JWK Set have one kid")
    if not found:
        raise Malformed(Code.MALFORMED_KEY, "no key of the JWK Set is one for ES256, ES384 or EdDSA")
    return found


def _is_of_another_kind(jwk: Jwk) -> bool:
    """Say whether a key is one that nothing here can be signed with; a private one is never passed over."""
    is_ours = jwk.get("crv") in CURVES and jwk.get("use", "sig") == "sig"
    return not is_ours and keys.PRIVATE_MEMBERS.isdisjoint(jwk)


def _basic(authorization: str) -> tuple[str, str]:
    """Return name and secret of a Basic header; both are form-encoded within (RFC 6749 §2.3.1)."""
    scheme, _, encoded = authorization.partition(" ")
    try:
        if scheme.lower() != "basic":
            raise ValueError(scheme)
        text = base64url.decode(encoded.strip().rstrip("=").replace("+", "-").replace("/", "_")).decode("ascii")
    except (ValueError, ComityError):
        raise _REFUSE("the Authorization header is not a client's name and secret") from None
    named, _, secret = text.partition(":")
    return unquote_plus(named), unquote_plus(secret)


def _subject_of(assertion: str) -> str:
    """Return whom an assertion names, for looking up the keys it is then checked with; empty when it cannot be read."""
    try:
        payload = strict_json.parse_object(base64url.decode(assertion.split(".")[1]))
    except (IndexError, Malformed):
        return ""
    return str(payload.get("sub", ""))


def _unknown() -> NotFound:
    return NotFound(Code.CLIENT_UNKNOWN, "there is no such website; see 'comity verifier client list'")


def _secret() -> str:
    return base64url.encode(secrets.token_bytes(32))


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def _context(client_id: str) -> bytes:
    return f"verifier/client/{client_id}/salt".encode()
