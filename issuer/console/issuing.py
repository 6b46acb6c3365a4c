"""Issuing to one person: choose, fill in, review, hand over, see it collected."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from fastapi import APIRouter
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from comity.credential import CredentialType
from comity.errors import Code, ComityError, Malformed, NotFound
from comity.web.forms import ONCE, Form
from issuer import catalog, fields, offering_once, signing_in
from issuer.api.access import deployment_of
from issuer.console import photos
from issuer.console.desk import Desk, time_of, type_of
from issuer.deployment import Deployment
from issuer.fields import Field
from issuer.offering import Wanted
from issuer.operators import Right
from issuer.store.clerks import Clerk, Session

RECORD = "record"
NOW, LATER = "now", "later"
MAX_RECORD = 200
_PERSON = ("family_name", "given_names", "latin_name", "birthdate")
_RULES = frozenset({"required", "pattern", "format", "enum", "maxLength", "minLength", "future"})


class Entry(Struct, frozen=True, kw_only=True):
    """A field of the type, and what it is called in the form: by number, so that no name of a claim means anything."""

    name: str
    field: Field


class Filled(Struct, frozen=True, kw_only=True):
    """A form that was read: what was typed for each claim, and the claims it makes."""

    typed: Mapping[str, str]
    claims: Mapping[str, Any]
    record_reference: str


def add_routes(routes: APIRouter, desk: Desk) -> None:
    """Add the choice of a type, and its empty form."""

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
        session = await desk.session(request, Right.ISSUE)
        chosen = type_of(request, session.clerk)
        draft = _draft_of(deployment_of(request), session, chosen)
        if draft is not None and request.query_params.get("draft"):
            return _form_page(request, desk, chosen, draft.form)
        has_draft = draft is not None and not draft.is_made
        return _form_page(request, desk, chosen, Form(), is_new=True, has_draft=has_draft)


def add_taking(routes: APIRouter, desk: Desk) -> None:
    """Add what becomes of a form that was filled in."""

    @routes.post("/issue/{slug}/{version}")
    async def take(request: Request) -> Response:
        form = await desk.pages.form(request, max_bytes=photos.MAX_FORM_BYTES)
        session = await desk.session(request, Right.ISSUE)
        chosen = type_of(request, session.clerk)
        await photos.take(form)
        if "fetch" in form.values:
            return await _from_record(request, desk, session.clerk, chosen, form)
        if "keep" in form.values and form.is_genuine:  # half a form is no error: it goes on later in this session
            await _keep(deployment_of(request), session, chosen, form, is_made=False)
            return desk.to(request, "/?kept=yes")
        filled = _read(request, chosen, form)
        if form.is_ok and not _can_begin(request, chosen, filled):
            form.fail("", "console.rule_ended")
        if not form.is_ok:
            return _form_page(request, desk, chosen, form)
        await _keep(deployment_of(request), session, chosen, form, is_made=False)
        return desk.to(request, f"/issue/{chosen.slug}/{chosen.version}/review")


def add_making(routes: APIRouter, desk: Desk) -> None:
    """Add the review, and the making of an offer."""

    @routes.get("/issue/{slug}/{version}/review")
    async def review(request: Request) -> Response:
        session = await desk.session(request, Right.ISSUE)
        chosen = type_of(request, session.clerk)
        draft = _draft_of(deployment_of(request), session, chosen)
        if draft is None:
            return desk.to(request, f"/issue/{chosen.slug}/{chosen.version}")
        filled = _read(request, chosen, draft.form)
        if not draft.form.is_ok or not _can_begin(request, chosen, filled):
            return desk.to(request, f"/issue/{chosen.slug}/{chosen.version}?draft=yes")
        return _review_page(request, desk, chosen, draft.form)

    @routes.get("/issue/{slug}/{version}/offer")
    async def back(request: Request) -> Response:
        clerk = await desk.clerk(request, Right.ISSUE)
        chosen = type_of(request, clerk)
        return desk.to(request, f"/issue/{chosen.slug}/{chosen.version}/review")

    @routes.post("/issue/{slug}/{version}/offer")
    async def make(request: Request) -> Response:
        form = await desk.pages.form(request)
        session, deployment = await desk.session(request, Right.ISSUE), deployment_of(request)
        chosen = type_of(request, session.clerk)
        draft = _draft_of(deployment, session, chosen)
        await photos.take(form, kept=draft.form.values.get(photos.DRAWN, "") if draft else "")
        filled, when = _read(request, chosen, form), form.choice("when", (NOW, LATER))
        if not form.is_ok:
            is_fit = set(form.errors) <= {"when", ""} and _can_begin(request, chosen, filled)
            return (_review_page if is_fit else _form_page)(request, desk, chosen, form)
        offer_id = await _make(deployment, session.clerk, chosen, filled, when, once=form.once)
        await _keep(deployment, session, chosen, form, is_made=True)
        return desk.to(request, f"/offers/{offer_id}")


class Draft(Struct, frozen=True, kw_only=True):
    """A form that was filled in, and whether an offer was made of it."""

    form: Form
    is_made: bool


async def _keep(deployment: Deployment, session: Session, chosen: CredentialType, form: Form, *, is_made: bool) -> None:
    """Keep the form with its own key of idempotency: whoever goes back and sends it again gets the same offer."""
    values = {**form.typed(), ONCE: form.once}
    kept = {"type": f"{chosen.slug}/{chosen.version}", "values": values, "is_made": is_made}
    await signing_in.keep_draft(deployment, session, kept)


def begun(deployment: Deployment, session: Session) -> CredentialType | None:
    """Return the type of the form that this clerk began and has made no offer of, if there is one."""
    kept = signing_in.kept_draft(deployment, session)
    if kept is None or kept["is_made"]:
        return None
    types = deployment.authority(session.clerk.authority).description.types
    return next((each for each in types if f"{each.slug}/{each.version}" == kept["type"]), None)


def _draft_of(deployment: Deployment, session: Session, chosen: CredentialType) -> Draft | None:
    """Return the form of this type that the clerk filled in last."""
    kept = signing_in.kept_draft(deployment, session)
    if kept is None or kept["type"] != f"{chosen.slug}/{chosen.version}":
        return None
    return Draft(form=Form(values=dict(kept["values"])), is_made=kept["is_made"])


def _can_begin(request: Request, chosen: CredentialType, filled: Filled) -> bool:
    """Say whether a credential of these claims would not have ended already."""
    try:
        catalog.end_of_validity(chosen, filled.claims, None, deployment_of(request).clock.now())
    except Malformed:
        return False
    return True


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
    """Return the fields of a type with their names in the form: whom it is about first, then as the metadata has it."""
    numbered = [Entry(name=f"c{number}", field=each) for number, each in enumerate(fields.fields_of(chosen), start=1)]
    return tuple(sorted(numbered, key=lambda entry: _rank(entry.field.name)))


def _rank(name: str) -> int:
    """Return where a claim stands for people who read a form; the credential keeps its own order."""
    return _PERSON.index(name) if name in _PERSON else len(_PERSON)


def _read(request: Request, chosen: CredentialType, form: Form) -> Filled:
    """Read the form of a type; what is wrong becomes errors beside the fields."""
    entries, typed = entries_of(chosen), {}
    for entry in entries:
        typed[entry.field.name] = _typed(form, entry)
    reading = fields.read(chosen, typed, today=_today(request))
    problems = dict(reading.problems)
    for entry in entries:  # in the order of the page
        if (rule := problems.pop(entry.field.name, None)) is not None:
            form.fail(entry.name, _words("enum" if rule == "required" and entry.field.options else rule))
    for rule in problems.values():
        form.fail("", _words(rule))
    photo = form.values.get(photos.DRAWN, "") if photos.is_wanted(chosen) else ""
    record = form.text(RECORD, is_needed=False, most=MAX_RECORD)
    if not record.isprintable():
        form.fail(RECORD, "console.rule_pattern")
    claims = {**reading.claims, photos.CLAIM: photo} if photo else reading.claims
    return Filled(typed=typed, claims=claims, record_reference=record)


def _words(rule: str) -> str:
    return f"console.rule_{rule if rule in _RULES else 'other'}"


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
            await photos.take(form)
    return _form_page(request, desk, chosen, form)


def _fill(form: Form, chosen: CredentialType, claims: Mapping[str, Any]) -> None:
    if photos.is_wanted(chosen) and isinstance(claims.get(photos.CLAIM), str):
        form.values[photos.DRAWN] = claims[photos.CLAIM]
    for entry in entries_of(chosen):
        value = claims.get(entry.field.name)
        if isinstance(value, list):
            for number, option in enumerate(entry.field.options, 1):
                form.values[f"{entry.name}-{number}"] = "yes" if option in value else ""
        elif value is not None:
            form.values[entry.name] = {True: "true", False: "false"}.get(value, str(value))


def _form_page(
    request: Request,
    desk: Desk,
    chosen: CredentialType,
    form: Form,
    *,
    is_new: bool = False,
    has_draft: bool = False,
) -> Response:
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
        has_draft=has_draft,
        takes_photo=photos.is_wanted(chosen),
    )


def _review_page(request: Request, desk: Desk, chosen: CredentialType, form: Form) -> Response:
    """Return the page on which clerk and person read what will be signed; the form was found fit before."""
    deployment, language = deployment_of(request), desk.pages.language(request)
    filled = _read(request, chosen, form)
    return desk.render(
        request,
        "review.html",
        status=200 if form.is_ok else 422,
        form=form,
        chosen=chosen,
        record_reference=filled.record_reference,
        claims=shown_claims(chosen, {k: v for k, v in filled.claims.items() if k != photos.CLAIM}, language),
        photo=filled.claims.get(photos.CLAIM),
        ends=catalog.end_of_validity(chosen, filled.claims, None, deployment.clock.now()),
        later_days=deployment.limits.long_offer_seconds // 86_400,
        now_minutes=deployment.limits.offer_seconds // 60,
    )


def shown_claims(chosen: CredentialType, claims: Mapping[str, Any], language: str) -> list[dict[str, Any]]:
    """Return claims as people read them, whom they are about first; yes and no are left to the page."""
    known = {each.name: each for each in fields.fields_of(chosen)}
    return [
        {
            "label": fields.label_of(chosen, name, language),
            "value": value,
            "words": known[name].shown(value, language) if name in known else None,
            "is_day": name in known and known[name].kind == "date",
        }
        for name, value in sorted(claims.items(), key=lambda claim: _rank(claim[0]))
    ]


def _today(request: Request) -> date:
    return time_of(deployment_of(request).now()).date()


def wallet_link(deployment: Deployment, link: str, language: str) -> str | None:
    """Return where a wallet is opened for the person present, with the offer in it; None where there is none."""
    if deployment.wallet_url is None:
        return None
    return f"{deployment.wallet_url}/{language}/open?{link.partition('?')[2]}"


def not_found() -> NotFound:
    """Return the answer for an offer of another authority: nothing is told of it."""
    return NotFound(Code.OFFER_UNKNOWN, "there is no such offer")
