"""The trust registry's content and rules: pure functions of (snapshot, instant).

How the documents travel and who signs them is TUF's part (:mod:`comity.runtime.registry_client`).
"""

from comity.trust.accreditation import may_issue
from comity.trust.decision import Answer, ChainLink, Decision
from comity.trust.entitlement import may_ask
from comity.trust.placement import Alert
from comity.trust.recognition import recognises
from comity.trust.snapshot import IssuerEntry, RegistrySnapshot, VerifierEntry

__all__ = [
    "Alert",
    "Answer",
    "ChainLink",
    "Decision",
    "IssuerEntry",
    "RegistrySnapshot",
    "VerifierEntry",
    "may_ask",
    "may_issue",
    "recognises",
]
