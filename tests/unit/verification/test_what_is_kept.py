"""What is read or worked out once is only what no clock and no stranger can change; the rest is asked every time."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from comity import formats, jose, strict_json, x509
from comity.credential import Format, SignedCredential, Status
from comity.did import web
from comity.errors import Code, Malformed
from comity.formats import HeldCredential
from comity.trust.snapshot import MAX_ANSWERS, RegistrySnapshot
from comity.verification.checks import Verdict
from comity.verification.issuer_key import certified_key, pinned_key
from tests.support.world import AUDIENCE, LICENCE, NONCE, NOW, World

DAY = timedelta(days=1)


def refused(code: Code, call: Any, *positional: Any, **named: Any) -> None:
    with pytest.raises(Malformed) as caught:
        call(*positional, **named)
    assert caught.value.code is code


def test_a_chain_that_was_good_yesterday_expires(world: World) -> None:
    on = world.on
    asked = {"anchor": x509.to_base64(on.anchor), "name": on.issuer_id}
    key = certified_key(on.x5c, **asked, at=NOW)
    assert certified_key(on.x5c, **asked, at=NOW + 299 * DAY) is key
    refused(Code.CERTIFICATE_EXPIRED, certified_key, on.x5c, **asked, at=NOW + 301 * DAY)
    refused(Code.CERTIFICATE_EXPIRED, certified_key, on.x5c, **asked, at=NOW - 301 * DAY)
    assert certified_key(on.x5c, **asked, at=NOW) is key


def test_a_chain_that_is_good_under_one_anchor_and_name_is_good_under_no_other(world: World) -> None:
    on, bc = world.on, world.bc
    anchor, other = x509.to_base64(on.anchor), x509.to_base64(bc.anchor)
    certified_key(on.x5c, anchor=anchor, name=on.issuer_id, at=NOW)
    refused(Code.CERTIFICATE_UNTRUSTED, certified_key, on.x5c, anchor=other, name=on.issuer_id, at=NOW)
    refused(Code.CERTIFICATE_NAME_MISMATCH, certified_key, on.x5c, anchor=anchor, name=bc.issuer_id, at=NOW)


def test_a_key_in_a_did_document_that_was_read_before_expires_and_keeps_its_pin(world: World) -> None:
    on = world.on
    members = web.web_document(on.did, {"credential": on.did_key.public_jwk}, {"assertionMethod"})
    members["verificationMethod"][0]["expires"] = (NOW + DAY).isoformat()
    body, pins = strict_json.serialise(members), (on.did_key.thumbprint,)
    pinned_key(on.kid, body, pins=pins, at=NOW)
    refused(Code.KEY_REVOKED, pinned_key, on.kid, body, pins=pins, at=NOW + DAY)
    refused(Code.KEY_NOT_PINNED, pinned_key, on.kid, body, pins=(world.bc.did_key.thumbprint,), at=NOW)


def test_a_list_that_was_read_before_ends_and_says_what_it_said(world: World) -> None:
    shown, snapshot = world.present(world.issue(world.on, Format.DC_SD_JWT, LICENCE)), world.snapshot()
    assert world.verify(shown, snapshot=snapshot).verdict is Verdict.ACCEPTED
    later = world.demand(at=NOW + 2 * DAY, holder=None)
    ended = world.verify(shown, snapshot=world.snapshot(NOW + 3 * DAY), demand=later)
    assert ended.codes == (Code.STATUS_UNAVAILABLE,)
    world.on.bits.set(7, Status.REVOKED.value)
    world.publish()
    assert world.verify(shown, snapshot=snapshot).codes == (Code.REVOKED,)


def test_a_list_under_another_key_than_the_one_it_was_read_with_is_refused(world: World) -> None:
    """The same bytes, read and found good, are checked again with the key that the next entry vouches for."""
    shown = world.present(world.issue(world.on, Format.DC_SD_JWT, LICENCE))
    assert world.verify(shown).verdict is Verdict.ACCEPTED
    genuine = world.evidence[world.on.list_uri()]
    chain = (x509.to_base64(world.on.certify(world.bc.status_key, world.on.status_base)),)
    header = {"typ": "statuslist+jwt", "x5c": list(chain)}
    signed = jose.parse(genuine.body.decode())  # type: ignore[union-attr]  # obtained
    world.put(world.on.list_uri(), jose.sign(header, signed.payload, world.on.status_key).encode())
    assert world.verify(shown).codes == (Code.SIGNATURE_INVALID,)


def test_a_registry_that_answered_before_expires(world: World) -> None:
    shown = world.present(world.issue(world.on, Format.DC_SD_JWT, LICENCE))
    snapshot = world.snapshot(NOW + timedelta(minutes=1))
    assert world.verify(shown, snapshot=snapshot).verdict is Verdict.ACCEPTED
    late = world.verify(shown, snapshot=snapshot, demand=world.demand(at=NOW + timedelta(minutes=2)))
    assert late.verdict is Verdict.UNDETERMINED
    assert set(late.codes) == {Code.REGISTRY_EXPIRED}


def test_an_answer_belongs_to_its_snapshot_and_its_question(world: World) -> None:
    def count(of: RegistrySnapshot, number: int) -> int:
        asked.append(number)
        return number + len(of.versions)

    asked: list[int] = []
    snapshot = world.snapshot()
    assert [snapshot.once(count, 1), snapshot.once(count, 2), snapshot.once(count, 1)] == [1, 2, 1]
    assert asked == [1, 2]
    renewed = replace(snapshot, versions={"timestamp": 2})
    assert renewed.once(count, 1) == 2
    for number in range(MAX_ANSWERS):
        snapshot.once(count, number)
    assert len(snapshot._answers) <= MAX_ANSWERS


def test_a_header_that_was_read_before_is_judged_again(world: World) -> None:
    token = jose.sign({"typ": "dc+sd-jwt"}, {"a": 1}, world.on.key)
    for _ in range(2):
        jws = jose.parse(token)
        refused(Code.TYPE_NOT_ALLOWED, jose.require, jws, typ="vc+jwt", context="credential")
        assert jose.require(jws, typ="dc+sd-jwt", context="credential") == "ES256"
    with pytest.raises(TypeError):
        jose.parse(token).header["alg"] = "none"  # type: ignore[index]  # what is kept is nobody's to change


@pytest.mark.parametrize("credential_format", [Format.DC_SD_JWT, Format.VC_JWT])
def test_what_was_read_is_presented_as_its_bytes_are(world: World, credential_format: Format) -> None:
    kind, held = formats.FORMATS[credential_format], world.issue(world.on, credential_format, LICENCE)
    asked: dict[str, Any] = {"audience": AUDIENCE, "nonce": NONCE, "at": NOW}

    def read(signed: SignedCredential) -> HeldCredential:
        opened = kind.open(signed.encoded)
        return HeldCredential(opened=opened, processed=kind.process(opened.credentials[0]))

    for wanted in ([], ["age_over_18"], [("birthdate",), ("no", "such")], [()]):
        assert kind.present(read(held), wanted, None, **asked) == kind.present(held, wanted, None, **asked)
    shown = kind.present(read(held), ["age_over_18"], world.holder, **asked)
    assert world.verify(shown).verdict is Verdict.ACCEPTED
    again = SignedCredential(format=credential_format, encoded=shown)
    for what in (again, read(again)):
        refused(Code.MALFORMED, kind.present, what, [], world.holder, **asked)
