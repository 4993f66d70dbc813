# ruff: noqa: SIM905
"""Three generated syncs that look like the demo's: CRM contacts, invoices, support tickets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

FIRST = (
    "Ann Ben Carla Dmitri Elena Farid Grace Hugo Inès Jonas Kemal Lena Marta Noor Omar Paula "
    "Quentin Rosa Sören Tara Umar Vera Wanda Xavier Yara Zoë Liam Mia Noah Olga Pietro Renée"
).split()
LAST = (
    "Abbott Brandt Costa Dubois Eriksen Fischer García Hansen Ivanov Jansen Kowalski Lindqvist "
    "Moreau Novak Okafor Petrov Quinn Rossi Schmidt Tanaka Underwood Vargas Weber Xu Yilmaz Zimmer"
).split()
COMPANY = "Acme Blue Crest Delta Ever Fox Global Hill Iron Jet Kite Lumen Moss North Orbit".split()
SUFFIX = ("Inc", "GmbH", "Ltd", "SA", "LLC", "BV")
TOPICS = (
    "login fails after update|invoice shows wrong amount|export is slow|cannot reset password|"
    "feature request dark mode|API returns 500|sync with CRM stopped|billing address change|"
    "user limit reached|mobile app crashes on start|question about pricing|data missing in report"
).split("|")
WORDS = (
    "we see that the page does not load since this morning please help our team cannot work when "
    "report opens error message says try again later customer number was changed but invoice still "
    "old address thanks regards account export import settings button after click nothing happens"
).split()
DAY = 86_400
START = 1_735_689_600  # 2025-01-01

Stream = Callable[[int, int], pa.Table]


def rows_of_day(rng: np.random.Generator, day: int, mean: float) -> int:
    weekday = (1.05, 1.1, 1.1, 1.05, 1.0, 0.8, 0.75)[(day + 2) % 7]
    return int(rng.poisson(mean * weekday * rng.lognormal(0, 0.05))) + 5


def times(rng: np.random.Generator, day: int, rows: int) -> np.ndarray[Any, Any]:
    hour = rng.normal(13, 3.2, rows) % 24
    return np.sort((START + day * DAY + hour * 3600).astype(np.int64)) * 1_000_000


def stamps(values: Any) -> pa.Array:
    return pa.array(values, pa.timestamp("us", "UTC"))


def sometimes(rng: np.random.Generator, values: Sequence[str], absent: float) -> list[str | None]:
    return [None if u < absent else v for u, v in zip(rng.random(len(values)), values, strict=True)]


def pick(rng: np.random.Generator, values: Sequence[str], p: Sequence[float], n: int) -> list[str]:
    return [values[i] for i in rng.choice(len(values), n, p=np.array(p) / np.sum(p))]


def crm_contacts(seed: int, day: int) -> pa.Table:
    rng = np.random.default_rng([seed, day, 1])
    n = rows_of_day(rng, day, 400)
    updated = times(rng, day, n)
    first, last = rng.choice(FIRST, n), rng.choice(LAST, n)
    names, forms = rng.choice(COMPANY, n), rng.choice(SUFFIX, n)
    company = [f"{a} {b}" for a, b in zip(names, forms, strict=True)]
    mail = [
        f"{f}.{s}{k}@{c.split()[0]}.example".lower()
        for f, s, c, k in zip(first, last, company, rng.integers(1, 99, n), strict=True)
    ]
    stages = ("lead", "subscriber", "opportunity", "customer", "evangelist")
    stage = pick(rng, stages, (40, 25, 15, 18, 2), n)
    lands = ("DE", "FR", "US", "GB", "ES", "PL", "SE")
    return pa.table(
        {
            "id": rng.choice(10_000_000, n, replace=False) + 10_000_000,
            "email": sometimes(rng, mail, 0.03),
            "first_name": first.tolist(),
            "last_name": last.tolist(),
            "company": sometimes(rng, company, 0.1),
            "lifecycle_stage": stage,
            "owner_id": 7000 + rng.choice(14, n, p=np.arange(14, 0, -1) / 105),
            "country": pick(rng, lands, (30, 18, 22, 12, 8, 6, 4), n),
            "created_at": stamps(updated - (rng.exponential(90, n) * DAY * 1e6).astype(np.int64)),
            "updated_at": stamps(updated),
        }
    )


def invoices(seed: int, day: int) -> pa.Table:
    rng = np.random.default_rng([seed, day, 2])
    n = rows_of_day(rng, day, 300)
    created = times(rng, day, n)
    amount = np.round(rng.lognormal(8.3, 1.1, n)).astype(np.int64)
    code = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    token = ["".join(c) for c in rng.choice(list(code), (n, 14))]
    client = [f"cus_{i:06d}" for i in rng.zipf(1.6, n) % 5000]
    status = pick(rng, ("paid", "open", "draft", "void", "uncollectible"), (70, 18, 6, 4, 2), n)
    return pa.table(
        {
            "id": [f"in_{t}" for t in token],
            "customer": client,
            "amount_due": amount,
            "amount_paid": np.where(np.array(status) == "paid", amount, 0),
            "currency": pick(rng, ("usd", "eur", "gbp"), (60, 30, 10), n),
            "status": status,
            "created": stamps(created),
            "updated": stamps(created + (rng.exponential(5, n) * 3600e6).astype(np.int64)),
        }
    )


def tickets(seed: int, day: int) -> pa.Table:
    rng = np.random.default_rng([seed, day, 3])
    n = rows_of_day(rng, day, 220)
    updated = times(rng, day, n)
    subject = rng.choice(TOPICS, n)
    capital = rng.random(n) < 0.7
    states = ("new", "open", "pending", "solved", "closed")
    priority = pick(rng, ("low", "normal", "high", "urgent"), (25, 50, 20, 5), n)
    body = [" ".join(rng.choice(WORDS, int(k))) + "." for k in rng.integers(8, 45, n)]
    return pa.table(
        {
            "id": np.sort(rng.choice(100_000, n, replace=False)) + 500_000 + day * 1000,
            "subject": [t.capitalize() if u else t for t, u in zip(subject, capital, strict=True)],
            "description": body,
            "status": pick(rng, states, (15, 30, 20, 30, 5), n),
            "priority": sometimes(rng, priority, 0.2),
            "requester_id": 40_000 + rng.integers(0, 3000, n),
            "created_at": stamps(updated - (rng.exponential(30, n) * 3600e6).astype(np.int64)),
            "updated_at": stamps(updated),
        }
    )


STREAMS: dict[str, tuple[Stream, str, str]] = {
    "crm_contacts": (crm_contacts, "id", "updated_at"),
    "invoices": (invoices, "id", "updated"),
    "tickets": (tickets, "id", "updated_at"),
}
