"""The credential formats, one table: whoever handles credentials looks the format up and calls its functions.

A credential passes through them in this order: ``open`` (nothing verified), ``check_header``, then, once the caller has
found the issuer's key and checked the signature, ``process``; for a presentation then ``check_holder_proof`` with the
key that the processed credential is bound to.
"""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Protocol

from msgspec import Struct

from comity import jose
from comity.credential import Credential, Format, KeyReference, SignedCredential
from comity.errors import Code, Malformed
from comity.formats import sd_jwt_vc, vc_jwt
from comity.formats.opened import (
    HeldCredential,
    HolderProof,
    OpenedCredential,
    OpenedPresentation,
    Path,
    ProcessedCredential,
    WantedPath,
)
from comity.ports import Jwk, Signer

__all__ = [
    "FORMATS",
    "CredentialFormat",
    "HeldCredential",
    "HolderProof",
    "OpenedCredential",
    "OpenedPresentation",
    "Path",
    "ProcessedCredential",
    "WantedPath",
    "of",
]


class Present(Protocol):
    """Make a presentation of a held credential."""

    def __call__(
        self,
        held: SignedCredential | HeldCredential,
        disclose: Collection[WantedPath | str],
        holder: Signer | None,
        *,
        audience: str,
        nonce: str,
        at: datetime,
        also: Mapping[str, Any] | None = None,
    ) -> str:
        """Return the presentation; see the format's own ``present``."""
        ...


class CheckHolderProof(Protocol):
    """Check the holder's proof of a presentation."""

    def __call__(
        self, presentation: OpenedPresentation, holder_jwk: Jwk, *, audience: str, nonce: str, at: datetime
    ) -> None:
        """Return when the proof is good, raise ``Malformed`` when not; see the format's own ``check_holder_proof``."""
        ...


class CredentialFormat(Struct, frozen=True, kw_only=True):
    """What can be done with credentials of one format. Each function is documented where it is defined."""

    name: Format
    sign: Callable[[Credential, Signer, KeyReference], SignedCredential]
    open: Callable[[str], OpenedPresentation]
    check_header: Callable[[OpenedCredential], None]
    process: Callable[[OpenedCredential], ProcessedCredential]
    present: Present
    check_holder_proof: CheckHolderProof


FORMATS: Mapping[str, CredentialFormat] = MappingProxyType(
    {
        Format.DC_SD_JWT: CredentialFormat(
            name=Format.DC_SD_JWT,
            sign=sd_jwt_vc.sign,
            open=sd_jwt_vc.open_presentation,
            check_header=sd_jwt_vc.check_header,
            process=sd_jwt_vc.process,
            present=sd_jwt_vc.present,
            check_holder_proof=sd_jwt_vc.check_holder_proof,
        ),
        Format.VC_JWT: CredentialFormat(
            name=Format.VC_JWT,
            sign=vc_jwt.sign,
            open=vc_jwt.open_presentation,
            check_header=vc_jwt.check_header,
            process=vc_jwt.process,
            present=vc_jwt.present,
            check_holder_proof=vc_jwt.check_holder_proof,
        ),
    }
)
"""Every format by its identifier."""


def of(encoded: str | bytes) -> Format:
    """Say which format a file or a text is in, from its outside alone; white space around it does not matter here.

    Raises:
        Malformed: ``format_unknown``, whatever is wrong with it.
    """
    try:
        text = (encoded if isinstance(encoded, str) else encoded.decode("ascii")).strip()
        jwt, tilde, _ = text.partition("~")
        typ = jose.type_of(jwt)
    except (UnicodeDecodeError, Malformed):
        raise _unknown() from None
    if tilde:
        return Format.DC_SD_JWT
    if typ in (vc_jwt.TYP, vc_jwt.PRESENTATION_TYP):
        return Format.VC_JWT
    raise _unknown()


def _unknown() -> Malformed:
    return Malformed(Code.FORMAT_UNKNOWN, "this is not a credential or presentation in a format known here")
