"""Websites as the operator keeps them: registered, renewed, removed, restored; and whom they know a person as."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs
from typer.testing import CliRunner

from comity import strict_json
from comity.errors import Malformed
from comity.keys import KeySigner
from comity.runtime import backup, backup_file, migrations
from comity.runtime.clock import FixedClock
from tests.services.verifier.deployed import Deployed, Disclosed, Place, running
from tests.services.verifier.federation import LICENCE, SERVER
from tests.services.verifier.website import WISH, Visitor, Website, registered
from tests.support.world import NOW
from verifier.backup import scheme
from verifier.cli import cli
from verifier.client_cli import asks_of

SECRET = "a passphrase of the night shift"


def serving(verifier: Deployed, **changes: Any) -> dict[str, Disclosed]:
    """A serving certificate and a licence of the same holder, valid on the day of the tests."""
    certificate = verifier.held(SERVER, expires_on="2030-01-01", **changes)
    return {
        "serving-it-right_sdjwt": (certificate, ("certification_number", "expires_on")),
        "drivers-licence_sdjwt": (verifier.held(LICENCE), ("family_name",)),
    }


async def subject(website: Website, **changes: Any) -> str:
    visitor = Visitor(website.verifier)
    await visitor.follow(website.ask("openid server-and-person"))
    await visitor.present(serving(website.verifier, **changes))
    told = website.told((await visitor.arrive()).headers["location"])
    claims = await website.claims(await website.redeem(told["code"]))
    assert {"certification_number", "family_name"} <= set(claims)
    return str(claims["sub"])


async def test_a_person_is_known_again_where_the_operator_says_so_and_nowhere_else(verifier: Deployed) -> None:
    kept = {"policies": ("server-and-person",), "subject_claim": "certification_number"}
    website, other = await registered(verifier, **kept), await registered(verifier, **kept)
    first = await subject(website)
    assert await subject(website) == first
    assert await subject(website, certification_number="DEMO-56") != first
    assert await subject(other) != first


RSA = {"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "another", "use": "sig", "alg": "RS256"}


async def test_what_cannot_be_registered_is_not(verifier: Deployed) -> None:
    clients = verifier.deployment.signing_in.clients
    key, other = (dict(KeySigner.generate().public_jwk) for _ in range(2))
    wrong: list[dict[str, Any]] = [
        {"name": {"en": "Shop", "fr": ""}},
        {"name": {"en": "Shop\u202e", "fr": "Boutique"}},
        {"redirect_uris": ()},
        {"redirect_uris": ("http://shop.example/",)},
        {"redirect_uris": ("https://shop.example/#x",)},
        {"redirect_uris": ("javascript:alert(1)",)},
        {"policies": ()},
        {"policies": ("age_over_19",)},
        {"place": "ca-xx"},
        {"method": "tls_client_auth"},
        {"method": "private_key_jwt"},
        {"method": "private_key_jwt", "jwks": {"keys": [{**key, "d": "AAAA"}]}},
        {"method": "private_key_jwt", "jwks": {"keys": [key, {**RSA, "d": "AAAA"}]}},
        {"method": "private_key_jwt", "jwks": {"keys": [key, {**key, "x": "AAAA"}]}},
        {"method": "private_key_jwt", "jwks": {"keys": [RSA, {**key, "use": "enc"}]}},
        {"method": "private_key_jwt", "jwks": {"keys": [{**key, "kid": "1"}, {**other, "kid": "1"}]}},
        {"subject_claim": "class"},
        {"subject_claim": "certification_number"},
        {"subject_claim": "family_name", "policies": ("server-and-person",)},
    ]
    for changes in wrong:
        wish = structs.replace(WISH, **changes)
        with pytest.raises(Malformed):
            await clients.add(wish, asks_of(verifier.settings, "ca-on"))
    assert await clients.every() == ()
    own = {**key, "kid": "of-Keycloak", "use": "sig", "alg": "ES256"}
    website = await registered(verifier, method="private_key_jwt", jwks={"keys": [RSA, own, {**own, "use": "enc"}]})
    [stored] = await clients.every()
    assert stored == website.client
    assert stored.jwks == {"of-Keycloak": key}


async def test_nobody_signs_in_by_what_anybody_could_show(place: Place) -> None:
    """DQ-8, AMR ``pop``: a credential that needs no proof by its holder was seen by everybody it was ever shown to."""
    asked = {"id": "person", "format": "dc+sd-jwt", "claims": [{"path": ["family_name"]}]}
    meta = {"vct_values": ["https://types.comity.example/person/1"]}
    query = {"credentials": [{**asked, "meta": meta, "require_cryptographic_holder_binding": False}]}
    file = place.folder / "policies.json"
    file.write_bytes(strict_json.serialise([{"name": "members", "query": query}]))
    async with running(place, policies_file=file) as verifier:
        with pytest.raises(Malformed):
            await registered(verifier, policies=("age-alcohol", "members"))
        # The file may say something else than when the website was registered.
        before = {"members": asks_of(verifier.settings, "ca-on")["age-alcohol"]}
        client, secret = await verifier.deployment.signing_in.clients.add(
            structs.replace(WISH, policies=("members",)), before
        )
        website = Website(verifier, client, secret)
        answer = await verifier.client.get(website.ask("openid members"))
        assert website.told(answer.headers["location"])["error"] == "invalid_scope"


async def test_a_new_secret_ends_the_old_one(verifier: Deployed) -> None:
    website = await registered(verifier)
    told = await Visitor(verifier).sign_in(website)
    fresh = await verifier.deployment.signing_in.clients.renew(website.client.id)
    assert (await website.redeem(told["code"])).status_code == 401
    await website.claims(await website.redeem(told["code"], client_secret=fresh))


@pytest.mark.both_databases
@pytest.mark.fault("F31")
async def test_a_restore_revives_no_code_and_no_secret(
    place: Place, empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup_file, "COST", (1 << 10, 8, 1))
    file = place.folder / "night.backup"
    kept = {"policies": ("server-and-person",), "subject_claim": "certification_number"}
    async with running(place) as verifier:
        website = await registered(verifier, **kept)
        before = await subject(website)
        visitor = Visitor(verifier)
        await visitor.follow(website.ask("openid server-and-person"))
        await visitor.present(serving(verifier))
        code = website.told((await visitor.arrive()).headers["location"])["code"]
        made = await asyncio.to_thread(
            backup.create, scheme(url=verifier.settings.database), file, SECRET, FixedClock(NOW)
        )
        assert {name: count for name, count in made.items() if count} == {"requests": 2, "bridge_clients": 1}
    await asyncio.to_thread(migrations.upgrade, empty_database, "verifier")
    await asyncio.to_thread(backup.restore, scheme(url=empty_database), file, SECRET, FixedClock(NOW))
    async with running(replace(place, database=empty_database)) as verifier:
        website.verifier = verifier
        [found] = await verifier.deployment.signing_in.clients.every()
        assert (found.is_enabled, found.secret_hash) == (False, None)
        assert (await website.redeem(code)).status_code == 401
        assert (await Visitor(verifier).follow(website.ask("openid server-and-person"))).status_code == 404
        website.secret = await verifier.deployment.signing_in.clients.renew(website.client.id)
        assert (await website.redeem(code)).json()["error"] == "invalid_grant"
        assert await subject(website) == before, "nobody becomes somebody else"


def test_the_commands_add_list_renew_and_remove(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = place.settings()
    for name in ("public_url", "registry_url", "registry_root_file", "relying_parties_file", "data_dir", "place"):
        monkeypatch.setenv(f"VERIFIER_{name.upper()}", str(getattr(settings, name)))
    monkeypatch.setenv("VERIFIER_DATABASE_URL", settings.database)
    run, names = CliRunner(), ("--name-en", "Harbour Books", "--name-fr", "Librairie du Havre")
    where = ("--redirect-uri", "https://shop.example/callback", "--preset", "age-alcohol")
    made = run.invoke(cli, ["client", "add", *names, *where, "--lang", "fr"])
    assert made.exit_code == 0, made.output
    told, client_id, secret = made.stdout.strip().splitlines()[-3:]
    assert "/oidc" in told
    keys = place.folder / "keys.json"
    keys.write_bytes(strict_json.serialise({"keys": [dict(KeySigner.generate().public_jwk)]}))
    for more in (["--public"], ["--jwks", str(keys)]):
        other = run.invoke(cli, ["client", "add", *names, *where, *more])
        assert other.exit_code == 0, other.output
        assert len(other.stdout.strip().splitlines()[-1]) == len(client_id), "no secret"
    renewed = run.invoke(cli, ["client", "renew", client_id])
    assert renewed.stdout.strip().splitlines()[-1] not in {"", secret}
    assert run.invoke(cli, ["client", "remove", client_id]).exit_code == 0
    assert run.invoke(cli, ["client", "remove", client_id]).exit_code != 0
    assert run.invoke(cli, ["client", "renew", client_id]).exit_code != 0
    listed = run.invoke(cli, ["client", "list"]).stdout.strip().splitlines()
    states = {tuple(line.split("\t")[1:3]) for line in listed if "\t" in line}
    assert states == {("removed", "client_secret"), ("enabled", "none"), ("enabled", "private_key_jwt")}
    missing = str(Path(place.folder / "nothing.json"))
    for wrong in (
        ["--preset", "nothing"],
        ["--place", "ca-xx"],
        ["--public", "--jwks", str(keys)],
        ["--jwks", missing],
    ):
        assert run.invoke(cli, ["client", "add", *names, *where, *wrong]).exit_code != 0
