"""What a type is called for people where its issuer does not say so: as the federation calls its own types."""

import schemas
from comity.credential import CredentialType
from comity.openid.issuance import display
from comity.openid.issuance.configuration import CredentialConfiguration


def name_of(kind: CredentialType | None, language: str) -> str | None:
    """Return the name of a type; None for one of somebody else."""
    if kind is None or (kind.slug, kind.version) not in schemas.all_types():
        return None
    shown = display.in_language(display.of_type_metadata(schemas.type_metadata(kind.slug, kind.version)), language)
    return shown.name if shown else None


def name_of_offered(offered: CredentialConfiguration, language: str) -> str:
    """Return the name of what is on offer: its issuer's, else its type's, else the configuration's id."""
    shown = display.in_language(offered.display, language)
    return shown.name if shown else name_of(offered.credential_type, language) or offered.id
