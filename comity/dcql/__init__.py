"""DCQL, the query language of OpenID4VP 1.0 (§6, §7; profile §6.3), as a pure library.

A wallet calls :func:`parse` and :func:`match`; a verifier builds its query with :func:`parse`, sends
:meth:`Query.to_json`, and judges what comes back with :func:`check_answer` and :func:`over_disclosed`.

Formats that are matched: ``dc+sd-jwt`` and ``vc+jwt``. Queries for other formats are read (and an mdoc path is held to
its own rule) but match nothing here.
"""

from comity.dcql.answer import Presented, check_answer, over_disclosed
from comity.dcql.match import Candidate, Holding, Match, SetMatch, is_enough, match, sets_of
from comity.dcql.path import Place
from comity.dcql.query import (
    MAX_CLAIMS,
    MAX_CREDENTIALS,
    MAX_SETS,
    ClaimQuery,
    CredentialQuery,
    CredentialSet,
    Meta,
    Path,
    Query,
    TrustedAuthority,
    parse,
)
from comity.dcql.selection import (
    MATCHED_FORMATS,
    W3C_CREDENTIAL_TYPE,
    claim_of,
    claim_path,
    named_types,
    type_names,
)

__all__ = [
    "MATCHED_FORMATS",
    "MAX_CLAIMS",
    "MAX_CREDENTIALS",
    "MAX_SETS",
    "W3C_CREDENTIAL_TYPE",
    "Candidate",
    "ClaimQuery",
    "CredentialQuery",
    "CredentialSet",
    "Holding",
    "Match",
    "Meta",
    "Path",
    "Place",
    "Presented",
    "Query",
    "SetMatch",
    "TrustedAuthority",
    "check_answer",
    "claim_of",
    "claim_path",
    "is_enough",
    "match",
    "named_types",
    "over_disclosed",
    "parse",
    "sets_of",
    "type_names",
]
