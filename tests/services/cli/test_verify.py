"""``comity verify`` and ``comity inspect``: verdicts, exit codes, and one sentence for whatever is wrong."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from comity import strict_json
from comity.commands import verify as verify_command
from comity.runtime import installation
from comity.runtime.clock import FixedClock
from tests.services.cli.conftest import Say
from tests.services.cli.desk import NOBODY, Desk
from tests.support.world import AUDIENCE, NONCE, NOW

ACCEPTED, BAD_INPUT, REJECTED, UNDETERMINED = 0, 2, 3, 4


@pytest.mark.parametrize("file", ["person.sdjwt", "licence.vcjwt"])
def test_a_good_credential_is_accepted_with_every_service_stopped(desk: Desk, comity: Say, file: str) -> None:
    told = comity("verify", file)
    assert (told.code, told.err) == (ACCEPTED, "")
    assert "Accepted" in told.out
    assert "Judged as held" in told.out
    french = comity("verify", file, "--lang", "fr")
    assert french.code == ACCEPTED
    assert "Acceptée" in french.out


@pytest.mark.parametrize(
    ("file", "code"),
    [
        ("revoked.sdjwt", "revoked"),
        ("expired.sdjwt", "expired"),
        ("not-accredited.sdjwt", "not_accredited_for_type"),
        ("unknown.sdjwt", "issuer_unknown"),
        ("tampered.sdjwt", "disclosure_unreferenced"),
        ("signature.sdjwt", "signature_invalid"),
    ],
)
def test_a_bad_credential_is_rejected_for_its_own_reason(desk: Desk, comity: Say, file: str, code: str) -> None:
    told = comity("verify", file)
    assert (told.code, told.err) == (REJECTED, "")
    assert f"[{code}]" in told.out
    document = comity("verify", file, "--json").json
    assert document["verdict"] == "rejected"
    assert document["codes"][0] == code
    assert "claims" not in document


def test_a_json_report_has_the_claims_of_what_was_accepted(desk: Desk, comity: Say) -> None:
    told = comity("verify", "person.sdjwt", "--json")
    assert told.code == ACCEPTED
    assert told.json["verdict"] == "accepted"
    assert told.json["claims"][""][0]["family_name"] == "Chen"


def test_a_place_that_the_option_names_is_judged(desk: Desk, comity: Say) -> None:
    told = comity("verify", "person.sdjwt", "--place", "ca-zz")
    assert told.code != ACCEPTED
    assert "[place_unknown]" in told.out


def test_a_presentation_is_verified_with_its_nonce_and_audience(desk: Desk, comity: Say) -> None:
    good = comity("verify", "presented.sdjwt", "--nonce", NONCE, "--audience", AUDIENCE)
    assert good.code == ACCEPTED
    assert "Judged as held" not in good.out
    wrong = comity("verify", "presented.sdjwt", "--nonce", "another", "--audience", AUDIENCE)
    assert wrong.code == REJECTED
    assert "[nonce_mismatch]" in wrong.out
    assert comity("verify", "presented.sdjwt", "--nonce", NONCE).code == BAD_INPUT


BAD_FILES = {
    "empty": b"",
    "blank": b" \n\n",
    "binary": bytes(range(256)),
    "json": b'{"vct": "x"}',
    "words": b"Bonjour",
    "accents": "é".encode(),
    "cut": b"eyJhbGciOiJFUzI1NiJ9.e30",
    "large": b"a" * ((1 << 20) + 1),
}


@pytest.mark.parametrize("kind", BAD_FILES)
@pytest.mark.parametrize("command", ["verify", "inspect"])
def test_what_is_no_credential_gets_one_sentence(desk: Desk, comity: Say, command: str, kind: str) -> None:
    Path("bad").write_bytes(BAD_FILES[kind])
    said = {lang: comity(command, "bad", "--lang", lang) for lang in ("en", "fr")}
    for told in said.values():
        assert (told.code, told.out) == (BAD_INPUT, "")
        assert told.err.count("\n") == 1
    assert said["en"].err != said["fr"].err
    as_json = comity(command, "bad", "--json")
    assert (as_json.code, as_json.err) == (BAD_INPUT, "")
    assert as_json.json["error"] in {"format_unknown", "too_large"}


def test_a_file_that_is_not_there_or_is_a_folder_gets_one_sentence(desk: Desk, comity: Say) -> None:
    for name in ("nowhere.sdjwt", "registry", "a\0b"):
        told = comity("verify", name, "--lang", "fr")
        assert (told.code, told.out, told.err.count("\n")) == (BAD_INPUT, "", 1)


def test_every_cut_of_a_credential_ends_in_a_sentence(desk: Desk, comity: Say) -> None:
    whole = desk.files["person.sdjwt"]
    for length in (1, 20, len(whole) // 3, whole.index("~"), whole.index("~") + 9, len(whole) - 1):
        Path("cut").write_text(whole[:length], encoding="ascii")
        assert comity("verify", "cut").code in {BAD_INPUT, REJECTED}
    # Cut behind the signature it is whole: the holder keeps every claim back.
    Path("cut").write_text(whole[: whole.index("~") + 1], encoding="ascii")
    assert comity("verify", "cut").code == ACCEPTED


@pytest.mark.parametrize("at", ["nonsense", "2026-11-23", "2026-11-23T12:00:00", "0001-01-01T00:00:00Z", "12"])
def test_an_instant_that_is_none_is_told(desk: Desk, comity: Say, at: str) -> None:
    told = comity("verify", "person.sdjwt", "--at", at)
    assert (told.code, told.out, told.err.count("\n")) == (BAD_INPUT, "", 1)
    assert "--at" in told.err


def test_a_past_day_is_undetermined_since_its_lists_are_not_kept(desk: Desk, comity: Say) -> None:
    told = comity("verify", "person.sdjwt", "--at", "2026-11-20T12:00:00Z")
    assert told.code == UNDETERMINED
    assert "[status_unavailable]" in told.out
    assert comity("verify", "person.sdjwt", "--at", NOW.isoformat()).code == ACCEPTED


def test_when_what_is_at_hand_has_ended_nothing_is_accepted(
    desk: Desk, comity: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = FixedClock(NOW.replace(month=12))
    monkeypatch.setattr(verify_command, "SystemClock", lambda: later)
    told = comity("verify", "person.sdjwt")
    assert told.code == UNDETERMINED
    assert "registry_expired" in told.out


def test_without_lists_nothing_is_accepted(desk: Desk, comity: Say) -> None:
    shutil.rmtree(desk.installation.status_cache)
    told = comity("verify", "person.sdjwt")
    assert told.code == UNDETERMINED
    assert "[status_unavailable]" in told.out


def test_without_a_registry_nothing_is_decided(desk: Desk, comity: Say) -> None:
    cache = Path(desk.installation.registry_cache)
    (cache / "last-good.json").write_bytes(b"\x00 not ours")
    told = comity("verify", "person.sdjwt")
    assert (told.code, told.out, told.err.count("\n")) == (UNDETERMINED, "", 1)
    as_json = comity("verify", "person.sdjwt", "--json")
    assert as_json.code == UNDETERMINED
    assert as_json.json == {
        "verdict": "undetermined",
        "codes": ["registry_unavailable"],
        "credentials": [],
        "checks": [],
    }
    shutil.rmtree(cache)
    assert comity("verify", "person.sdjwt").code == UNDETERMINED


def test_a_registry_named_by_options_has_a_cache_of_its_own(desk: Desk, comity: Say) -> None:
    root = desk.installation.registry_root_file
    assert comity("verify", "person.sdjwt", "--registry", NOBODY, "--root", root).code == UNDETERMINED
    own = installation.chosen(NOBODY, Path(root), "")
    assert own.registry_cache != installation.chosen(NOBODY + "/other", Path(root), "").registry_cache
    shutil.copytree(desk.installation.registry_cache, own.registry_cache, dirs_exist_ok=True)
    shutil.copytree(desk.installation.status_cache, own.status_cache, dirs_exist_ok=True)
    Path(".comity/installation.json").unlink()
    told = comity("verify", "person.sdjwt", "--registry", NOBODY, "--root", root, "--place", "ca-on")
    assert told.code == ACCEPTED


def test_a_set_up_that_cannot_work_is_told_in_a_sentence(desk: Desk, comity: Say) -> None:
    seen = Path(desk.installation.status_cache)
    for copy in seen.glob("*.copy"):
        copy.with_suffix(".seen").write_bytes(b"damaged")
    told = comity("verify", "person.sdjwt")
    assert (told.code, told.out, told.err.count("\n")) == (BAD_INPUT, "", 1)
    Path(desk.installation.registry_root_file).write_bytes(b"{}")
    told = comity("verify", "person.sdjwt", "--lang", "fr")
    assert (told.code, told.out, told.err.count("\n")) == (BAD_INPUT, "", 1)
    assert "détail en anglais" in told.err
    assert comity("verify", "person.sdjwt", "--registry", NOBODY).code == BAD_INPUT
    assert comity("verify", "person.sdjwt", "--registry", NOBODY, "--root", "nowhere.json").code == BAD_INPUT


@pytest.mark.parametrize("left", [b"", b"\xff", b"[]", b'{"registry_url": 5}', b'{"services": 1}', None])
def test_an_installation_that_cannot_be_read_is_told(desk: Desk, comity: Say, left: bytes | None) -> None:
    file = Path(".comity/installation.json")
    if left is None:
        file.unlink()
    else:
        file.write_bytes(left)
    said = {lang: comity("verify", "person.sdjwt", "--lang", lang) for lang in ("en", "fr")}
    for told in said.values():
        assert (told.code, told.out, told.err.count("\n")) == (BAD_INPUT, "", 1)
    assert "comity demo" in said["en"].err
    assert said["en"].err != said["fr"].err


def test_inspect_shows_everything_and_says_that_nothing_was_verified(desk: Desk, comity: Say) -> None:
    shutil.rmtree(".comity")
    told = comity("inspect", "signature.sdjwt", "--lang", "fr")
    assert told.code == 0
    assert told.out.startswith("Rien de ce qui suit n’a été vérifié.")
    document = comity("inspect", "person.sdjwt", "--json").json
    assert document["verified"] is False
    assert ["family_name", "Chen"] in [each[1:] for each in document["credentials"][0]["disclosures"]]
    assert document["holder_proof"] is None
    assert comity("inspect", "presented.sdjwt", "--json").json["holder_proof"]["nonce"] == NONCE


def test_wrong_use_is_told_in_the_language_asked_for(desk: Desk, comity: Say) -> None:
    for arguments in (("verify",), ("verify", "x", "--bogus"), ("vrify",), ("doctor", "a", "b")):
        english, french = comity(*arguments), comity(*arguments, "--lang=fr")
        assert (english.code, french.code) == (BAD_INPUT, BAD_INPUT)
        assert english.err.startswith("The command is not written as it must be")
        assert french.err.startswith("La commande est mal formée")


def test_help_names_every_command(comity: Say) -> None:
    told = comity("--help")
    assert told.code == 0
    for command in ("demo", "serve", "verify", "inspect", "doctor", "registry", "issuer", "wallet", "verifier"):
        assert f" {command} " in told.out
    assert "3 rejected" in comity("verify", "--help").out


def test_no_colour_means_no_colour(desk: Desk, comity: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[32m" in comity("verify", "person.sdjwt").out
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[32m" not in comity("verify", "person.sdjwt").out


def test_the_command_as_a_process_of_its_own(desk: Desk) -> None:
    command = [sys.executable, "-m", "comity", "verify", "-", "--json"]
    place = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[3])}
    done = subprocess.run(
        command, input=b"{}", cwd=desk.folder, env=place, capture_output=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (BAD_INPUT, b"")
    assert strict_json.parse_object(done.stdout)["error"] == "format_unknown"


def test_an_older_copy_of_a_list_is_named_as_such(desk: Desk, comity: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    later = FixedClock(NOW.replace(hour=14))
    monkeypatch.setattr(verify_command, "SystemClock", lambda: later)
    told = comity("verify", "person.sdjwt")
    assert told.code == ACCEPTED
    assert "From an older copy of the list, since its host did not answer [status_stale]" in told.out
