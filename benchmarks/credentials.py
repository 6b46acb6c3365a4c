"""Issue, present and verify one SD-JWT VC with ten claims, beside raw signatures.

Every round runs the work and its yardstick a few times in turn, so that a machine that slows down slows both; the
ratio is formed from the minimum of each. Turns are short, so that on a busy machine some go undisturbed.

Nothing is measured twice on the same input: there are more holders than any cache keeps, each with a credential of its
own. What a service does keep between two strangers stays: the issuer's key and chain, the registry, the status list.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import cycle
from typing import TypeVar

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from comity import base64url, formats, jose, keys
from comity.credential import Credential, Format, SignedCredential
from comity.formats import HeldCredential
from comity.keys import KeySigner
from comity.verification.checks import Verdict
from comity.verification.credential import Demand
from comity.verification.evidence import Needs
from comity.verification.presentation import verify_held
from comity.verification.status import StatusDemand
from tests.support.world import AUDIENCE, LICENCE, NONCE, NOW, World
from wallet.holdings import take_apart

CALLS, ROUNDS = 10, 400
HOLDERS = 1200
"""More than :mod:`comity.keys` keeps keys, so that every holder's is fresh."""

T = TypeVar("T")
_ECDSA, _P256 = ec.ECDSA(hashes.SHA256()), ec.SECP256R1()


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One measure: ours against a yardstick, in microseconds of CPU, both minima of the same run; ``must`` is the
    ratio that it must not exceed, None where none was set."""

    measure: str
    against: str
    ours_us: float
    yardstick_us: float
    must: float | None = None

    @property
    def ratio(self) -> float:
        """How many times the yardstick ours takes."""
        return self.ours_us / self.yardstick_us


def minima(candidates: dict[str, Callable[[], object]], *, rounds: int = ROUNDS) -> dict[str, float]:
    """Return the least CPU time of one call of each candidate, in microseconds, taking turns."""
    best = dict.fromkeys(candidates, float("inf"))
    for _ in range(rounds):
        for name, call in candidates.items():
            started = time.thread_time()
            for _ in range(CALLS):
                call()
            best[name] = min(best[name], (time.thread_time() - started) / CALLS * 1e6)
    return best


@dataclass(frozen=True, slots=True, kw_only=True)
class Strangers:
    """People with a licence each, what they hold, and what they would show."""

    world: World
    holders: tuple[KeySigner, ...]
    claims: tuple[str, ...]
    unsigned: tuple[Credential, ...]
    held: tuple[SignedCredential, ...]
    shown: tuple[str, ...]
    held_w3c: tuple[SignedCredential, ...]

    @classmethod
    def made(cls) -> "Strangers":
        """Make them."""
        world = World()
        holders = tuple(KeySigner.generate() for _ in range(HOLDERS))
        unsigned = tuple(
            world.credential(world.on, Format.DC_SD_JWT, LICENCE, holder_jwk=each.public_jwk) for each in holders
        )
        claims = tuple(unsigned[0].claims)
        held = tuple(world.issue(world.on, Format.DC_SD_JWT, LICENCE, holder_jwk=each.public_jwk) for each in holders)
        return cls(
            world=world,
            holders=holders,
            claims=claims,
            unsigned=unsigned,
            held=held,
            shown=tuple(world.present(each, claims, holder=holder) for each, holder in zip(held, holders, strict=True)),
            held_w3c=tuple(
                world.issue(world.on, Format.VC_JWT, LICENCE, holder_jwk=each.public_jwk) for each in holders
            ),
        )

    def work(self) -> dict[str, Callable[[], object]]:
        """Return what is done for one of them at a time."""
        world, snapshot = self.world, self.world.snapshot()
        sd_jwt, vc_jwt = formats.FORMATS[Format.DC_SD_JWT], formats.FORMATS[Format.VC_JWT]
        issuer_key, chain = world.on.key, world.on.x5c
        demand, as_held = world.demand(), world.demand(holder=None, place=None)
        did_key = keys.public_key(world.on.did_key.public_jwk)

        status = StatusDemand()

        def verify(encoded: str, demand: Demand, credential_format: Format) -> None:
            outcome = verify_held(
                encoded, demand=demand, status=status, snapshot=snapshot, expected_format=credential_format
            )
            while isinstance(outcome, Needs):
                outcome = outcome.resume(world.evidence)
            if outcome.verdict is not Verdict.ACCEPTED:
                raise AssertionError("what is measured must be accepted")

        def read(held: SignedCredential) -> None:
            opened = vc_jwt.open(held.encoded).credentials[0]
            vc_jwt.check_header(opened)
            jose.verify(opened.jws, did_key)
            vc_jwt.process(opened)

        def present(pair: tuple[SignedCredential | HeldCredential, KeySigner]) -> object:
            held, holder = pair
            return sd_jwt.present(held, self.claims, holder, audience=AUDIENCE, nonce=NONCE, at=NOW)

        read_before = [take_apart(each) for each in self.held]

        return {
            "issue": on_each(self.unsigned, lambda each: sd_jwt.sign(each, issuer_key, chain)),
            "present": on_each(tuple(zip(read_before, self.holders, strict=True)), present),
            "present bytes": on_each(tuple(zip(self.held, self.holders, strict=True)), present),
            "verify": on_each(self.shown, lambda each: verify(each, demand, Format.DC_SD_JWT)),
            "vc+jwt": on_each(self.held_w3c, read),
            "vc+jwt held": on_each(self.held_w3c, lambda each: verify(each.encoded, as_held, Format.VC_JWT)),
        }


def on_each(things: tuple[T, ...], call: Callable[[T], object]) -> Callable[[], object]:
    """Return a call without arguments that takes the next of ``things`` every time, round and round."""
    turn: Iterator[T] = cycle(things)
    return lambda: call(next(turn))


def yardsticks(strangers: Strangers) -> dict[str, Callable[[], object]]:
    """Return the bare signatures of the same people: made and checked by ``cryptography`` alone, over the same bytes.

    One is checked with the issuer's key all the time, one with a holder's, which is made anew each time.
    """
    credentials = tuple(jose.parse(each.encoded.partition("~")[0]) for each in strangers.held)
    proofs = tuple(jose.parse(each.rpartition("~")[2]) for each in strangers.shown)
    private = strangers.world.on.key.private_key
    assert isinstance(private, ec.EllipticCurvePrivateKey)  # what `generate` makes by default
    public = private.public_key()

    def with_fresh(signed: tuple[bytes, bytes, int, int]) -> None:
        signature, message, x, y = signed
        ec.EllipticCurvePublicNumbers(x, y, _P256).public_key().verify(signature, message, _ECDSA)

    return {
        "raw sign": on_each(credentials, lambda each: private.sign(each.signing_input, _ECDSA)),
        "raw verify": on_each(
            tuple((_der(each), each.signing_input) for each in credentials),
            lambda signed: public.verify(*signed, _ECDSA),
        ),
        "raw verify, fresh key": on_each(
            tuple(
                (_der(proof), proof.signing_input, _number(holder.public_jwk["x"]), _number(holder.public_jwk["y"]))
                for proof, holder in zip(proofs, strangers.holders, strict=True)
            ),
            with_fresh,
        ),
    }


def _der(jws: jose.Jws) -> bytes:
    half = len(jws.signature) // 2
    return encode_dss_signature(*(int.from_bytes(part, "big") for part in (jws.signature[:half], jws.signature[half:])))


def _number(coordinate: str) -> int:
    return int.from_bytes(base64url.decode(coordinate), "big")


_SIGN, _CHECK, _BOTH = ("raw sign",), ("raw verify",), ("raw verify", "raw verify, fresh key")
_MEASURES: tuple[tuple[str, str, str, tuple[str, ...], float | None], ...] = (
    (
        "verify",
        "verify SD-JWT VC + KB: twelve checks, 10 disclosures",
        "one cached + one fresh raw ES256 verify",
        _BOTH,
        2.3,
    ),
    ("issue", "issue SD-JWT VC, 10 disclosures", "raw ES256 sign", _SIGN, 3.0),
    ("present", "wallet: present a credential it has read, all 10 disclosed", "raw ES256 sign", _SIGN, 2.5),
    ("present bytes", "wallet: read a credential and present it, all 10 disclosed", "raw ES256 sign", _SIGN, None),
    ("vc+jwt", "verify vc+jwt: form, signature, data model", "raw ES256 verify", _CHECK, 1.7),
    ("vc+jwt held", "verify vc+jwt as held: all checks, two status lists", "raw ES256 verify", _CHECK, None),
)
"""The work, its name and its yardstick's, the bare signatures that it is measured beside, and the must."""


def measure() -> list[Row]:
    """Run every measure once: each piece of work in turn with its yardstick, and with nothing else."""
    strangers = Strangers.made()
    candidates = {**yardsticks(strangers), **strangers.work()}
    rows = []
    for work, name, against, beside, must in _MEASURES:
        best = minima({each: candidates[each] for each in (work, *beside)})
        yardstick = sum(best[each] for each in beside)
        rows.append(Row(measure=name, against=against, ours_us=best[work], yardstick_us=yardstick, must=must))
    return rows


def report(rows: list[Row]) -> str:
    """Return the rows as a Markdown table, and below it what must be and is, or is not."""
    head = (
        "Minimum CPU time of interleaved rounds in one run, unless the measure says *wall*; only the ratios travel to "
        "other machines.\n\n"
    )
    lines = ["| measure | against | ours µs | yardstick µs | ratio |", "|---|---|---|---|---|"]
    lines += [
        f"| {row.measure} | {row.against} | {row.ours_us:.0f} | {row.yardstick_us:.0f} | {row.ratio:.{_digits(row)}f} |"
        for row in rows
    ]
    musts = [
        f"- {'met' if row.ratio <= row.must else '**missed**'}: {row.measure}, at most {row.must:g} of {row.against}"
        for row in rows
        if row.must is not None
    ]
    return head + "\n".join([*lines, "", *musts]).rstrip() + "\n"


def _digits(row: Row) -> int:
    return 2 if row.ratio >= 0.1 else 4
