"""More development streams: other shapes of volume, drift and refresh, and long packaged tables.

Nine tables of packages, cut into snapshots whose size wanders in different ways, and four syncs
made up by processes of their own: bursts, month ends, constant rhythm, a growing full refresh.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from anomaly_demo_streams import stamps
from detection_data import flights_table, from_pandas, packaged_table

Named = tuple[str | None, str | None, list[pa.Table]]
Draw = np.random.Generator

EPOCH = pd.Timestamp("2024-01-01", tz="UTC")


def cut(table: pd.DataFrame, sizes: Any) -> list[pa.Table]:
    """Snapshots of these sizes, one after the other."""
    arrow = from_pandas(table.reset_index(drop=True))
    ends = np.concatenate([[0], np.cumsum(sizes)])
    return [arrow.slice(int(a), int(b - a)) for a, b in pairwise(ends)]


def lectures(days: int) -> list[pa.Table]:
    table = packaged_table("InstEval").sample(frac=1.0, random_state=1)
    return cut(table, np.random.default_rng(2).poisson(400, days))


def germans(days: int) -> list[pa.Table]:
    """A panel whose sizes swing widely; the year moves on only after the shuffle."""
    table = packaged_table("rwm5yr").sort_values("year", kind="stable")
    sizes = np.random.default_rng(3).negative_binomial(20, 0.12, days)
    return cut(table.sample(frac=1.0, random_state=5), sizes)


def catches(days: int) -> list[pa.Table]:
    """Purchases in the table's own order: neighbours belong together."""
    return cut(packaged_table("Tuna"), np.random.default_rng(6).normal(120, 12, days).astype(int))


def matches(days: int) -> list[pa.Table]:
    """Football from 1963 on: clubs come and go."""
    sizes = np.random.default_rng(7).normal(120, 6, days).astype(int)
    return cut(packaged_table("Bundesliga"), sizes)


def serum(days: int) -> list[pa.Table]:
    table = packaged_table("flchain").sample(frac=1.0, random_state=5)
    return cut(table, np.random.default_rng(8).poisson(70, days))


def genes(days: int) -> list[pa.Table]:
    table = packaged_table("hr1420").iloc[:60000]
    return cut(table, np.random.default_rng(9).lognormal(6, 0.35, days).astype(int))


def kennedy(days: int) -> list[pa.Table]:
    table = flights_table()
    table = table[table["origin"] == "JFK"].copy()
    table["time_hour"] = pd.to_datetime(table["time_hour"])
    day = (table["month"] * 100 + table["day"]).rank(method="dense").to_numpy()
    arrow = from_pandas(table.drop(columns=["year", "month", "day", "origin"]))
    return [arrow.filter(pa.array(day == d)) for d in range(140, 140 + days)]


def food(days: int) -> list[pa.Table]:
    table = packaged_table("BudgetFood").sample(frac=1.0, random_state=4)
    return cut(table, np.random.default_rng(10).gamma(14, 12, days).astype(int) + 5)


def villages(days: int) -> list[pa.Table]:
    """A survey in the order of its villages."""
    table = packaged_table("VietNamI").iloc[:27700]
    return cut(table, np.random.default_rng(11).normal(240, 20, days).astype(int))


def leads(days: int) -> list[pa.Table]:
    """Web leads: bursts by campaign, nulls that depend on it, a level that wanders."""
    rng = np.random.default_rng(300)
    level, first, out = 5.2, 880_000, []
    for day in range(days):
        level += rng.normal(0.002, 0.05)
        burst = rng.random() < 0.06
        mean = np.exp(level) * (0.55 if day % 7 >= 5 else 1)
        n = int(rng.poisson(mean * (rng.uniform(1.6, 2.6) if burst else 1))) + 20
        out.append(_leads_of(rng, day, first, n, burst))
        first += n
    return out


def _leads_of(rng: Draw, day: int, first: int, n: int, burst: bool) -> pa.Table:
    mix = [0.1, 0.1, 0.1, 0.1, 0.6] if burst else [0.3, 0.3, 0.2, 0.15, 0.05]
    campaign = rng.choice(["brand", "generic", "retarget", "partner", "event"], n, p=mix)
    at = np.sort(1.70e15 + day * 8.64e10 + rng.beta(2.5, 2, n) * 8.64e10).astype(np.int64)
    lands = ["US", "GB", "DE", "IN", "BR", "JP", "AU"]
    return pa.table(
        {
            "lead": np.arange(first, first + n),
            "campaign": campaign.tolist(),
            "phone": [_phone(rng, 0.4 if c == "event" else 0.15) for c in campaign],
            "budget": [
                None if u < 0.3 else float(v)
                for u, v in zip(rng.random(n), np.round(rng.lognormal(7, 1.4, n), -1), strict=True)
            ],
            "employees": rng.zipf(1.5, n) % 10000,
            "consent": rng.random(n) < 0.8,
            "country": rng.choice(lands, n, p=[0.4, 0.15, 0.1, 0.15, 0.08, 0.07, 0.05]).tolist(),
            "url": [
                f"https://ex.example/{page}?utm={c}"
                for page, c in zip(
                    rng.choice(["a", "pricing", "demo", "try"], n), campaign, strict=True
                )
            ],
            "score": np.clip(rng.normal(50, 18, n), 0, 100).round(0).astype(int),
            "created_at": stamps(at),
            "updated_at": stamps(at + (rng.exponential(2, n) * 3.6e9).astype(np.int64)),
        }
    )


def _phone(rng: Draw, absent: float) -> str | None:
    if rng.random() < absent:
        return None
    return f"+{rng.integers(1, 99)} {rng.integers(100, 999)} {rng.integers(10000, 999999)}"


def ledger(days: int) -> list[pa.Table]:
    """Bookings of many accounts: month ends, quiet Sundays, running numbers, batches by hour."""
    rng = np.random.default_rng(301)
    first, out = 0, []
    for day in range(days):
        rush = (2.2 if day % 30 >= 28 else 1) * (0.25 if day % 7 == 6 else 1)
        n = int(rng.poisson(140 * rush * rng.lognormal(0, 0.1))) + 8
        out.append(_bookings(rng, day, first, n))
        first += n
    return out


def _bookings(rng: Draw, day: int, first: int, n: int) -> pa.Table:
    amount = np.round(rng.normal(0, 1, n) * rng.lognormal(5, 1, n), 2)
    hour = rng.choice([0, 6, 12, 18], n) * 3.6e9
    at = 1.68e15 + day * 8.64e10 + hour + rng.integers(0, 900, n) * 1e6
    accounts = [1200, 1400, 1600, 4400, 4930, 8400, 6300]
    words = ["Rechnung", "Gutschrift", "Umbuchung", "Miete", "Büromaterial"]
    drawn = rng.choice(accounts, n, p=[0.25, 0.2, 0.15, 0.15, 0.1, 0.1, 0.05])
    return pa.table(
        {
            "entry": np.arange(first, first + n),
            "account": [str(a) for a in drawn],
            "amount": amount,
            "debit": amount > 0,
            "currency": ["EUR"] * n,
            "tax_code": [
                None if u < 0.45 else str(c)
                for u, c in zip(rng.random(n), rng.choice(["V19", "V7", "U19"], n), strict=True)
            ],
            "text": [f"{w} {rng.integers(100, 999)}" for w in rng.choice(words, n)],
            "cost_centre": rng.choice([10, 20, 30, 40], n),
            "booked_at": stamps(at.astype(np.int64)),
            "value_date": pa.array(
                ((at / 8.64e10).astype(int) - rng.integers(0, 3, n)).astype(np.int32), pa.date32()
            ),
        }
    )


def sensors(days: int) -> list[pa.Table]:
    """Machine readings at a fixed rhythm: constant volume, slow drift, few gaps."""
    rng = np.random.default_rng(302)
    drift, out = 0.0, []
    for day in range(days):
        drift += rng.normal(0, 0.15)
        machine, hour = np.repeat(np.arange(12), 24), np.tile(np.arange(24), 12)
        keep = rng.random(288) > 0.01 + 0.05 * (rng.random() < 0.1)
        out.append(_readings(rng, day, drift, machine[keep], hour[keep]))
    return out


def _readings(rng: Draw, day: int, drift: float, machine: Any, hour: Any) -> pa.Table:
    n = len(machine)
    warm = 20 + drift + 3 * np.sin(hour / 24 * 6.28) + machine * 0.4 + rng.normal(0, 0.5, n)
    at = 1.72e15 + day * 8.64e10 + hour * 3.6e9 + rng.integers(0, 60, n) * 1e6
    return pa.table(
        {
            "device": [f"m{m:02d}" for m in machine],
            "at": stamps(at.astype(np.int64)),
            "temp": warm.round(2),
            "humidity": np.clip(60 - 1.2 * (warm - 20) + rng.normal(0, 3, n), 0, 100).round(1),
            "rpm": rng.choice([0, 900, 1500], n, p=[0.1, 0.3, 0.6]) + rng.integers(-5, 5, n),
            "status": rng.choice(["ok", "warn", "err"], n, p=[0.95, 0.04, 0.01]).tolist(),
            "count": rng.poisson(30 + 5 * (day % 7 < 5), n),
            "battery": np.clip(
                100 - ((day * 2 + machine * 7) % 100) + rng.normal(0, 0.5, n), 0, 100
            ).round(1),
        }
    )


def subscriptions(days: int) -> list[pa.Table]:
    """A full refresh that grows slowly: a snapshot holds nearly the rows of the one before."""
    rng = np.random.default_rng(303)
    table, out = _joined(rng, 0, 220, 0), []
    for day in range(days):
        now = EPOCH + pd.to_timedelta(day, unit="D")
        moved = rng.random(len(table)) < 0.04
        table.loc[moved, "status"] = "active"
        table.loc[moved, "seats"] += 1
        gone = rng.random(len(table)) < 0.004
        table.loc[gone, "status"] = "cancelled"
        table.loc[gone, "cancelled_at"] = now
        table.loc[moved | gone, "updated_at"] = now
        fresh = int(rng.poisson(2.5 * (1 if day % 7 < 5 else 0.3)))
        table = pd.concat([table, _joined(rng, len(table), fresh, day)], ignore_index=True)
        out.append(from_pandas(table.copy()))  # Arrow may share the memory that changes tomorrow
    return out


def _joined(rng: Draw, first: int, n: int, day: int) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "sub": [f"sub_{i:05d}" for i in range(first, first + n)],
            "plan": rng.choice(["basic", "pro", "max"], n, p=[0.6, 0.3, 0.1]),
            "mrr": rng.choice([19.0, 49.0, 99.0, 199.0], n, p=[0.5, 0.3, 0.15, 0.05]),
            "seats": rng.geometric(0.25, n),
            "status": rng.choice(["active", "trialing"], n, p=[0.8, 0.2]),
            "email": [
                f"{name}{rng.integers(1, 999)}@{host}.example"
                for name, host in zip(
                    rng.choice(["ann", "bo", "cy", "dee", "eli"], n),
                    rng.choice(["corp", "shop", "lab"], n),
                    strict=True,
                )
            ],
            "cancelled_at": pd.Series([pd.NaT] * n, dtype="datetime64[us, UTC]"),
            "updated_at": EPOCH
            + pd.to_timedelta(day * 86400 - rng.integers(0, 86400, n), unit="s"),
        }
    )


def streams(days: int) -> dict[str, Named]:
    return {
        "lectures": (None, None, lectures(days)),
        "germans": (None, None, germans(days)),
        "catches": (None, None, catches(days)),
        "matches": (None, None, matches(days)),
        "serum": (None, None, serum(days)),
        "genes": (None, None, genes(days)),
        "kennedy": (None, "time_hour", kennedy(days)),
        "food": (None, None, food(days)),
        "villages": (None, None, villages(days)),
        "leads": ("lead", "updated_at", leads(days)),
        "ledger": ("entry", "booked_at", ledger(days)),
        "sensors": (None, "at", sensors(days)),
        "subscriptions": ("sub", "updated_at", subscriptions(days)),
    }
