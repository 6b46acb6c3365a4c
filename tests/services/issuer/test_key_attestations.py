"""Key attestations at the issuer (OpenID4VCI appendices D and F; HAIP §4.5; I18), each defect with its good twin."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Connection, func, select

from comity import keys
from comity.errors import Misconfigured
from comity.keys import KeySigner
from comity.openid import key_proof
from comity.openid.issuance.metadata import IssuerMetadata
from comity.openid.key_attestation import BASIC, Demand
from issuer import authorities
from issuer.store.tables import credentials, nonces
from tests.services.issuer.deployed import AUTHORITIES, LICENCE, NOW, ON, PUBLIC_URL, Deployed, Place, running
from tests.support.attesting import Provider
from tests.support.forging import flipped, payload_of

SERVER = f"{PUBLIC_URL}/{ON}"
LICENCE_ID, PERSON_ID = "drivers-licence.1.sdjwt", "person.1.sdjwt"
PROVIDER, STRANGER = Provider(NOW), Provider(NOW)


def attested(place: Place, **levels: list[str]) -> dict[str, Any]:
    """Let the licence need key attestations; return the settings that trust a provider."""
    described = [{**AUTHORITIES[0], "key_attestations": {"drivers-licence/1": levels}}, *AUTHORITIES[1:]]
    (place.folder / "authorities.json").write_text(json.dumps(described), "utf-8")
    (place.folder / "providers.json").write_text(json.dumps([PROVIDER.entry()]), "utf-8")
    return {"wallet_providers_file": place.folder / "providers.json"}


@dataclass
class Asking:
    """Somebody with an access token for three copies of one credential."""

    issuer: Deployed
    token: str
    configuration: str
    one: KeySigner = field(default_factory=KeySigner.generate)
    two: KeySigner = field(default_factory=KeySigner.generate)

    @classmethod
    async def begin(cls, issuer: Deployed, configuration: str = LICENCE_ID) -> "Asking":
        is_licence = configuration == LICENCE_ID
        kind: dict[str, Any] = {"type": "drivers-licence/1", "claims": LICENCE} if is_licence else {}
        offer = await issuer.offer(batch=3, formats=["dc+sd-jwt"], **kind)
        return cls(issuer, await issuer.token(offer), configuration)

    async def send(self, **proofs: list[str]) -> httpx.Response:
        body = {"credential_configuration_id": self.configuration, "proofs": proofs}
        headers = {"authorization": f"Bearer {self.token}"}
        return await self.issuer.client.post(f"/{ON}/credential", json=body, headers=headers)

    def proof(self, holder: KeySigner, nonce: str, attestation: str | None) -> str:
        return key_proof.build(holder, audience=SERVER, nonce=nonce, issued_at=NOW, attestation=attestation)

    async def by_proof(self, *, holder: KeySigner | None = None, **changes: Any) -> httpx.Response:
        """Send one ``jwt`` proof with an attestation of one key, with ``changes`` in the attestation."""
        nonce = await self.issuer.nonce()
        holders = changes.pop("holders", (self.one,))
        made = PROVIDER.key_attestation(*holders, **{"nonce": nonce, **changes})
        return await self.send(jwt=[self.proof(holder or self.one, nonce, made)])

    async def alone(self, *holders: KeySigner, **changes: Any) -> httpx.Response:
        made = PROVIDER.key_attestation(*holders, **{"nonce": await self.issuer.nonce(), **changes})
        return await self.send(attestation=[made])


@pytest.fixture
async def issuer(place: Place) -> AsyncIterator[Deployed]:
    async with running(place, **attested(place, key_storage=[BASIC, "iso_18045_high"])) as deployed:
        yield deployed


@pytest.fixture
async def asking(issuer: Deployed) -> Asking:
    return await Asking.begin(issuer)


async def rows(issuer: Deployed) -> tuple[int, ...]:
    def count(connection: Connection) -> tuple[int, ...]:
        counts = [select(func.count()).select_from(each) for each in (credentials, nonces)]
        return tuple(connection.execute(each).scalar_one() for each in counts)

    return await issuer.deployment.database.read(count)


def bound_to(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    held = [payload_of(each["credential"])["cnf"]["jwk"] for each in answer.json()["credentials"]]
    return [keys.thumbprint(jwk) for jwk in held]


def refused(answer: httpx.Response, error: str = "invalid_proof") -> None:
    assert (answer.status_code, answer.json()["error"]) == (400, error), answer.text


async def test_what_the_metadata_say(issuer: Deployed) -> None:
    answer = await issuer.client.get(f"/.well-known/openid-credential-issuer/{ON}")
    found = IssuerMetadata.parse(answer.content, credential_issuer=SERVER).configurations
    assert found[LICENCE_ID].key_attestation == Demand(key_storage=(BASIC, "iso_18045_high"))
    assert found[PERSON_ID].key_attestation is None
    assert found[PERSON_ID].attestation_algorithms == found[PERSON_ID].proof_algorithms


async def test_a_proof_with_its_attestation(asking: Asking) -> None:
    assert bound_to(await asking.by_proof()) == [asking.one.thumbprint]


async def test_an_attestation_alone_gets_one_credential_for_each_key(asking: Asking) -> None:
    answer = await asking.alone(asking.one, asking.two)
    assert bound_to(answer) == [asking.one.thumbprint, asking.two.thumbprint]
    assert await rows(asking.issuer) == (2, 1)


async def test_one_proof_for_a_batch_of_attested_keys(asking: Asking) -> None:
    others = [KeySigner.generate() for _ in range(3)]
    answer = await asking.by_proof(holder=asking.two, holders=(asking.one, asking.two, *others))
    # The proven key first, then the attested ones, as many as the offer allows.
    assert bound_to(answer) == [asking.two.thumbprint, asking.one.thumbprint, others[0].thumbprint]


async def test_where_none_is_needed_a_bare_proof_does_and_one_alone_too(issuer: Deployed) -> None:
    person = await Asking.begin(issuer, PERSON_ID)
    nonce = await issuer.nonce()
    assert bound_to(await person.send(jwt=[person.proof(person.one, nonce, None)])) == [person.one.thumbprint]
    other = await Asking.begin(issuer, PERSON_ID)
    assert bound_to(await other.alone(other.two)) == [other.two.thumbprint]
    third = await Asking.begin(issuer, PERSON_ID)
    refused(await third.by_proof(signer=STRANGER.signer))  # one that is sent is still held to be true


@pytest.mark.attack("I18")
@pytest.mark.good_twin("I18")
async def test_a_defect_changes_nothing(asking: Asking) -> None:
    stranger = KeySigner.generate()
    defects: dict[str, dict[str, Any]] = {
        "attester unknown": {"signer": STRANGER.signer},
        "its name over another signature": {
            "signer": STRANGER.signer,
            "header": {"kid": PROVIDER.signer.thumbprint},
        },
        "self-signed": {"signer": asking.one, "header": {"jwk": dict(asking.one.public_jwk)}},
        "chain of somebody else": {"chain": STRANGER.chain},
        "key of the proof not attested": {"holder": stranger},
        "a key twice": {"holders": (asking.one, asking.one)},
        "too many keys": {"holders": (asking.one, *(KeySigner.generate() for _ in range(8)))},
        "private key": {"payload": {"attested_keys": [asking.one.private_jwk()]}},
        "expired": {"payload": {"exp": int(NOW.timestamp()) - 60}},
        "without end": {"payload": {"exp": ...}},
        "no nonce": {"nonce": None},
        "lower level": {"payload": {"key_storage": ["iso_18045_enhanced-basic"]}},
        "no level": {"payload": {"key_storage": ...}},
        "of another type": {"header": {"typ": "oauth-client-attestation+jwt"}},
        "revocable": {"payload": {"status": {"status_list": {"idx": 1, "uri": "https://wallet.example/1"}}}},
    }
    for name, changes in defects.items():
        answer = await asking.by_proof(**changes)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_proof"), (name, answer.text)
        assert await rows(asking.issuer) == (0, 0), name
    refused(await asking.by_proof(nonce="guess"), "invalid_nonce")
    assert bound_to(await asking.by_proof()) == [asking.one.thumbprint]


@pytest.mark.attack("I18")
@pytest.mark.good_twin("I18")
async def test_a_needed_attestation_that_is_missing(asking: Asking) -> None:
    nonce = await asking.issuer.nonce()
    refused(await asking.send(jwt=[asking.proof(asking.one, nonce, None)]))
    refused(await asking.send(jwt=[asking.proof(asking.one, nonce, "garbage")]))
    assert await rows(asking.issuer) == (0, 0)
    assert bound_to(await asking.by_proof())


@pytest.mark.attack("I18")
@pytest.mark.good_twin("I18")
async def test_what_an_attestation_alone_must_not_be(asking: Asking) -> None:
    nonce = await asking.issuer.nonce()
    good = PROVIDER.key_attestation(asking.one, nonce=nonce)
    refused(await asking.send(attestation=[good, good]))
    refused(await asking.send(attestation=[flipped(good)]))
    refused(await asking.send(attestation=[asking.proof(asking.one, nonce, None)]))
    refused(await asking.alone(asking.one, nonce=None))
    refused(await asking.alone(asking.one, nonce="guess"), "invalid_nonce")
    refused(await asking.alone(*(KeySigner.generate() for _ in range(4))))  # the offer is for three
    refused(await asking.send(jwt=[good]))
    assert await rows(asking.issuer) == (0, 0)
    assert bound_to(await asking.send(attestation=[good])) == [asking.one.thumbprint]


async def test_the_nonce_of_an_attestation_is_used_up(asking: Asking) -> None:
    nonce = await asking.issuer.nonce()
    made = PROVIDER.key_attestation(asking.one, nonce=nonce)
    assert bound_to(await asking.send(attestation=[made]))
    other = await Asking.begin(asking.issuer)
    refused(await other.send(attestation=[PROVIDER.key_attestation(other.one, nonce=nonce)]), "invalid_nonce")


async def test_the_nonce_of_an_attestation_in_a_proof_is_used_up_too(asking: Asking) -> None:
    spent, fresh = await asking.issuer.nonce(), await asking.issuer.nonce()
    made = PROVIDER.key_attestation(asking.one, nonce=spent)
    assert bound_to(await asking.send(jwt=[asking.proof(asking.one, fresh, made)]))
    other = await Asking.begin(asking.issuer)
    again = PROVIDER.key_attestation(other.one, nonce=spent)
    nonce = await asking.issuer.nonce()
    refused(await other.send(jwt=[other.proof(other.one, nonce, again)]), "invalid_nonce")


async def test_without_trust_in_anybody_the_proof_type_is_not_supported(place: Place) -> None:
    async with running(place) as issuer:
        person = await Asking.begin(issuer, PERSON_ID)
        refused(await person.alone(person.one))
        assert bound_to(await person.by_proof(signer=STRANGER.signer)) == [person.one.thumbprint]


@pytest.mark.parametrize(
    "described",
    [
        {"drivers-licence/1": {"key_storage": []}},
        {"drivers-licence/1": []},
        {"unheard-of/1": {}},
        [],
    ],
    ids=str,
)
def test_a_demand_that_is_wrong(tmp_path: Path, described: Any) -> None:
    file = tmp_path / "authorities.json"
    file.write_text(json.dumps([{**AUTHORITIES[0], "key_attestations": described}]), "utf-8")
    with pytest.raises(Misconfigured):
        authorities.load(file)


async def test_a_demand_that_nobody_can_meet_refuses_to_start(place: Place) -> None:
    attested(place)
    with pytest.raises(Misconfigured):
        async with running(place):
            pass
