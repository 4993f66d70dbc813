"""The invoices of the sandbox: drafted, opened, paid late or never. Amounts in minor units."""

from __future__ import annotations

import random
from base64 import b64encode
from collections.abc import Sequence
from datetime import date
from itertools import accumulate
from typing import NamedTuple

from wfops_pipelines.sandbox.contacts import Contact
from wfops_pipelines.sandbox.history import Life
from wfops_pipelines.sandbox.rhythm import (
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    Span,
    millis,
    moment,
    stream,
    volume,
)

_NEW_A_DAY, _WEEKEND, _BEFORE_DAYS = 128.0, 0.34, 45
_LINES = (1,) * 48 + (2,) * 22 + (3,) * 14 + (4,) * 9 + (6,) * 5 + (9,) * 2


class Invoice(NamedTuple):
    """One version of an invoice; `created`, `due` are unix milliseconds in whole seconds."""

    id: str
    created: int
    customer: str
    email: str
    name: str
    currency: str
    amount: int
    paid: int
    status: str
    number: str | None
    due: int | None
    lines: int
    collection: str


class Customer(NamedTuple):
    """Who pays: `typical` is their usual invoice in minor units, `card` whether it is automatic."""

    id: str
    email: str
    name: str
    currency: str
    typical: float
    since: int
    prefix: str
    card: bool


def customers(seed: int, people: Sequence[Life[Contact]]) -> list[Customer]:
    """Return the paying customers: about a third of the contacts, heavy-tailed in what they pay."""
    rng = stream(seed, "customers")
    return [_customer(rng, life) for life in people if rng.random() < _pays(life)]


def invoices(seed: int, span: Span, payers: Sequence[Customer]) -> list[Life[Invoice]]:
    """Return every invoice's life over the span, and those still moving at its start."""
    counts: dict[str, int] = {}
    found: list[Life[Invoice]] = []
    weights = list(accumulate(stream(seed, "often", c.id).paretovariate(1.6) for c in payers))
    for day in _with_run_up(span):
        rng = stream(seed, "invoices", day)
        number = volume(rng, span, day, _NEW_A_DAY * _month_rhythm(day), _WEEKEND)
        for payer in rng.choices(payers, cum_weights=weights, k=number):
            at = moment(rng, day)
            if payer.since < at:
                counts[payer.id] = counts.get(payer.id, 0) + 1
                found.append(_life(rng, payer, at, counts[payer.id]))
    return found


def _with_run_up(span: Span) -> list[date]:
    early = date.fromordinal(span.first.toordinal() - _BEFORE_DAYS)
    return list(Span(early, _BEFORE_DAYS)) + list(span)


def _month_rhythm(day: date) -> float:
    return 1.35 if day.day <= 2 else 1.12 if day.day in (15, 28) else 1.0


def _pays(life: Life[Contact]) -> float:
    stages = {state.stage for state in life.states}
    return 0.97 if stages & {"customer", "evangelist"} else 0.06


def _customer(rng: random.Random, life: Life[Contact]) -> Customer:
    contact = life.states[0]
    versions = zip(life.times, life.states, strict=True)
    since = next((at for at, state in versions if state.stage == "customer"), 0)
    return Customer(
        id=f"cus_{_token(rng, 16)}",
        email=contact.email,
        name=contact.company or f"{contact.firstname or ''} {contact.lastname}".strip(),
        currency=contact.country.currency,
        typical=min(rng.lognormvariate(9.1, 1.6), 4_000_000.0),
        since=max(since, contact.created),
        prefix=_token(rng, 8).upper(),
        card=rng.random() < 0.58,
    )


def _life(rng: random.Random, payer: Customer, at: int, nth: int) -> Life[Invoice]:
    draft = _draft(rng, payer, at)
    steps = [(at, draft)]
    opened = at + HOUR + rng.randrange(600) * SECOND
    due = None if payer.card else opened // DAY * DAY + rng.choice((14, 14, 30, 30, 30, 45)) * DAY
    bill = draft._replace(status="open", number=f"{payer.prefix}-{nth:04d}", due=due)
    steps.append((opened, bill))
    steps += _endings(rng, payer, opened, bill)
    return Life(draft.id, tuple(t for t, _ in steps), tuple(s for _, s in steps))


def _draft(rng: random.Random, payer: Customer, at: int) -> Invoice:
    amount = max(500, round(payer.typical * rng.lognormvariate(0.0, 0.22)))
    if rng.random() < 0.45:  # list prices end in round numbers
        amount = max(500, round(amount, -2))
    return Invoice(
        id=f"in_{_token(rng, 24)}",
        created=at,
        customer=payer.id,
        email=payer.email,
        name=payer.name,
        currency=payer.currency,
        amount=amount,
        paid=0,
        status="draft",
        number=None,
        due=None,
        lines=rng.choice(_LINES),
        collection="charge_automatically" if payer.card else "send_invoice",
    )


def _endings(
    rng: random.Random, payer: Customer, opened: int, bill: Invoice
) -> list[tuple[int, Invoice]]:
    paid = bill._replace(status="paid", paid=bill.amount)
    what = rng.random()
    if what < 0.014:
        return [(opened + rng.randrange(HOUR, 6 * DAY, SECOND), bill._replace(status="void"))]
    if what < 0.024:
        lost = opened + rng.randrange(60, 90) * DAY + rng.randrange(DAY // SECOND) * SECOND
        return [(lost, bill._replace(status="uncollectible"))]
    if payer.card:
        wait = MINUTE if rng.random() < 0.93 else rng.choice((3, 3, 5)) * DAY
        return [(opened + wait + rng.randrange(50) * SECOND, paid)]
    wait = round(max(0.2, rng.gauss(13, 8)) * DAY)
    at = _office_hours(rng, opened + wait)
    if rng.random() < 0.05:
        half = bill._replace(paid=bill.amount // 2)
        return [(at, half), (at + rng.randrange(DAY, 9 * DAY, SECOND), paid)]
    return [(at, paid)]


def _office_hours(rng: random.Random, at: int) -> int:
    day = date.fromordinal(date(1970, 1, 1).toordinal() + at // DAY)
    while day.weekday() > 4:
        day = date.fromordinal(day.toordinal() + 1)
    return max(moment(rng, day), millis(day) + at % DAY // SECOND * SECOND)


def _token(rng: random.Random, length: int) -> str:
    """Return letters and digits that look like a vendor's id; `length` is a multiple of four."""
    return b64encode(rng.randbytes(length * 3 // 4), b"Xy").decode()
