"""The people of the sandbox, as a CRM keeps them: created, touched, moved through the stages."""

from __future__ import annotations

import random
import unicodedata
from dataclasses import dataclass
from datetime import date
from itertools import accumulate
from typing import NamedTuple

from wfops_pipelines.sandbox.history import Life
from wfops_pipelines.sandbox.rhythm import DAY, HOUR, MINUTE, Span, millis, moment, stream, volume
from wfops_pipelines.sandbox.words import (
    COMPANY_HEADS,
    COMPANY_TAILS,
    COUNTRIES,
    FIRST_NAMES,
    LAST_NAMES,
    OWNERS,
    STAGES,
    Country,
    names,
)

_AT_START, _NEW_A_DAY, _TOUCHED_A_DAY = 2_250, 6.0, 190.0
_FIRST_STAGES = (22, 30, 14, 8, 7, 18, 1)
_FIRST_ID = 10_451
_SPECIAL = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "ł": "l", "ø": "o"})


class Contact(NamedTuple):
    """One version of a person. `country` is never empty here: a gap is only in `shown_country`."""

    id: int
    created: int
    email: str
    firstname: str | None
    lastname: str
    company: str | None
    stage: str
    owner: str | None
    country: Country
    shown_country: str | None
    phone: str | None


class Company(NamedTuple):
    name: str
    domain: str
    country: Country


@dataclass(slots=True)
class _Growing:
    """A person while their life is being written."""

    versions: list[tuple[int, Contact]]
    activity: float

    def add(self, at: int, contact: Contact) -> None:
        self.versions.append((max(at, self.versions[-1][0] + MINUTE), contact))

    def life(self) -> Life[Contact]:
        times, states = zip(*self.versions, strict=True)
        return Life(states[0].id, times, states)


def contacts(seed: int, span: Span) -> list[Life[Contact]]:
    """Return every contact's life over the span; those there at its start come first."""
    rng = stream(seed, "contacts")
    book = _Book(rng, _companies(rng))
    people = [_old_hand(book, rng, span) for _ in range(_AT_START)]
    for day in span:
        _live(book, people, stream(seed, "contacts", day), span, day)
    return [person.life() for person in people]


def _companies(rng: random.Random) -> list[Company]:
    pairs = [(head, tail) for head in COMPANY_HEADS for tail in COMPANY_TAILS]
    shares = [c.share for c in COUNTRIES]
    found = []
    for head, tail in rng.sample(pairs, 640):
        country = rng.choices(COUNTRIES, shares)[0]
        suffix = f" {country.legal_form}" if rng.random() < 0.55 else ""
        domain = f"{head}{rng.choice(('', '-'))}{tail}.example".lower()
        found.append(Company(f"{head} {tail}{suffix}", domain, country))
    return found


class _Book:
    """Hands out new people: ids in order, every e-mail address once, few companies with many."""

    def __init__(self, rng: random.Random, companies: list[Company]) -> None:
        self._companies = companies
        self._sizes = list(accumulate(1 / (n + 4) ** 0.8 for n in range(len(companies))))
        self._emails: set[str] = set()
        self._id = _FIRST_ID
        self._rng = rng

    def person(self, rng: random.Random, created: int, stage: str) -> Contact:
        company = rng.choices(self._companies, cum_weights=self._sizes)[0]
        first = rng.choice(names(FIRST_NAMES, company.country.tongue))
        last = rng.choice(names(LAST_NAMES, company.country.tongue))
        self._id += rng.choice((1, 1, 1, 2, 3, 7))
        return Contact(
            id=self._id,
            created=created,
            email=self._email(rng, first, last, company),
            firstname=None if rng.random() < 0.02 else first,
            lastname=last,
            company=None if rng.random() < 0.06 else company.name,
            stage=stage,
            owner=_owner(rng) if rng.random() < _owned(stage) else None,
            country=company.country,
            shown_country=None if rng.random() < 0.035 else _typed(self._id, company.country),
            phone=_phone(rng, company.country) if rng.random() < 0.64 else None,
        )

    def _email(self, rng: random.Random, first: str, last: str, company: Company) -> str:
        pattern = rng.choices(("{f}.{l}", "{i}{l}", "{f}", "{f}{l}"), (62, 20, 8, 10))[0]
        domain = "mailbox.example" if rng.random() < 0.11 else company.domain
        local = pattern.format(f=_plain(first), l=_plain(last), i=_plain(first)[0])
        email, n = f"{local}@{domain}", 1
        while email in self._emails:
            n += 1
            email = f"{local}{n}@{domain}"
        self._emails.add(email)
        return email


def _old_hand(book: _Book, rng: random.Random, span: Span) -> _Growing:
    start = millis(span.first)
    created = start - round(rng.uniform(1, 29) ** 2 * DAY) - rng.randrange(DAY)
    updated = min(start - rng.randrange(HOUR, DAY), created + rng.randrange(100 * DAY))
    updated = max(updated, start - round(rng.expovariate(1 / 20) * DAY) - HOUR)
    contact = book.person(rng, min(created, updated), rng.choices(STAGES, _FIRST_STAGES)[0])
    return _Growing([(updated, contact)], rng.lognormvariate(0.0, 0.9))


def _live(book: _Book, people: list[_Growing], rng: random.Random, span: Span, day: date) -> None:
    for at in sorted(moment(rng, day) for _ in range(volume(rng, span, day, _NEW_A_DAY))):
        created = at + rng.randrange(1000)
        stage = rng.choices(STAGES[:3], (50, 42, 8))[0]
        person = book.person(rng, created, stage)
        people.append(_Growing([(created, person)], rng.lognormvariate(0.3, 0.9)))
    weights = list(accumulate(p.activity for p in people))
    chosen = rng.choices(people, cum_weights=weights, k=volume(rng, span, day, _TOUCHED_A_DAY))
    moments = sorted(moment(rng, day) + rng.randrange(1000) for _ in chosen)
    for person_, at in zip(chosen, moments, strict=True):
        person_.add(at, _changed(rng, person_.versions[-1][1]))


def _changed(rng: random.Random, was: Contact) -> Contact:
    """Return the contact after one edit; most edits (a call logged, a mail opened) show nothing."""
    what = rng.random()
    if what < 0.640:
        return was
    if what < 0.880:
        return was._replace(stage=_next_stage(rng, was.stage), owner=was.owner or _owner(rng))
    if what < 0.960:
        return was._replace(phone=_phone(rng, was.country))
    if what < 0.982:
        return was._replace(company=(was.company or "").split(" (")[0] or None)
    if what < 0.990:
        return was._replace(shown_country=was.country.name)
    if what < 0.998:
        return was._replace(owner=_owner(rng))
    local, _, domain = was.email.partition("@")
    return was._replace(email=f"{local}{rng.choice(('.new', '-work', '.office'))}@{domain}")


def _next_stage(rng: random.Random, stage: str) -> str:
    place = STAGES.index(stage)
    step = rng.choices((-1, 0, 1), (6, 68, 26))[0] if place < 5 else 0
    return STAGES[max(0, place + step)]


def _owner(rng: random.Random) -> str:
    return rng.choices([o for o, _ in OWNERS], [share for _, share in OWNERS])[0]


def _owned(stage: str) -> float:
    return 0.70 + 0.05 * STAGES.index(stage)


def _typed(number: int, country: Country) -> str:
    """The country as it was typed: one in 211 contacts has it in a form of their own."""
    if number % 211:
        return country.name
    return (country.name.upper(), f" {country.name}", country.name[:-1])[number // 211 % 3]


def _phone(rng: random.Random, country: Country) -> str:
    # 555-01xx is the range reserved for fiction.
    return f"{country.dial} {rng.randrange(20, 99)}0 555 01{rng.randrange(100):02d}"


def _plain(name: str) -> str:
    folded = unicodedata.normalize("NFKD", name.lower().translate(_SPECIAL))
    return "".join(c for c in folded if c.isascii() and c.isalpha())
