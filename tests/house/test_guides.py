"""The verifier's guide names what the API and the settings take, and nothing else."""

import re
from pathlib import Path
from typing import get_args

from comity.openid.presentation.client_id import Prefix
from verifier.api.relying_party import TERMS
from verifier.requesting import Flow
from verifier.settings import VerifierSettings

GUIDE = (Path(__file__).resolve().parents[2] / "docs/guides/connect-a-verifier.md").read_text(encoding="utf-8")


def test_every_member_of_a_request_is_explained() -> None:
    table = GUIDE.partition("| Member |")[2].partition("\n\n")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == TERMS
    assert all(f"`{flow}`" in GUIDE for flow in Flow)


def test_every_setting_and_prefix_is_one() -> None:
    fields = VerifierSettings.model_fields
    named = set(re.findall(r"`VERIFIER_([A-Z_]+)`", GUIDE))
    assert named
    assert {name.lower() for name in named} <= set(fields)
    prefixes = get_args(fields["client_id_prefix"].annotation)
    assert all(f"`{prefix}`" in GUIDE for prefix in prefixes)
    assert set(prefixes) < set(Prefix)
