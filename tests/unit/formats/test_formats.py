"""The table of formats, and telling a file's format from its outside."""

import pytest

from comity import jose
from comity.credential import Format
from comity.errors import Code
from comity.formats import FORMATS, of
from tests.unit.formats.made import ISSUER, presented, refused, sd_jwt_credential, w3c_credential


@pytest.mark.clause("HAIP-all")
def test_every_format_is_in_the_table_under_its_name() -> None:
    assert set(FORMATS) == set(Format)
    assert all(FORMATS[name].name == name for name in FORMATS)
    assert FORMATS["dc+sd-jwt"] is FORMATS[Format.DC_SD_JWT]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (sd_jwt_credential().encoded, Format.DC_SD_JWT),
        (presented(sd_jwt_credential()), Format.DC_SD_JWT),
        (w3c_credential().encoded, Format.VC_JWT),
        (presented(w3c_credential()), Format.VC_JWT),
    ],
    ids=["sd-jwt", "sd-jwt+kb", "vc+jwt", "vp+jwt"],
)
def test_a_file_is_told_by_its_outside(text: str, expected: Format) -> None:
    assert of(text) is expected
    assert of(f"\n {text}\r\n".encode()) is expected


@pytest.mark.parametrize(
    "data",
    [
        *("", "hello", "~", "a.b.c", "a.b.c~", "{}", b"\xff\xfe", "é", jose.sign({"typ": "jwt"}, {}, ISSUER)),
        '{"type": ["VerifiableCredential"], "proof": {"type": "DataIntegrityProof"}}',
    ],
    ids=lambda data: repr(data)[:20],
)
def test_anything_else_is_unknown(data: str | bytes) -> None:
    with refused(Code.FORMAT_UNKNOWN):
        of(data)
