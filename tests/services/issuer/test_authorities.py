"""Several authorities in one deployment: each verifies by its own registry entry, and none can sign as another."""

import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from msgspec.structs import replace

import schemas
from comity import strict_json
from comity.credential import Format, SignedCredential
from comity.errors import Code, Misconfigured, NotFound
from comity.formats import FORMATS
from comity.keys import KeySigner
from comity.runtime.keystore import FileKeyStore
from comity.trust.snapshot import RegistrySnapshot
from comity.verification.checks import Result, Verdict
from comity.verification.credential import Demand, HolderDemand
from comity.verification.evidence import Needs, Obtained, Source
from comity.verification.presentation import verify_held
from comity.verification.status import StatusDemand
from issuer import authorities, catalog, issuing
from issuer.authorities import Authority
from issuer.status_host import StatusHost
from issuer.store.credentials import Slot
from tests.services.issuer.deployed import AUTHORITIES, BC, NOW, ON, PERSON, PUBLIC_URL, STATUS_URL, Deployed, Place

AUDIENCE, NONCE = "x509_hash:verifier", "a-nonce-of-this-request"


def snapshot(issuer: Deployed) -> RegistrySnapshot:
    """Return a registry that says of each authority what it says of itself, and accredits it for its types."""
    documents: dict[str, Any] = {
        "federation.json": {
            "version": 1,
            "members": [
                {"id": each, "name": {"en": each, "fr": each}, "level": "province", "since": "2026-01-01"}
                for each in ("ca-on", "ca-bc")
            ],
            "types": [
                {
                    "id": "person/1",
                    "vct": "https://types.comity.example/person/1",
                    "digest": schemas.digest("person", 1),
                }
            ],
            "delegations": [{"to": each, "types": ["person/1"]} for each in ("ca-on", "ca-bc")],
            "recognition_default": {"accept": "members"},
        }
    }
    for path, authority in issuer.deployment.authorities.items():
        entry = authority.registry_entry() | {"accreditations": [{"type": "person/1", "from": "2026-01-01"}]}
        documents[f"{path.rpartition('/')[0]}/issuers.json"] = {"issuers": [entry]}
    targets = {name: strict_json.serialise(document) for name, document in documents.items()}
    return RegistrySnapshot.from_targets(targets, fetched_at=NOW, expires_at=NOW + timedelta(days=1))


async def fetched(issuer: Deployed, url: str) -> Obtained:
    """Fetch a DID document from the issuer, or a list from the status host."""
    if url.startswith(PUBLIC_URL):
        answer = await issuer.client.get(urlsplit(url).path)
    else:
        transport = httpx.ASGITransport(app=StatusHost(issuer.settings.status_directory))
        async with httpx.AsyncClient(transport=transport, base_url=STATUS_URL) as client:
            answer = await client.get(urlsplit(url).path)
    assert answer.status_code == 200, url
    return Obtained(body=answer.content, fetched_at=NOW, source=Source.FETCHED)


async def verify(issuer: Deployed, held: SignedCredential, holder: KeySigner) -> Result:
    """Verify a presentation as a relying party in PEI would, over the issuer's own HTTP."""
    presented = FORMATS[held.format].present(held, ("age_over_18",), holder, audience=AUDIENCE, nonce=NONCE, at=NOW)
    demand = Demand(at=NOW, place="ca-pe", holder=HolderDemand(audience=AUDIENCE, nonce=NONCE))
    outcome = verify_held(presented, demand=demand, status=StatusDemand(), snapshot=snapshot(issuer))
    while isinstance(outcome, Needs):
        outcome = outcome.resume({need.url: await fetched(issuer, need.url) for need in outcome.wanted})
    return outcome


def codes(result: Result) -> set[Code]:
    return {check.code for each in result.credentials for check in each.checks}


@pytest.mark.parametrize("path", [ON, BC])
@pytest.mark.parametrize("name", ["dc+sd-jwt", "vc+jwt"])
async def test_what_each_authority_issues_is_accepted_by_its_own_registry_entry(
    issuer: Deployed, path: str, name: str
) -> None:
    holder = KeySigner.generate()
    offer = await issuer.offer(role="all", authority=path, formats=[name])
    body = (await issuer.receive(offer, holder)).json()
    held = SignedCredential(format=Format(name), encoded=body["credentials"][0]["credential"])
    result = await verify(issuer, held, holder)
    assert result.verdict is Verdict.ACCEPTED, codes(result)


@pytest.mark.parametrize(("real", "claimed"), [(ON, BC), (BC, ON)])
@pytest.mark.parametrize("credential_format", list(Format))
@pytest.mark.attack("K08")
@pytest.mark.good_twin("K08")
async def test_no_authority_can_sign_as_the_other(
    issuer: Deployed, real: str, claimed: str, credential_format: Format
) -> None:
    forger, victim = issuer.deployment.authority(real), issuer.deployment.authority(claimed)
    holder = KeySigner.generate()
    entry = next(each for each in issuer.deployment.catalogs[real].values() if each.format is credential_format)
    # Every way to claim the other's name with one's own keys, and the unchanged twin.
    attempts: Mapping[str, Authority] = {
        "own name": forger,
        "the victim's name": replace(forger, issuer_id=victim.issuer_id, did=victim.did),
        "the victim's name and chain": replace(
            forger,
            issuer_id=victim.issuer_id,
            did=victim.did,
            credential_chain=victim.credential_chain,
        ),
        "the victim's name and the status key": replace(
            forger,
            issuer_id=victim.issuer_id,
            did=victim.did,
            credential_signer=forger.status_signer,
            did_signer=forger.status_signer,
            credential_chain=forger.status_chain,
        ),
    }
    for name, attempt in attempts.items():
        signed = sign(attempt, entry, holder)
        result = await verify(issuer, signed, holder)
        if name == "own name":
            assert result.verdict is Verdict.ACCEPTED, codes(result)
        else:
            assert result.verdict is Verdict.REJECTED, name


def sign(authority: Authority, entry: catalog.CatalogEntry, holder: KeySigner) -> SignedCredential:
    """Sign without the self-check, which would stop most forgeries before they leave."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("issuer.issuing.jose.verify", lambda *_: None)
        return issuing.sign(
            authority,
            entry,
            PERSON,
            holder_jwk=holder.public_jwk,
            slot=Slot(credential_id="x", list_number=1, index=5),
            issued_at=NOW,
            valid_until=NOW + timedelta(days=30),
        )


@pytest.mark.attack("K08")
async def test_the_status_key_signs_no_credential(issuer: Deployed) -> None:
    authority, holder = issuer.deployment.authority(ON), KeySigner.generate()
    wrong = replace(
        authority,
        credential_signer=authority.status_signer,
        credential_chain=authority.status_chain,
        did_signer=authority.status_signer,
    )
    for entry in issuer.deployment.catalogs[ON].values():
        if entry.type.slug == "person":
            assert (await verify(issuer, sign(wrong, entry, holder), holder)).verdict is Verdict.REJECTED


@pytest.mark.attack("K10")
@pytest.mark.good_twin("K10")
async def test_a_key_that_signs_wrongly_releases_nothing(issuer: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    offer = await issuer.offer()
    token = await issuer.token(offer)
    with monkeypatch.context() as patch:
        patch.setattr("comity.keys.KeySigner.sign", lambda *_: b"\x01" * 64)
        authority = issuer.deployment.authority(ON)
        entry = issuer.deployment.catalogs[ON]["person.1.sdjwt"]
        with pytest.raises(Misconfigured) as raised:
            issuing.sign(
                authority,
                entry,
                PERSON,
                holder_jwk=KeySigner.from_private_jwk(KeySigner.generate().private_jwk()).public_jwk,
                slot=Slot(credential_id="x", list_number=1, index=5),
                issued_at=NOW,
                valid_until=NOW + timedelta(days=30),
            )
    assert raised.value.code is Code.SIGNATURE_INVALID
    assert (await issuer.receive(offer, token=token)).status_code == 200


# --- keys and certificates


def open_on(place: Place, **changes: Any) -> Authority:
    description = authorities.load(place.folder / "authorities.json")[0]
    arguments: dict[str, Any] = {"public_url": PUBLIC_URL, "status_public_url": STATUS_URL, "at": NOW, **changes}
    return authorities.open_authority(FileKeyStore(place.folder / "data" / "keys"), description, **arguments)


def test_keys_are_made_once_and_stay(place: Place) -> None:
    store = FileKeyStore(place.folder / "data" / "keys")
    first, description = open_on(place), authorities.load(place.folder / "authorities.json")[0]
    made = authorities.create_keys(
        store, description, public_url=PUBLIC_URL, status_public_url=STATUS_URL, at=NOW + timedelta(days=1)
    )
    assert made == ()
    assert open_on(place).registry_entry() == first.registry_entry()
    signers = (first.credential_signer, first.did_signer, first.status_signer)
    assert len({signer.thumbprint for signer in signers}) == 3


def test_one_lost_key_is_made_anew_under_the_same_anchor(place: Place) -> None:
    before = open_on(place)
    for file in (place.folder / "data" / "keys" / ON).glob("status.*"):
        file.unlink()
    with pytest.raises(Misconfigured, match="lacks keys: status; run `comity issuer keys init`"):
        open_on(place)
    store, description = FileKeyStore(place.folder / "data" / "keys"), before.description
    made = authorities.create_keys(store, description, public_url=PUBLIC_URL, status_public_url=STATUS_URL, at=NOW)
    assert made == (f"{ON}/status",)
    after = open_on(place)
    assert after.anchor == before.anchor
    assert after.status_signer.thumbprint != before.status_signer.thumbprint
    assert after.credential_chain == before.credential_chain


def create_on(place: Place) -> tuple[str, ...]:
    description = authorities.load(place.folder / "authorities.json")[0]
    store = FileKeyStore(place.folder / "data" / "keys")
    return authorities.create_keys(store, description, public_url=PUBLIC_URL, status_public_url=STATUS_URL, at=NOW)


@pytest.mark.parametrize("lost", [("anchor", "credential", "status", "metadata"), ("status", "metadata")])
def test_who_was_stopped_between_keys_and_certificates_goes_on(place: Place, lost: tuple[str, ...]) -> None:
    before, folder = open_on(place), place.folder / "data" / "keys" / ON
    for purpose in lost:
        (folder / f"{purpose}.x5c.json").unlink()
    assert set(create_on(place)) == {f"{ON}/{each}" for each in lost if each != "anchor"}
    after = open_on(place)
    assert after.status_signer.thumbprint == before.status_signer.thumbprint
    assert (after.anchor == before.anchor) == ("anchor" not in lost)
    assert create_on(place) == ()


def test_an_anchor_that_leaves_stand_under_is_never_made_anew(place: Place) -> None:
    open_on(place)
    (place.folder / "data" / "keys" / ON / "anchor.x5c.json").unlink()
    with pytest.raises(NotFound, match="has no certificate chain"):
        create_on(place)


def test_a_key_under_the_certificate_of_another_signs_nothing(place: Place) -> None:
    """Its file was moved away, and whoever made a new one was stopped before the certificate."""
    open_on(place)
    (place.folder / "data" / "keys" / ON / "credential.pem").unlink()
    FileKeyStore(place.folder / "data" / "keys").create(f"{ON}/credential")
    with pytest.raises(Misconfigured, match="of another key"):
        open_on(place)
    assert create_on(place) == (f"{ON}/credential",)
    assert open_on(place).issuer_id == f"{PUBLIC_URL}/{ON}"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"public_url": "http://localhost:9999"}, "names another URL"),
        ({"status_public_url": "http://localhost:9999"}, "names another URL"),
        ({"public_url": f"{PUBLIC_URL}/path"}, "must have no path"),
        ({"at": NOW + timedelta(days=731)}, "not valid at this time"),
    ],
)
def test_certificates_that_say_something_else_stop_the_start(place: Place, changes: dict[str, Any], says: str) -> None:
    assert open_on(place).issuer_id == f"{PUBLIC_URL}/{ON}"
    with pytest.raises(Misconfigured, match=says):
        open_on(place, **changes)


# --- the authorities file


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"authority": "ca-on"}, "named"),
        ({"authority": "CA-ON/services"}, "named"),
        ({"authority": 1}, "named"),
        ({"jurisdiction": "ca-bc"}, "named"),
        ({"name": {"en": "x"}}, "English and a French"),
        ({"name": {"en": "x", "fr": 1}}, "English and a French"),
        ({"types": []}, "types must be a list"),
        ({"types": ["cat/1"]}, "not one of schemas/"),
        ({"types": ["person"]}, "not one of schemas/"),
        ({"types": [1]}, "not one of schemas/"),
        ({"colour": "red"}, "described by"),
    ],
)
def test_a_wrong_description_is_named(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    file = tmp_path / "authorities.json"
    file.write_text(json.dumps([AUTHORITIES[0]]))
    assert authorities.load(file)[0].path == ON
    file.write_text(json.dumps([AUTHORITIES[0] | change]))
    with pytest.raises(Misconfigured, match=says):
        authorities.load(file)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("[]", "at least one"),
        ("{}", "at least one"),
        ("[", "authorities file"),
        ("[1]", "described by"),
        (json.dumps([AUTHORITIES[0]] * 2), "twice"),
    ],
)
def test_a_wrong_authorities_file_is_named(tmp_path: Path, content: str, says: str) -> None:
    file = tmp_path / "authorities.json"
    with pytest.raises(Misconfigured, match="cannot be read"):
        authorities.load(file)
    file.write_text(content)
    with pytest.raises(Misconfigured, match=says):
        authorities.load(file)
