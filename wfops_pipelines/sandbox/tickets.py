"""The tickets of the sandbox: contacts and payers who write, and what becomes of it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

from wfops_pipelines.sandbox.contacts import Contact
from wfops_pipelines.sandbox.history import Life
from wfops_pipelines.sandbox.invoices import Customer
from wfops_pipelines.sandbox.phrases import (
    BROWSERS,
    CLOSINGS,
    GREETINGS,
    PRODUCTS,
    TOPICS,
    Topic,
)
from wfops_pipelines.sandbox.rhythm import DAY, HOUR, MINUTE, SECOND, Span, moment, stream, volume

_NEW_A_DAY, _FIRST_ID = 31.0, 20_311
_PRIORITIES = ("low", "normal", "high", "urgent")
_SHARES = tuple(topic.share for topic in TOPICS)
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")


class Ticket(NamedTuple):
    """One version of a ticket; `created` is unix milliseconds in whole seconds."""

    id: int
    created: int
    subject: str
    description: str
    status: str
    priority: str | None
    requester_id: int
    requester_name: str
    requester_email: str
    tags: tuple[str, ...]
    channel: str
    satisfaction: str


class Writer(NamedTuple):
    """Somebody who may write to support."""

    id: int
    first: str
    full: str
    email: str
    company: str
    since: int
    typical: float | None


def tickets(
    seed: int, span: Span, people: Sequence[Life[Contact]], payers: Sequence[Customer]
) -> list[Life[Ticket]]:
    """Return every ticket's life over the span."""
    rng = stream(seed, "writers")
    writers = _writers(people, payers)
    weights = list(accumulate(_chattiness(rng, writer) for writer in writers))
    found: list[Life[Ticket]] = []
    for day in span:
        rng = stream(seed, "tickets", day)
        times = sorted(moment(rng, day) for _ in range(volume(rng, span, day, _NEW_A_DAY)))
        for at in times:
            writer = rng.choices(writers, cum_weights=weights)[0]
            if writer.since < at:
                found.append(_life(rng, _FIRST_ID + len(found), writer, at))
    return found


def _writers(people: Sequence[Life[Contact]], payers: Sequence[Customer]) -> list[Writer]:
    typical = {payer.email: payer.typical for payer in payers}
    return [_writer(life.states[0], typical) for life in people]


def _writer(contact: Contact, typical: dict[str, float]) -> Writer:
    first = contact.firstname or contact.lastname
    return Writer(
        id=360_000_000_000 + contact.id * 7,
        first=first,
        full=f"{contact.firstname or ''} {contact.lastname}".strip(),
        email=contact.email,
        company=contact.company or "",
        since=contact.created,
        typical=typical.get(contact.email),
    )


def _chattiness(rng: random.Random, writer: Writer) -> float:
    return rng.paretovariate(1.5) * (5.0 if writer.typical else 1.0)


def _life(rng: random.Random, number: int, writer: Writer, at: int) -> Life[Ticket]:
    topic = rng.choices(TOPICS, _SHARES)[0]
    ticket = _first(rng, number, topic, writer, at)
    steps = [(at, ticket)]
    for wait, status in _way(rng, _PRIORITIES.index(ticket.priority or "normal")):
        was_at, was = steps[-1]
        mood = _mood(rng) if status == "closed" else was.satisfaction
        steps.append((was_at + wait, was._replace(status=status, satisfaction=mood)))
    return Life(number, tuple(t for t, _ in steps), tuple(s for _, s in steps))


def _first(rng: random.Random, number: int, topic: Topic, writer: Writer, at: int) -> Ticket:
    facts = _facts(rng, writer)
    extra = [tag for tag, odds in (("vip", 0.05), ("escalated", 0.03)) if rng.random() < odds]
    priority = rng.choices(_PRIORITIES, topic.urgency)[0]
    return Ticket(
        id=number,
        created=at,
        subject=rng.choice(topic.subjects).format(**facts),
        description=_text(rng, topic, facts),
        status="new",
        priority=None if rng.random() < 0.05 else priority,
        requester_id=writer.id,
        requester_name=writer.full,
        requester_email=writer.email,
        tags=(*(t for t in topic.tags if rng.random() < 0.93), *extra),
        channel=rng.choices(("email", "web", "api"), (62, 31, 7))[0],
        satisfaction="unoffered",
    )


def _text(rng: random.Random, topic: Topic, facts: dict[str, str]) -> str:
    body = [rng.choice(topic.problems)]
    body += rng.sample(topic.details, rng.choices((0, 1, 2, 3), (12, 42, 36, 10))[0])
    body.append(rng.choice(topic.asks))
    parts = (rng.choice(GREETINGS), " ".join(body), rng.choice(CLOSINGS))
    return "\n\n".join(part.format(**facts) for part in parts if part).strip()


def _facts(rng: random.Random, writer: Writer) -> dict[str, str]:
    product = rng.choice(PRODUCTS)
    amount = (writer.typical or 9_000.0) * rng.lognormvariate(0.0, 0.2) / 100
    return {
        "first": writer.first,
        "full": writer.full,
        "company": writer.company,
        "email": writer.email,
        "product": product,
        "Product": product[0].upper() + product[1:],
        "browser": rng.choice(BROWSERS),
        "weekday": rng.choice(_WEEKDAYS),
        "code": f"{rng.randrange(16**6):06x}",
        "number": f"{rng.randrange(16**8):08X}-{rng.randrange(1, 60):04d}",
        "amount": f"{amount:,.2f}",
        "seats": str(rng.choice((3, 5, 8, 10, 12, 20, 25, 40, 60, 120))),
        "count": str(rng.choice((40, 120, 300, 800, 2500, 11000, 14500, 32000))),
    }


def _way(rng: random.Random, urgency: int) -> list[tuple[int, str]]:
    """Return the waits and statuses after `new`: answered, asked back, solved, closed."""
    hours = rng.expovariate(1 / (20, 9, 3, 0.7)[urgency])
    steps = [(5 * MINUTE + round(hours * HOUR), "open")]
    for _ in range(rng.choices((0, 1, 2, 3), (30, 45, 18, 7))[0]):
        steps.append((round(rng.expovariate(1 / 5) * HOUR) + MINUTE, "pending"))
        steps.append((round(rng.expovariate(1 / 14) * HOUR) + MINUTE, "open"))
    if rng.random() < 0.03:
        return _whole_seconds(steps)  # never solved
    steps.append((round(rng.expovariate(1 / 8) * HOUR) + MINUTE, "solved"))
    steps.append((4 * DAY, "closed"))
    return _whole_seconds(steps)


def _whole_seconds(steps: list[tuple[int, str]]) -> list[tuple[int, str]]:
    return [(wait // SECOND * SECOND, status) for wait, status in steps]


def _mood(rng: random.Random) -> str:
    return rng.choices(("offered", "good", "bad"), (74, 21, 5))[0]
