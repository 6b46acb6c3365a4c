"""The same work by other packages, in the same process, taking turns: ``sd-jwt``, ``joserfc`` and ``pyjwt`` from PyPI.

A ratio below 1 means that ours takes less CPU than the peer. The work is not quite the same: our *verify* runs twelve
checks with trust and status from memory, the peers check signatures and digests. Keys are objects on every side.
"""

from collections.abc import Callable
from typing import Any

import jwt
from joserfc import jwk as joserfc_jwk
from joserfc import jwt as joserfc_jwt
from jwcrypto.jwk import JWK
from sd_jwt.common import SDObj
from sd_jwt.holder import SDJWTHolder
from sd_jwt.issuer import SDJWTIssuer
from sd_jwt.verifier import SDJWTVerifier

from benchmarks.credentials import Row, minima
from comity import formats, jose
from comity.credential import Format
from comity.keys import KeySigner, public_key
from tests.support.world import AUDIENCE, DEMO_CLAIMS, LICENCE, NONCE, World


def measure() -> list[Row]:
    """Run each piece of work beside the same by a peer, in turn; each pair is one row."""
    candidates = {**sd_jwt(), **tokens()}
    pairs = (
        ("issue SD-JWT VC, 10 disclosures", "ours issue", "sd-jwt issue", "sd-jwt 0.10"),
        ("wallet: read a credential and present it, all 10 disclosed", "ours present", "sd-jwt present", "sd-jwt 0.10"),
        ("verify SD-JWT VC + KB: twelve checks, 10 disclosures", "ours verify", "sd-jwt verify", "sd-jwt 0.10"),
        ("sign a JWT", "ours sign", "pyjwt sign", "pyjwt"),
        ("sign a JWT", "ours sign", "joserfc sign", "joserfc"),
        ("read and verify a JWT", "ours read", "pyjwt read", "pyjwt"),
        ("read and verify a JWT", "ours read", "joserfc read", "joserfc"),
    )
    rows = []
    for what, ours, peer, package in pairs:
        best = minima({name: candidates[name] for name in (ours, peer)})
        rows.append(
            Row(measure=what, against=f"{package} (peer)", ours_us=best[ours], yardstick_us=best[peer], must=1.0)
        )
    return rows


def sd_jwt() -> dict[str, Callable[[], object]]:
    """Return issuing, presenting and verifying an SD-JWT VC, by us and by ``sd-jwt``."""
    world = World()
    snapshot = world.snapshot()
    held = world.issue(world.on, Format.DC_SD_JWT, LICENCE)
    kind, chain = formats.FORMATS[Format.DC_SD_JWT], world.on.x5c
    unsigned = world.credential(world.on, Format.DC_SD_JWT, LICENCE)
    claims = tuple(unsigned.claims)
    shown = world.present(held, claims)
    issuer_key, holder_key = JWK.generate(kty="EC", crv="P-256"), JWK.generate(kty="EC", crv="P-256")
    marked: dict[Any, Any] = {SDObj(name): value for name, value in DEMO_CLAIMS[LICENCE].items()}
    marked |= {"iss": "https://issuer.example", "iat": 1_700_000_000, "vct": "https://types.example/licence"}

    def issue() -> str:
        return str(SDJWTIssuer(marked, issuer_key, holder_key).sd_jwt_issuance)

    def present(issued: str) -> str:
        holder = SDJWTHolder(issued)
        holder.create_presentation(dict.fromkeys(DEMO_CLAIMS[LICENCE], True), NONCE, AUDIENCE, holder_key)
        return str(holder.sd_jwt_presentation)

    theirs = issue()
    presented = present(theirs)

    def verify() -> object:
        return SDJWTVerifier(presented, lambda _issuer, _header: issuer_key, AUDIENCE, NONCE).get_verified_payload()

    if len(verify()) < len(claims):  # type: ignore[arg-type]  # a mapping
        raise AssertionError("the peer must disclose everything too")
    return {
        "ours issue": lambda: kind.sign(unsigned, world.on.key, chain),
        "sd-jwt issue": issue,
        "ours present": lambda: world.present(held, claims),
        "sd-jwt present": lambda: present(theirs),
        "ours verify": lambda: world.verify(shown, snapshot=snapshot),
        "sd-jwt verify": verify,
    }


TOKEN: tuple[dict[str, Any], dict[str, Any]] = (
    {"typ": "vc+jwt", "kid": "did:web:issuer.example#credential-1"},
    {"iss": "https://issuer.example", "vc": dict(DEMO_CLAIMS[LICENCE]), "filler": "x" * 600},
)
"""Header and payload of the JWT that is signed and read."""


def tokens() -> dict[str, Callable[[], object]]:
    """Sign and read one JWT of the size of a credential; times are left out, for nobody else would look at them."""
    signer = KeySigner.generate()
    header, payload = TOKEN
    private, public = signer.private_key, public_key(signer.public_jwk)
    token = jose.sign(header, payload, signer)
    key = joserfc_jwk.ECKey.import_key(signer.to_pem())

    def read() -> object:
        jws = jose.parse(token)
        jose.verify(jws, public)
        return jose.payload_object(jws)

    return {
        "ours sign": lambda: jose.sign(header, payload, signer),
        "pyjwt sign": lambda: jwt.encode(payload, private, algorithm="ES256", headers=header),  # noqa: TID251
        "joserfc sign": lambda: joserfc_jwt.encode({"alg": "ES256", **header}, payload, key),
        "ours read": read,
        "pyjwt read": lambda: jwt.decode(token, public, algorithms=["ES256"]),  # noqa: TID251
        "joserfc read": lambda: joserfc_jwt.decode(token, key, algorithms=["ES256"]),
    }
