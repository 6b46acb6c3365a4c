"""Issuing to one person: choose, fill in, review, hand over, see it collected."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from comity.credential import CredentialType
from comity.errors import Code, ComityError, Malformed, NotFound
from comity.web.forms import Form
from issuer import catalog, fields, offering_once
from issuer.api.access import deployment_of
from issuer.console.desk import Desk, time_of, type_of
from issuer.deployment import Deployment
from issuer.fields import Field
from issuer.offering import Wanted
from issuer.operators import Right
from issuer.store.clerks import Clerk

RECORD = "record"
NOW, LATER = "now", "later"
MAX_RECORD = 200
_RULES = frozenset({"required", "pattern", "format", "enum", "maxLength", "minLength"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A field of the type, and what it is called in the form: by number, so that no name of a claim means anything."""

    name: str
    field: Field


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """A form that was read: what was typed for each claim, and the claims it makes."""

    typed: Mapping[str, str]
    claims: Mapping[str, Any]
    record_reference: str


def add_routes(routes: APIRouter, desk: Desk) -> None:
    """Add the pages from the choice of a type to the review."""

    @routes.get("/issue")
    async def choose(request: Request) -> Response:
        clerk = await desk.clerk(request, Right.ISSUE)
        authority = deployment_of(request).authority(clerk.authority)
        if len(authority.description.types) == 1:
            only = authority.description.types[0]
            return desk.to(request, f"/issue/{only.slug}/{only.version}")
        return desk.render(request, "choose.html", types=authority.description.types)

    @routes.get("/issue/{slug}/{version}")
    async def fill_in(request: Request) -> Response:
        clerk = await desk.clerk(request, Right.ISSUE)
        return _form_page(request, desk, type_of(request, clerk), Form(), is_new=True)

    @routes.post("/issue/{slug}/{version}")
    async def review(request: Request) -> Response:
        form = await desk.pages.form(request)
        clerk = await desk.clerk(request, Right.ISSUE)
        chosen = type_of(request, clerk)
        if "fetch" in form.values:
            return await _from_record(request, desk, clerk, chosen, form)
        filled = _read(request, chosen, form)
        if "change" in form.values or not form.is_ok:
            return _form_page(request, desk, chosen, form)
        return _review_page(request, desk, chosen, form, filled)


def add_making(routes: APIRouter, desk: Desk) -> None:
    """Add the making of an offer."""

    @routes.get("/issue/{slug}/{version}/offer")
    async def back(request: Request) -> Response:
        clerk = await desk.clerk(request, Right.ISSUE)
        chosen = type_of(request, clerk)
        return desk.to(request, f"/issue/{chosen.slug}/{chosen.version}")

    @routes.post("/issue/{slug}/{version}/offer")
    async def make(request: Request) -> Response:
        form = await desk.pages.form(request)
        clerk = await desk.clerk(request, Right.ISSUE)
        chosen = type_of(request, clerk)
        filled, when = _read(request, chosen, form), form.choice("when", (NOW, LATER))
        if not form.is_ok:
            return (
                _review_page(request, desk, chosen, form, filled)
                if filled.claims
                else _form_page(request, desk, chosen, form)
            )
        try:
            offer_id = await _make(deployment_of(request), clerk, chosen, filled, when, once=form.once)
        except Malformed:
            form.fail("", "console.rule_ended")
            return _form_page(request, desk, chosen, form)
        return desk.to(request, f"/offers/{offer_id}")


async def _make(
    deployment: Deployment, clerk: Clerk, chosen: CredentialType, filled: Filled, when: str, *, once: str
) -> str:
    """Make the offer, once for each form that was drawn, and return its id."""
    wanted = Wanted(
        authority=clerk.authority,
        type_name=f"{chosen.slug}/{chosen.version}",
        claims=filled.claims,
        record_reference=filled.record_reference or None,
        batch_size=1,
        is_for_later=when == LATER,
    )
    said = {"type": wanted.type_name, "claims": filled.claims, "record": filled.record_reference, "when": when}
    created = await offering_once.create(deployment, wanted, actor=clerk.name, key=once, said=said)
    return created.offer.id


def entries_of(chosen: CredentialType) -> tuple[Entry, ...]:
    """Return the fields of a type with their names in the form."""
    return tuple(Entry(name=f"c{number}", field=each) for number, each in enumerate(fields.fields_of(chosen), start=1))


def _read(request: Request, chosen: CredentialType, form: Form) -> Filled:
    """Read the form of a type; what is wrong becomes errors beside the fields."""
    entries, typed = entries_of(chosen), {}
    for entry in entries:
        typed[entry.field.name] = _typed(form, entry)
    reading = fields.read(chosen, typed, today=_today(request))
    by_claim = {entry.field.name: entry.name for entry in entries}
    for claim, rule in reading.problems.items():
        form.fail(by_claim.get(claim, ""), f"console.rule_{rule if rule in _RULES else 'other'}")
    record = form.text(RECORD, is_needed=False, most=MAX_RECORD)
    if not record.isprintable():
        form.fail(RECORD, "console.rule_pattern")
    return Filled(typed=typed, claims=reading.claims, record_reference=record)


def _typed(form: Form, entry: Entry) -> str:
    if entry.field.kind != "choices":
        return form.text(entry.name, is_needed=False)
    chosen = [value for number, value in enumerate(entry.field.options, 1) if form.flag(f"{entry.name}-{number}")]
    return fields.LIST_MARK.join(chosen)


async def _from_record(request: Request, desk: Desk, clerk: Clerk, chosen: CredentialType, form: Form) -> Response:
    """Fill the form in from the authority's own system, by file number."""
    source = deployment_of(request).sources.get(clerk.authority)
    record = form.text(RECORD, most=MAX_RECORD)
    form.errors.pop("", None)
    if form.is_ok and source is not None:
        try:
            claims = await source.claims(chosen.slug, record)
        except NotFound:
            form.fail(RECORD, "console.record_unknown")
        except ComityError:
            form.fail(RECORD, "console.record_unreachable")
        else:
            _fill(form, chosen, claims)
    return _form_page(request, desk, chosen, form)


def _fill(form: Form, chosen: CredentialType, claims: Mapping[str, Any]) -> None:
    for entry in entries_of(chosen):
        value = claims.get(entry.field.name)
        if isinstance(value, list):
            for number, option in enumerate(entry.field.options, 1):
                form.values[f"{entry.name}-{number}"] = "yes" if option in value else ""
        elif value is not None:
            form.values[entry.name] = {True: "true", False: "false"}.get(value, str(value))


def _form_page(request: Request, desk: Desk, chosen: CredentialType, form: Form, *, is_new: bool = False) -> Response:
    clerk: Clerk = request.state.clerk
    return desk.render(
        request,
        "fill_in.html",
        status=200 if form.is_ok else 422,
        form=form,
        chosen=chosen,
        entries=entries_of(chosen),
        defaults=fields.defaults(chosen, _today(request)) if is_new else {},
        has_source=clerk.authority in deployment_of(request).sources,
        counts_ages=fields.counts_ages(chosen),
        choices=len(deployment_of(request).authority(clerk.authority).description.types),
    )


def _review_page(request: Request, desk: Desk, chosen: CredentialType, form: Form, filled: Filled) -> Response:
    deployment, language = deployment_of(request), desk.pages.language(request)
    try:
        ends = catalog.end_of_validity(chosen, filled.claims, None, deployment.clock.now())
    except Malformed:
        form.fail("", "console.rule_ended")
        return _form_page(request, desk, chosen, form)
    return desk.render(
        request,
        "review.html",
        form=form,
        chosen=chosen,
        record_reference=filled.record_reference,
        claims=shown_claims(chosen, filled.claims, language),
        ends=ends,
        later_days=deployment.limits.long_offer_seconds // 86_400,
        now_minutes=deployment.limits.offer_seconds // 60,
        is_warned=not form.is_ok,
    )


def shown_claims(chosen: CredentialType, claims: Mapping[str, Any], language: str) -> list[dict[str, Any]]:
    """Return claims as people read them; yes and no are left to the page."""
    known = {each.name: each for each in fields.fields_of(chosen)}
    return [
        {
            "label": fields.label_of(chosen, name, language),
            "value": value,
            "words": known[name].shown(value, language) if name in known else None,
            "is_day": name in known and known[name].kind == "date",
        }
        for name, value in claims.items()
    ]


def _today(request: Request) -> date:
    return time_of(deployment_of(request).now()).date()


def wallet_link(deployment: Deployment, link: str, language: str) -> str | None:
    """Return where a wallet is opened for the person present, with the offer in it; None where there is none."""
    if deployment.wallet_url is None:
        return None
    return f"{deployment.wallet_url}/{language}/?link={quote(link, safe='')}"


def not_found() -> NotFound:
    """Return the answer for an offer of another authority: nothing is told of it."""
    return NotFound(Code.OFFER_UNKNOWN, "there is no such offer")
