"""The examples behind RFC 9901, with the reference package ``sd-jwt`` on the other side, in both directions.

The inputs (``specification.yml``) are read in place; the package makes or reads the other half. Two of them are marked
for the JSON serialisation, which the house does not support: their claims run in the compact form like all others.
"""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jwcrypto.jwk import JWK
from sd_jwt.common import SDObj
from sd_jwt.holder import SDJWTHolder
from sd_jwt.issuer import SDJWTIssuer
from sd_jwt.utils.demo_utils import load_yaml_settings
from sd_jwt.utils.yaml_specification import load_yaml_specification, remove_sdobj_wrappers
from sd_jwt.verifier import SDJWTVerifier

from comity import jose, keys
from comity.credential import Format, SignedCredential
from comity.formats import sd_jwt, sd_jwt_vc
from comity.formats.concealing import conceal
from comity.formats.sd_jwt import process_payload
from tests.support.vectors import count, folder, vectors_folder
from tests.unit.formats.made import AUDIENCE, NONCE, NOW

KEY_ID = "did:web:issuer.example.com#key-1"
EXAMPLES = sorted(path.parent.name for path in (folder() / "sd-jwt" / "examples").glob("*/specification.yml"))
every_example = pytest.mark.parametrize("name", EXAMPLES or ["no published vectors"])


class Example:
    """One specification with the keys of its settings."""

    def __init__(self, name: str) -> None:
        examples: Path = vectors_folder("sd-jwt") / "examples"
        settings = load_yaml_settings(examples / "settings.yml")
        self.specification = load_yaml_specification(examples / name / "specification.yml")
        self.issuer = JWK(**settings["key_settings"]["issuer_keys"][0])
        self.holder = JWK(**settings["key_settings"]["holder_key"])
        registered = {
            "iss": settings["identifiers"]["issuer"],
            "iat": settings["iat"],
            "exp": settings["exp"],
            "vct": f"https://types.example/{name}",
        }
        self.marked = registered | self.specification["user_claims"]
        self.marked.pop("cnf", None)  # one example shows an abbreviated key; the holder's stands there instead
        self.claims: dict[str, Any] = remove_sdobj_wrappers(self.marked)
        self.seed = settings["random_seed"]

    def issued_by_them(self) -> str:
        random.seed(self.seed)
        issuer = SDJWTIssuer(
            self.marked,
            self.issuer,
            self.holder,
            add_decoy_claims=self.specification.get("add_decoy_claims", False),
            extra_header_parameters={"typ": "dc+sd-jwt", "kid": KEY_ID},
        )
        return str(issuer.sd_jwt_issuance)

    def issued_by_us(self) -> str:
        concealed = conceal(self.claims, list(_marked_paths(self.marked)), decoys=3)
        payload = concealed.payload | {"cnf": {"jwk": self.holder.export_public(as_dict=True)}}
        jwt = jose.sign({"typ": "dc+sd-jwt", "kid": KEY_ID}, payload, _signer(self.issuer))
        return sd_jwt.combine(jwt, concealed.disclosures)

    def read_by_them(self, text: str, question: tuple[str | None, str | None] = (None, None)) -> dict[str, Any]:
        verifier = SDJWTVerifier(text, lambda _issuer, _header: JWK.from_json(self.issuer.export_public()), *question)
        payload: dict[str, Any] = verifier.get_verified_payload()
        return payload

    def read_by_us(self, text: str) -> dict[str, Any]:
        credential = sd_jwt_vc.open_presentation(text).credentials[0]
        sd_jwt_vc.check_header(credential)
        jose.verify(credential.jws, keys.public_key(self.issuer.export_public(as_dict=True)))
        return dict(sd_jwt_vc.process(credential).document)


def _signer(key: JWK) -> keys.KeySigner:
    return keys.KeySigner.from_private_jwk(key.export_private(as_dict=True))


def _marked_paths(value: Any, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The paths of everything that the specification marks with !sd."""
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, child in steps:
        is_marked = isinstance(step, SDObj) or isinstance(child, SDObj)
        plain_step = step.value if isinstance(step, SDObj) else step
        plain_child = child.value if isinstance(child, SDObj) else child
        if is_marked:
            yield (*at, plain_step)
        yield from _marked_paths(plain_child, (*at, plain_step))


def _wanted_paths(value: Any, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The paths that the specification's holder discloses."""
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, child in steps:
        if child is True or child in ({}, None):
            yield (*at, step)
        else:
            yield from _wanted_paths(child, (*at, step))


@pytest.fixture(autouse=True)
def repeatable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SDJWTIssuer, "unsafe_randomness", True)
    # The package also fixes the time of its key binding; ours is checked at that very instant.
    monkeypatch.setattr("sd_jwt.holder.time", NOW.timestamp)


@every_example
def test_theirs_is_read_by_us_in_full(name: str) -> None:
    example = Example(name)
    text = example.issued_by_them()
    ours = example.read_by_us(text)
    assert ours == example.claims | {"cnf": {"jwk": example.holder.export_public(as_dict=True)}}
    assert ours == example.read_by_them(text)
    count("sd-jwt", 1)


@every_example
@pytest.mark.parametrize("is_bound", [True, False])
def test_what_their_holder_discloses_is_read_by_us(name: str, is_bound: bool) -> None:
    example = Example(name)
    holder = SDJWTHolder(example.issued_by_them())
    chosen = example.specification["holder_disclosed_claims"]
    if is_bound:
        holder.create_presentation(chosen, NONCE, AUDIENCE, example.holder)
    else:
        holder.create_presentation(chosen)
    text = holder.sd_jwt_presentation
    assert example.read_by_us(text) == example.read_by_them(text)
    presentation = sd_jwt_vc.open_presentation(text)
    assert (presentation.proof is not None) == is_bound
    if is_bound:
        jwk = example.holder.export_public(as_dict=True)
        sd_jwt_vc.check_holder_proof(presentation, jwk, audience=AUDIENCE, nonce=NONCE, at=NOW)
    count("sd-jwt", 1)


@every_example
def test_ours_is_read_by_them_in_full(name: str) -> None:
    example = Example(name)
    text = example.issued_by_us()
    theirs = example.read_by_them(text)
    assert theirs == example.claims | {"cnf": {"jwk": example.holder.export_public(as_dict=True)}}
    assert theirs == example.read_by_us(text)
    count("sd-jwt", 1)


@every_example
@pytest.mark.parametrize("is_bound", [True, False])
def test_what_our_holder_discloses_is_read_by_them(name: str, is_bound: bool) -> None:
    example = Example(name)
    held = SignedCredential(format=Format.DC_SD_JWT, encoded=example.issued_by_us())
    wanted = list(_wanted_paths(example.specification["holder_disclosed_claims"]))
    signer = _signer(example.holder) if is_bound else None
    text = sd_jwt_vc.present(held, wanted, signer, audience=AUDIENCE, nonce=NONCE, at=NOW)
    theirs = example.read_by_them(text, (AUDIENCE, NONCE) if is_bound else (None, None))
    assert theirs == example.read_by_us(text)
    count("sd-jwt", 1)


def test_every_published_example_ran() -> None:
    vectors_folder("sd-jwt")
    assert len(EXAMPLES) == 15


def test_the_worked_example_of_the_rfc_is_processed() -> None:
    """RFC 9901 §5.1: the Disclosure of ``given_name`` and its digest, as printed there."""
    printed = "WyIyR0xDNDJzS1F2ZUNmR2ZyeU5STjl3IiwgImdpdmVuX25hbWUiLCAiSm9obiJd"
    digest = "jsu9yVulwQQlhFlM_3JlzMaSFzglhQG0DpfayQwLUK4"
    assert process_payload({"_sd": [digest]}, [printed]).payload == {"given_name": "John"}
    random.seed(0)
    example = Example("simple")
    assert digest in sd_jwt_vc.open_presentation(example.issued_by_them()).credentials[0].payload["_sd"]
