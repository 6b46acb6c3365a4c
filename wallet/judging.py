"""Judging what an issuer sent: is it what was asked for, and what did its verification find?"""

from datetime import datetime

from comity import formats
from comity.credential import Format, SignedCredential
from comity.did import web
from comity.errors import Code
from comity.trust.snapshot import RegistrySnapshot
from comity.verification.checks import CheckName, Outcome, Result
from wallet import holdings
from wallet.copies import holder_of
from wallet.journal import Line, keys_of


def mismatches(signed: SignedCredential, line: Line, now: datetime) -> set[Code]:
    """Return in what the credential is not the one that was asked for (catalogue S14, I23).

    The validity period is looked at here too: the checks of a credential whose issuer nobody knows stop before it.

    Raises:
        Malformed: it cannot be read.
    """
    opened, processed = formats.FORMATS[signed.format].open(signed.encoded), holdings.process(signed)
    found = {
        Code.HOLDER_PROOF_MALFORMED: not opened.is_as_issued,
        Code.CREDENTIAL_NOT_REQUESTED: (processed.type_name, signed.format) != (line["type_name"], line["format"]),
        Code.HOLDER_KEY_MISMATCH: holder_of(signed) not in keys_of(line),
        Code.EXPIRED: processed.valid_until is not None and processed.valid_until <= now,
    }
    return {code for code, is_so in found.items() if is_so}


def foreign(signed: SignedCredential, line: Line, snapshot: RegistrySnapshot) -> set[Code]:
    """Refuse the credential of another issuer than the one that was shown to the person (catalogue I23)."""
    own = {line["issuer"]} | ({web.did_of(line["issuer"])} if signed.format is Format.VC_JWT else set())
    entries = snapshot.issuers()
    authorities = {each.authority for each in entries if each.identifier.id in own}
    own |= {each.identifier.id for each in entries if each.authority in authorities}
    return set() if holdings.process(signed).issuer in own else {Code.ISSUER_MISMATCH}


def reasons(result: Result) -> tuple[set[Code], set[Code]]:
    """Return the codes of what failed and of what could not be decided; an undecided *status* is no reason."""
    failed = {check.code for check in result.all_checks if check.outcome is Outcome.FAILED}
    undecided = {
        check.code
        for check in result.all_checks
        if check.outcome is Outcome.UNKNOWN and check.name is not CheckName.STATUS
    }
    return failed, undecided
