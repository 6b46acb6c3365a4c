"""``comity doctor``: what is well, what is not, and what a code or a scanned text means."""

from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from comity.commands import doctor
from comity.errors import Code
from comity.runtime.clock import FixedClock
from comity.web import i18n
from tests.services.cli.conftest import Say
from tests.services.cli.desk import Desk, Service, Told
from tests.support.world import NOW

WELL, BAD_INPUT, UNWELL = 0, 2, 4


def up(desk: Desk, service: Service) -> None:
    """Let ``service`` stand for every service, telling the right time."""
    service.date = format_datetime(NOW, usegmt=True)
    urls = {"issuer": service.url, "wallet": service.url, "status": service.url}
    replace(desk.installation, registry_url=service.url, services=urls).save(desk.folder / ".comity")


def findings(told: Told) -> dict[str, dict[str, Any]]:
    return {each["finding"]: each for each in told.json["findings"]}


def test_all_is_well(desk: Desk, comity: Say, service: Service) -> None:
    up(desk, service)
    told = comity("doctor")
    assert (told.code, told.err) == (WELL, "")
    assert "All is well." in told.out
    assert "Tout va bien." in comity("doctor", "--lang", "fr").out
    as_json = comity("doctor", "--json")
    assert as_json.json["well"] is True
    found = findings(as_json)
    assert set(found) == {"registry", "lists", "clock", "keys", "service"}
    assert {name: found["registry"]["facts"][name] for name in ("members", "issuers", "anchors", "root_version")} == {
        "members": 2,
        "issuers": 2,
        "anchors": 2,
        "root_version": 1,
    }
    assert found["lists"]["facts"]["count"] == 6
    assert found["keys"]["facts"]["count"] == 1


def test_services_that_do_not_answer_are_named(desk: Desk, comity: Say, service: Service) -> None:
    replace(desk.installation, services={"wallet": "http://localhost:9"}).save(desk.folder / ".comity")
    told = comity("doctor", "--json")
    assert told.code == UNWELL
    assert findings(told)["service_down"]["facts"]["service"] == "wallet"
    assert findings(told)["clock_unknown"]["state"] == "note"
    service.answer = 503
    up(desk, service)
    told = comity("doctor", "--json")
    assert told.code == UNWELL
    assert findings(told)["service_not_ready"]["facts"]["status"] == 503


@pytest.mark.parametrize(("seconds", "code"), [(60, WELL), (-60, WELL), (61, UNWELL), (-61, UNWELL)])
def test_the_clock_is_compared_with_that_of_the_registry_host(
    desk: Desk, comity: Say, service: Service, seconds: int, code: int
) -> None:
    up(desk, service)
    service.date = format_datetime(NOW - timedelta(seconds=seconds), usegmt=True)
    told = comity("doctor", "--json")
    assert told.code == code
    assert findings(told)["clock" if code == WELL else "clock_off"]["facts"]["seconds"] == seconds


@pytest.mark.parametrize("date", ["", "yesterday"])
def test_without_a_date_the_newest_signed_instant_is_looked_at(
    desk: Desk, comity: Say, service: Service, date: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    up(desk, service)
    service.date = date
    told = comity("doctor", "--json")
    assert told.code == WELL
    assert "clock_unknown" in findings(told)
    monkeypatch.setattr(doctor, "SystemClock", lambda: FixedClock(NOW - timedelta(minutes=2)))
    told = comity("doctor", "--json")
    assert told.code == UNWELL
    assert findings(told)["clock_behind"]["facts"]["newest"] == NOW.isoformat()


def test_what_has_ended_is_said(desk: Desk, comity: Say, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    up(desk, service)
    later = NOW + timedelta(days=30)
    monkeypatch.setattr(doctor, "SystemClock", lambda: FixedClock(later))
    service.date = format_datetime(later, usegmt=True)
    told = comity("doctor", "--json")
    assert told.code == UNWELL
    found = findings(told)
    assert found["registry_expired"]["facts"]["age"] == 30 * 86_400
    assert found["lists_unfit"]["facts"]["ended"] == 6


def test_damaged_and_missing_caches_are_said(desk: Desk, comity: Say, service: Service) -> None:
    up(desk, service)
    copies = sorted(Path(desk.installation.status_cache).glob("*.copy"))
    for copy in copies:
        head, _, _ = copy.read_bytes().partition(b"\n")
        copy.write_bytes(head + b"\nnot a list")
    assert findings(comity("doctor", "--json"))["lists_unfit"]["facts"]["unreadable"] == 6
    for copy in copies:
        copy.unlink()
    (Path(desk.installation.registry_cache) / "last-good.json").unlink()
    told = comity("doctor", "--json")
    assert told.code == UNWELL
    assert findings(told)["registry_none"]["facts"]["code"] == "registry_unavailable"
    assert "lists_none" in findings(told)


def test_keys_that_others_can_read_or_that_are_missing_are_said(desk: Desk, comity: Say, service: Service) -> None:
    up(desk, service)
    (key,) = (desk.folder / "issuer" / "keys").rglob("*.pem")
    key.chmod(0o644)
    told = comity("doctor", "--json")
    assert told.code == UNWELL
    assert findings(told)["keys_unusable"]["facts"]["count"] == 1
    key.unlink()
    assert "keys_none" in findings(comity("doctor", "--json"))
    assert "comity issuer keys init" in comity("doctor").out


def test_nothing_set_up_is_said(comity: Say, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    told = comity("doctor")
    assert (told.code, told.err) == (UNWELL, "")
    assert "comity demo" in told.out
    assert comity("doctor", "--registry", "http://localhost:9").code == BAD_INPUT


def test_settings_are_shown_without_their_secrets(
    desk: Desk, comity: Say, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    up(desk, service)
    values = {
        "PUBLIC_URL": "http://localhost:8103",
        "REGISTRY_URL": "http://localhost:8104",
        "REGISTRY_ROOT_FILE": "root.json",
        "RELYING_PARTIES_FILE": "parties.json",
        "DATABASE_URL": "postgresql+asyncpg://comity:hunter2@localhost/verifier",
        "DATA_DIR": str(desk.folder / "verifier"),
    }
    for name, value in values.items():
        monkeypatch.setenv(f"VERIFIER_{name}", value)
    told = comity("doctor")
    assert "public_url = http://localhost:8103" in told.out
    assert "hunter2" not in told.out
    assert "comity verifier keys init" in told.out
    assert told.code == UNWELL
    monkeypatch.setenv("VERIFIER_PUBLIC_URI", "http://localhost:8103")
    found = findings(comity("doctor", "--json"))
    assert "VERIFIER_PUBLIC_URI" in found["settings_wrong"]["facts"]["detail"]


@pytest.mark.parametrize("code", Code)
def test_every_code_is_explained(comity: Say, code: Code) -> None:
    if code is Code.MALFORMED:
        told = comity("doctor", code.value, "--lang", "fr")
        assert (told.code, told.err) == (WELL, "")
        assert told.out.count("\n") == 3
    document = comity("doctor", code.value, "--json").json
    assert document["code"] == code.value
    assert document["title"] == {lang: i18n.text(f"codes.{code}.title", lang) for lang in ("en", "fr")}
    assert document["next_step"]["en"]


@pytest.mark.parametrize("said", ["[suspended]", " Suspended ", "SUSPENDED", "Suspendue", "not-accredited-for-type"])
def test_a_code_is_known_as_people_write_it(comity: Say, said: str) -> None:
    assert comity("doctor", said, "--json").json["code"] in {"suspended", "not_accredited_for_type"}


def test_what_was_scanned_is_explained(desk: Desk, comity: Say) -> None:
    offer = "openid-credential-offer://?credential_offer_uri=https%3A%2F%2Fissuer.example%2Foffers%2F1"
    told = comity("doctor", offer)
    assert told.code == WELL
    assert "comity wallet receive" in told.out
    assert "issuer.example" in told.out
    broken = comity("doctor", "openid4vp://?client_id=nobody", "--lang", "fr")
    assert broken.code == UNWELL
    assert "Une demande de présentation" in broken.out
    assert "inutilisable" in broken.out
    assert comity("doctor", desk.files["person.sdjwt"], "--json").json["scan"] == "credential"
    card = comity("doctor", "@\n\x1e\rANSI 636012030001DL00000000DLDCSDEMO", "--json")
    assert (card.code, card.json["scan"]) == (UNWELL, "card")
