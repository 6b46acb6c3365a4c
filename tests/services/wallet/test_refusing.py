"""What came is verified before it is kept (catalogue S14, I23); each refusal beside a twin that is accepted."""

from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from comity import strict_json
from comity.credential import CredentialType, Format
from comity.keys import KeySigner
from comity.ports import Fetched, FetchRequest
from tests.services.wallet import forging
from tests.services.wallet.forging import Make, metadata_saying
from tests.services.wallet.test_receiving import opened
from tests.services.wallet.town import BC, ISSUER, NOW, ON, STRANGER, Person, Town
from tests.support.in_process import fetched

ENDPOINT = "services/credential"
SECONDS = timedelta(seconds=1)


def made(town: Town, **changes: Any) -> Make:
    return lambda holder, genuine: forging.credential(town, holder, genuine, **changes)


def bound_to(town: Town, holder: Any) -> Make:
    return lambda _holder, genuine: forging.credential(town, holder, genuine)


def bent(change: Any) -> Make:
    return lambda _holder, genuine: str(change(genuine))


CASES: dict[str, tuple[Any, str]] = {
    "another type": (lambda t: made(t, type_id="drivers-licence/1"), "credential_not_requested"),
    "another format": (lambda t: made(t, credential_format=Format.VC_JWT), "credential_not_requested"),
    "another issuer": (lambda t: made(t, signed_as=BC), "issuer_mismatch"),
    "in another's name": (lambda t: made(t, signed_as=BC, issuer=f"{ISSUER}/{ON}"), "certificate_untrusted"),
    "another key": (lambda t: bound_to(t, KeySigner.generate().public_jwk), "holder_key_mismatch"),
    "no key": (lambda t: bound_to(t, None), "holder_key_mismatch"),
    "expired": (lambda t: made(t, valid_until=NOW), "expired"),
    "not yet valid": (lambda t: made(t, valid_from=NOW + timedelta(days=2)), "not_yet_valid"),
    "claims that do not fit": (lambda t: made(t, claims={"birthdate": "yesterday"}), "schema_violated"),
    "a holder's proof": (lambda _t: bent(forging.with_holder_proof), "holder_proof_malformed"),
    "a stray disclosure": (lambda _t: bent(forging.with_another_disclosure), "disclosure_unreferenced"),
    "a broken signature": (lambda _t: bent(forging.with_broken_signature), "signature_invalid"),
    "garbage": (lambda _t: bent(lambda _genuine: "garbage"), "format_unknown"),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.clause("2b-1", "VCI-12")
@pytest.mark.attack("I23", "S14")
async def test_it_is_refused_and_everybody_is_told(town: Town, maya: Person, case: str) -> None:
    make, code = CASES[case]
    offer = await town.offer()
    town.net.afterwards(ENDPOINT, forging.sending(town, make(town)))
    for keep in (False, True):  # no consent of the person lets a credential in that is wrong
        answer = await maya.post("credentials", offer=offer["link"], keep_unrecognised=keep)
        assert answer.status_code == 403, answer.text
        assert answer.json()["code"] == "credential_refused"
        assert code in answer.json()["detail"]
        offer = await town.offer()
    assert await maya.credentials() == []
    assert {each["what"] for each in await maya.history()} == {"refused"}
    assert all(code in each["codes"] for each in await maya.history())
    assert {kind for kind, _ in await (await opened(town)).names()} == {"history"}
    told = [strict_json.parse_object(each.body or b"") for each in town.net.asked if each.url.endswith("/notification")]
    assert {each["event"] for each in told} == {"credential_failure"}


@pytest.mark.parametrize("credential_format", [Format.DC_SD_JWT, Format.VC_JWT])
@pytest.mark.good_twin("I23", "S14")
async def test_the_same_credential_unchanged_is_kept(town: Town, maya: Person, credential_format: Format) -> None:
    make = made(town, credential_format=credential_format, valid_until=NOW + 10 * SECONDS)
    town.net.afterwards(ENDPOINT, forging.sending(town, make))
    await maya.receive(await town.offer(formats=[credential_format.value]))
    assert len(await maya.credentials()) == 1


@pytest.mark.attack("I23")
async def test_the_did_of_another_issuer_is_refused(town: Town, maya: Person) -> None:
    make = made(town, credential_format=Format.VC_JWT, signed_as=BC)
    town.net.afterwards(ENDPOINT, forging.sending(town, make))
    answer = await maya.post("credentials", offer=(await town.offer(formats=["vc+jwt"]))["link"])
    assert "issuer_mismatch" in answer.json()["detail"]


@pytest.mark.parametrize("verb", ["revoke", "suspend"])
@pytest.mark.attack("I23")
async def test_a_credential_that_is_not_valid_any_more_is_refused(town: Town, maya: Person, verb: str) -> None:
    first = await town.offer("drivers-licence/1")
    await maya.receive(first)
    (held,) = await maya.credentials()
    await town.change_status(first, verb)
    raw = (await maya.client.get(f"/api/v1/credentials/{held['id']}/raw")).text
    noah = await town.arrive("noah")
    make = partial(forging.credential, town, type_id="drivers-licence/1")
    town.clock.advance(timedelta(minutes=10))
    town.net.afterwards(ENDPOINT, forging.sending(town, lambda holder, _genuine: make(holder, raw)))
    answer = await noah.post("credentials", offer=(await town.offer("drivers-licence/1"))["link"])
    assert verb[:6] in answer.json()["detail"], answer.text


# --- kept only when the person says so


@pytest.mark.parametrize(
    ("type_id", "authority", "code"),
    [("health-card/1", ON, "not_accredited_for_type"), ("person/1", STRANGER, "issuer_unknown")],
)
async def test_what_the_registry_does_not_vouch_for_is_kept_on_request(
    town: Town, maya: Person, type_id: str, authority: str, code: str
) -> None:
    refused = await maya.post("credentials", offer=(await town.offer(type_id, authority))["link"])
    assert (refused.status_code, refused.json()["code"]) == (403, "credential_refused")
    assert code in refused.json()["detail"]
    (received,) = await maya.receive(await town.offer(type_id, authority), keep_unrecognised=True)
    assert (received["recognised"], received["state"]) == (False, code)
    assert received["result"]["verdict"] == "rejected"
    (listed,) = await maya.credentials()
    assert listed["recognised"] is False
    shown = await maya.get(f"credentials/{listed['id']}", "fr")
    assert shown["claims"]


async def test_an_unknown_issuers_credential_that_is_expired_is_not_kept(town: Town, maya: Person) -> None:
    make = made(town, signed_as=STRANGER, valid_until=NOW - SECONDS)
    town.net.afterwards("nobody/credential", forging.sending(town, make))
    offer = await town.offer("person/1", STRANGER)
    answer = await maya.post("credentials", offer=offer["link"], keep_unrecognised=True)
    assert "expired" in answer.json()["detail"]


async def test_a_type_of_somebody_else_is_kept_and_shown_by_its_own_names(town: Town, maya: Person) -> None:
    """A vct that looks like the federation's but is none of its types must not break the list."""
    foreign = CredentialType(slug="library-card", version=9)
    configuration = {
        "format": "dc+sd-jwt",
        "vct": foreign.vct,
        "cryptographic_binding_methods_supported": ["jwk"],
        "proof_types_supported": {"jwt": {"proof_signing_alg_values_supported": ["ES256"]}},
    }
    changed = metadata_saying(town, credential_configurations_supported={"person.1.sdjwt": configuration})
    town.net.afterwards("openid-credential-issuer", changed)
    claims = {"shelf": "seven"}
    make = made(town, signed_as=STRANGER, type=foreign, claims=claims, disclosable=frozenset(claims))
    town.net.afterwards("nobody/credential", forging.sending(town, make))
    offer = await town.offer("person/1", STRANGER)
    (received,) = await maya.receive(offer, keep_unrecognised=True)
    assert received["title"] == foreign.vct
    shown = await maya.get(f"credentials/{received['id']}")
    assert shown["claims"] == [{"claim": "shelf", "label": "shelf", "value": "seven", "words": "seven"}]
    refused = await maya.post(
        "credentials", offer=(await town.offer())["link"], same_key_as=received["id"], keep_unrecognised=True
    )
    assert refused.json()["code"] == "key_not_shared"


async def test_a_reply_that_is_no_credential_response_is_refused(town: Town, maya: Person) -> None:
    def change(request: FetchRequest, _answer: Fetched | None) -> Fetched:
        return fetched(request.url, b'{"credentials":[]}', town.clock)

    town.net.afterwards("openid-credential-issuer", metadata_saying(town))
    town.net.afterwards(ENDPOINT, change)
    answer = await maya.post("credentials", offer=(await town.offer())["link"])
    assert (answer.status_code, answer.json()["code"]) == (400, "response_invalid")
