"""Repairs of single cells: proposals, until a person makes a rule standing.

A rule gives the tidy form of a value, or None where the value is tidy, or nobody can tell.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from datetime import date, datetime
from functools import cache
from typing import Any

from wfops_pipelines.assist.declared import Row, Tidy
from wfops_pipelines.core.drafts import Draft, DraftKind, prompt_digest
from wfops_pipelines.core.texts import hides, visible

VERSION = 2  # of the rules: another one may tidy otherwise
SURE, APART = 86.0, 6.0  # of 100: how alike a spelling must be, and how much more than the next
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_DATES = ("%d.%m.%Y", "%d %B %Y", "%d %b %Y", "%B %d, %Y", "%b %d, %Y", "%Y/%m/%d", "%Y%m%d")
_BLANKS = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]+")
Found = tuple[str, str] | None  # the tidy form, and why


def propose(asked: Tidy, rows: Sequence[Row]) -> list[Draft | None]:
    """A repair for each row whose cell is a text that the rule can tidy; None for the others."""
    return [_draft(asked, row.get(asked.column)) for row in rows]


def tidied(asked: Tidy, value: str) -> Found:
    """The tidy form of `value`, and why; None where there is nothing to do."""
    found = RULES[asked.rule](value, asked)
    if found is None or found[0] == value or not found[0] or hides(found[0]):
        return None
    return found


def _draft(asked: Tidy, value: Any) -> Draft | None:
    found = tidied(asked, value) if isinstance(value, str) and value.strip() else None
    if found is None:
        return None
    return Draft(
        kind=DraftKind.REPAIR,
        column=asked.column,
        value=found[0],
        confidence=None,
        why=found[1],
        model=f"rule {asked.rule} {VERSION}",
        prompt=prompt_digest([asked.rule, VERSION, asked.region, list(asked.accepted), value]),
        sources=((asked.column, visible(value)),),
    )


def _plain(value: str) -> str:
    return _BLANKS.sub(" ", unicodedata.normalize("NFC", value)).strip()


def _trim(value: str, _: Tidy) -> Found:
    return _plain(value), "blanks around or within it"


def _upper(value: str, _: Tidy) -> Found:
    return _plain(value).upper(), "capital letters"


def _lower(value: str, _: Tidy) -> Found:
    return _plain(value).lower(), "small letters"


def _email(value: str, _: Tidy) -> Found:
    tidy = _BLANKS.sub("", value).lower().removeprefix("mailto:").strip("<>,;.")
    return (tidy, "an address has no blanks and small letters") if _EMAIL.fullmatch(tidy) else None


def _phone(value: str, asked: Tidy) -> Found:
    import phonenumbers

    try:
        number = phonenumbers.parse(value, asked.region or None)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    tidy = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    if number.extension:
        return None  # E.164 has no room for it: nothing may be lost
    return tidy, "the international form (E.164)"


def _date(value: str, _: Tidy) -> Found:
    """Only forms that can be read in one way: 03/04/2026 is left alone."""
    text = _plain(value)
    for form in _DATES:
        try:
            return datetime.strptime(text, form).date().isoformat(), f"a date as {form}"  # noqa: DTZ007
        except ValueError:
            continue
    try:
        return date.fromisoformat(text).isoformat(), "an ISO date"
    except ValueError:
        return None


def _country(value: str, _: Tidy) -> Found:
    names = _countries()
    text = _plain(value)
    known = names.get(text.casefold())
    if known is not None:
        return known, "the country's usual name"
    found = _nearest(text, tuple(dict.fromkeys(names.values())))
    return (found, "the nearest country's name") if found else None


def _spelling(value: str, asked: Tidy) -> Found:
    found = _nearest(_plain(value), asked.accepted)
    return (found, "the nearest accepted spelling") if found else None


def _nearest(text: str, accepted: Sequence[str]) -> str | None:
    """The accepted word that it almost is; None where two are near, or none."""
    from rapidfuzz import fuzz, process

    if text in accepted:
        return text
    ranked = process.extract(
        text.casefold(), [a.casefold() for a in accepted], scorer=fuzz.ratio, limit=2
    )
    if not ranked or ranked[0][1] < SURE:
        return None
    if len(ranked) > 1 and ranked[0][1] - ranked[1][1] < APART:
        return None
    return accepted[ranked[0][2]]


@cache
def _countries() -> dict[str, str]:
    """Every usual way to write a country, in small letters, and its short name."""
    from iso3166 import countries

    found = {"uk": "United Kingdom", "great britain": "United Kingdom", "usa": "United States"}
    for country in countries:
        short = _SHORT.get(country.alpha2, country.apolitical_name.split(",")[0].split(" (")[0])
        for way in (country.name, country.apolitical_name, short, country.alpha2, country.alpha3):
            found[way.casefold()] = short
    return found


def _currency(value: str, _: Tidy) -> Found:
    text = _plain(value).casefold().rstrip(".")
    code = _currencies().get(text)
    return (code, "its code (ISO 4217)") if code else None


@cache
def _currencies() -> dict[str, str]:
    """Ways to write a currency that mean one only: "$", "kr" and "dollar" are several."""
    from iso4217 import Currency

    found = {
        "€": "EUR",
        "euros": "EUR",
        "us$": "USD",
        "₹": "INR",
        "₺": "TRY",
        "₪": "ILS",
        "₴": "UAH",
    }
    for currency in Currency:
        name = currency.currency_name.casefold()
        found |= {currency.code.casefold(): currency.code, name: currency.code}
        found.setdefault(f"{name}s", currency.code)
    return found


_SHORT = {
    "GB": "United Kingdom", "US": "United States", "RU": "Russia", "KR": "South Korea",
    "KP": "North Korea", "VN": "Vietnam", "CZ": "Czechia", "TR": "Türkiye", "CD": "DR Congo",
    "VG": "British Virgin Islands", "VI": "US Virgin Islands", "NL": "Netherlands",
}  # fmt: skip

RULES: dict[str, Callable[[str, Tidy], Found]] = {
    "trim": _trim,
    "upper": _upper,
    "lower": _lower,
    "email": _email,
    "phone": _phone,
    "date": _date,
    "country": _country,
    "currency": _currency,
    "spelling": _spelling,
}
