"""What stands behind the front door: addresses, and the sign-ins of the demonstration."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """A sign-in of the demonstration, for everybody to use: fictional, made anew at each start.

    Attributes:
        face: ``console``, ``wallet`` or ``counter``.
        name: what to type as the name.
        password: what to type as the password.
        role: what it may do, as a key of ``door.role_…``; empty when that needs no words.
        office: for which office, by language; empty when that needs no words.
    """

    face: str
    name: str
    password: str
    role: str = ""
    office: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """What the front door leads to.

    Attributes:
        urls: service → address for people.
        probes: service → address that answers 200 while it is up, from this machine.
        sign_ins: what visitors may sign in with.
        authority: certificate of the demonstration's own authority (PEM); empty without https.
        fingerprint: its SHA-256, for comparison by eye.
        plain_url: where it can be had before a phone trusts it; empty without https.
    """

    urls: Mapping[str, str]
    probes: Mapping[str, str]
    sign_ins: tuple[SignIn, ...] = ()
    authority: bytes = field(default=b"", repr=False)
    fingerprint: str = ""
    plain_url: str = ""
