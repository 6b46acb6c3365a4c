"""Attestations of clients and keys that their attester can take back (OpenID4VCI appendix D.1; Token Status List)."""

import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from unittest import mock

import pytest

import issuer.app
from comity.credential import Kid, Status, X5c
from comity.errors import Code, Misconfigured, Unreachable
from comity.keys import KeySigner
from comity.ports import Fetched, Fetcher, FetchRequest
from comity.status import token_list
from comity.status.bits import MINIMUM_ENTRIES, StatusBits
from issuer.attestation_status import AttestationStatus
from tests.services.issuer.deployed import NOW, Deployed, Place, running
from tests.services.issuer.test_clients import Wallet, refused, rows
from tests.services.issuer.test_key_attestations import Asking
from tests.services.issuer.test_key_attestations import attested as needing_attestations
from tests.support.attesting import Provider

LISTS = "https://wallet.example/status"
URI = f"{LISTS}/1"
PROVIDER = Provider(NOW)


@dataclass
class Host(Fetcher):
    """The host of the provider's lists, which can be down."""

    signer: KeySigner = field(default_factory=lambda: PROVIDER.signer)
    issued_at: datetime = NOW
    values: dict[int, Status] = field(default_factory=dict)
    changes: dict[str, Any] = field(default_factory=dict)
    is_down: bool = False
    asked: list[str] = field(default_factory=list)

    async def fetch(self, request: FetchRequest) -> Fetched:
        self.asked.append(request.url)
        if self.is_down or request.url != URI:
            raise Unreachable(Code.UNREACHABLE, "down")
        return Fetched(
            url=request.url,
            status=200,
            content_type="application/statuslist+jwt",
            body=self.token(),
            headers={},
            fetched_at=self.issued_at,
        )

    def token(self) -> bytes:
        bits = StatusBits(MINIMUM_ENTRIES, 2)
        for index, value in self.values.items():
            bits.set(index, value.value)
        terms: dict[str, Any] = {
            "uri": URI,
            "ttl_seconds": 300,
            "issued_at": self.issued_at,
            "expires_at": self.issued_at + timedelta(days=1),
            "key": Kid(did_url=self.signer.thumbprint),
        }
        return token_list.sign(bits=bits, signer=self.signer, **{**terms, **self.changes}).encode()

    async def close(self) -> None:
        pass


def at_place(index: int, uri: str = URI) -> dict[str, Any]:
    return {"payload": {"status": {"status_list": {"idx": index, "uri": uri}}}}


@contextlib.contextmanager
def reached(host: Host) -> Iterator[None]:
    with mock.patch.object(issuer.app, "FetcherAtFirstUse", return_value=host):
        yield


@pytest.fixture
def host() -> Host:
    return Host()


@pytest.fixture
async def wallet(place: Place, host: Host) -> AsyncIterator[Wallet]:
    (place.folder / "providers.json").write_text(json.dumps([PROVIDER.entry(status_lists=[LISTS])]), "utf-8")
    with reached(host):
        async with running(place, wallet_providers_file=place.folder / "providers.json") as deployed:
            yield Wallet(deployed)


async def show(wallet: Wallet, offer: dict[str, Any], index: int = 7, uri: str = URI) -> Any:
    shown = PROVIDER.attestation(wallet.instance, wallet.issuer.clock.now(), **at_place(index, uri))
    return await wallet.redeem(offer, await wallet.headers(attestation=shown))


@pytest.mark.clause("WA-1")
async def test_one_that_stands_is_taken_and_its_list_is_read_once(wallet: Wallet, host: Host) -> None:
    for _ in range(3):
        answer = await show(wallet, await wallet.issuer.offer())
        assert answer.status_code == 200, answer.text
    assert host.asked == [URI]


@pytest.mark.parametrize("value", [Status.REVOKED, Status.SUSPENDED])
@pytest.mark.clause("WA-1")
async def test_one_that_was_taken_back_is_refused_and_changes_nothing(
    wallet: Wallet, host: Host, value: Status
) -> None:
    host.values = {7: value}
    offer, before = await wallet.issuer.offer(), await rows(wallet.issuer)
    refused(await show(wallet, offer))
    assert await rows(wallet.issuer) == before
    assert (await show(wallet, offer, index=8)).status_code == 200, "the good twin"


async def test_a_list_that_cannot_be_had_is_no_yes(wallet: Wallet, host: Host) -> None:
    host.is_down = True
    offer, before = await wallet.issuer.offer(), await rows(wallet.issuer)
    answer = await show(wallet, offer)
    assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable")
    assert answer.headers["retry-after"]
    assert await rows(wallet.issuer) == before
    host.is_down = False
    assert (await show(wallet, offer)).status_code == 200


async def test_a_copy_serves_for_its_time_while_the_host_is_down(wallet: Wallet, host: Host) -> None:
    assert (await show(wallet, await wallet.issuer.offer())).status_code == 200
    host.is_down = True
    wallet.issuer.clock.advance(timedelta(seconds=299))
    assert (await show(wallet, await wallet.issuer.offer())).status_code == 200
    wallet.issuer.clock.advance(timedelta(seconds=2))
    offer = await wallet.issuer.offer()
    refused(await show(wallet, offer))
    host.is_down, host.issued_at = False, wallet.issuer.clock.now()
    assert (await show(wallet, offer)).status_code == 200


@pytest.mark.parametrize(
    ("index", "uri"),
    [(7, "https://evil.example/status/1"), (7, "https://wallet.example/status-of-others/1"), (-1, URI), (7, "urn:x")],
)
async def test_nothing_is_fetched_from_where_no_list_was_announced(
    wallet: Wallet, host: Host, index: int, uri: str
) -> None:
    refused(await show(wallet, await wallet.issuer.offer(), index, uri))
    assert host.asked == []


async def test_another_mechanism_or_none_is_not_valid(wallet: Wallet, host: Host) -> None:
    others: list[Any] = [{}, {"status_list": {}}, {"other": {"uri": URI, "idx": 1}}, "valid", None]
    for status in others:
        shown = PROVIDER.attestation(wallet.instance, payload={"status": status})
        refused(await wallet.redeem(await wallet.issuer.offer(), await wallet.headers(attestation=shown)))
    assert host.asked == []


@pytest.mark.parametrize(
    "defect",
    [
        {"signer": KeySigner.generate()},
        {"changes": {"uri": f"{LISTS}/2"}},
        {"changes": {"issued_at": NOW - timedelta(days=3), "expires_at": NOW - timedelta(days=2)}},
        {"changes": {"issued_at": NOW + timedelta(days=1), "expires_at": NOW + timedelta(days=2)}},
        {"changes": {"key": X5c(chain=Provider(NOW).chain)}},
    ],
)
async def test_a_list_that_cannot_be_believed_is_no_yes(wallet: Wallet, host: Host, defect: dict[str, Any]) -> None:
    good = {name: getattr(host, name) for name in defect}
    for name, value in defect.items():
        setattr(host, name, value)
    offer = await wallet.issuer.offer()
    refused(await show(wallet, offer))
    for name, value in good.items():
        setattr(host, name, value)
    assert (await show(wallet, offer)).status_code == 200, "the good twin, from a copy that is not the bad one"
    refused(await show(wallet, await wallet.issuer.offer(), index=MINIMUM_ENTRIES))


async def test_an_older_list_undoes_nothing(wallet: Wallet, host: Host) -> None:
    host.values = {7: Status.REVOKED}
    offer = await wallet.issuer.offer()
    refused(await show(wallet, offer))
    assert (await show(wallet, await wallet.issuer.offer(), index=8)).status_code == 200  # its iat is remembered now
    wallet.issuer.clock.advance(timedelta(seconds=301))
    host.values, host.changes = {}, {"issued_at": NOW - timedelta(hours=1)}
    host.issued_at = wallet.issuer.clock.now()
    refused(await show(wallet, offer))
    host.changes = {}
    assert (await show(wallet, offer)).status_code == 200


async def test_a_list_may_be_signed_by_certificate(wallet: Wallet, host: Host) -> None:
    host.changes = {"key": X5c(chain=PROVIDER.chain)}
    assert (await show(wallet, await wallet.issuer.offer())).status_code == 200


async def test_lists_are_read_again_on_a_timer(wallet: Wallet, host: Host) -> None:
    assert (await show(wallet, await wallet.issuer.offer())).status_code == 200
    wallet.issuer.clock.advance(timedelta(seconds=400))
    host.issued_at, host.values = wallet.issuer.clock.now(), {7: Status.REVOKED}
    looked_up: AttestationStatus = wallet.issuer.deployment.attestation_status
    await looked_up.renew()
    asked = list(host.asked)
    refused(await show(wallet, await wallet.issuer.offer()))
    assert host.asked == asked, "nobody's request was told to the host"


@pytest.mark.clause("VCI-42")
async def test_key_attestations_are_looked_up_likewise(place: Place, host: Host) -> None:
    settings = needing_attestations(place)
    (place.folder / "providers.json").write_text(json.dumps([PROVIDER.entry(status_lists=[LISTS])]), "utf-8")
    with reached(host):
        async with running(place, **settings) as deployed:
            host.values = {7: Status.REVOKED}
            asking = await Asking.begin(deployed)
            for index, error in ((7, "invalid_proof"), (8, None)):
                answer = await _ask(deployed, asking, index, alone=True)
                assert answer.json().get("error") == error, answer.text
            other = await Asking.begin(deployed)
            for index, error in ((7, "invalid_proof"), (8, None)):
                answer = await _ask(deployed, other, index, alone=False)
                assert answer.json().get("error") == error, answer.text


async def _ask(deployed: Deployed, asking: Asking, index: int, *, alone: bool) -> Any:
    nonce = await deployed.nonce()
    shown = PROVIDER.key_attestation(asking.one, nonce=nonce, **at_place(index))
    return await asking.send(
        **({"attestation": [shown]} if alone else {"jwt": [asking.proof(asking.one, nonce, shown)]})
    )


@pytest.mark.parametrize("lists", ["https://wallet.example", [7], ["http://wallet.example"], ["https://w.example/?a"]])
async def test_an_entry_announces_addresses(place: Place, lists: Any) -> None:
    (place.folder / "providers.json").write_text(json.dumps([PROVIDER.entry(status_lists=lists)]), "utf-8")
    with pytest.raises(Misconfigured):
        async with running(place, wallet_providers_file=place.folder / "providers.json"):
            pass
