"""Streams that the scorer's constants were chosen on. Figures on them are not evidence."""

from __future__ import annotations

from itertools import pairwise

import detection_development_more as more
import detection_development_weekly as weekly
import numpy as np
import pandas as pd
import pyarrow as pa
from anomaly_demo_streams import STREAMS, stamps
from detection_data import flights_table, from_pandas, packaged_table, weather_table

Named = tuple[str | None, str | None, list[pa.Table]]


def shop_orders(seed: int, day: int) -> pa.Table:
    """Orders of a growing shop: trend, strong weekends, heavy tails, coupons, free notes."""
    rng = np.random.default_rng([seed, day, 9])
    mean = 150 * 1.006**day * (1.7 if day % 7 >= 5 else 1.0) * rng.lognormal(0, 0.12)
    n = int(rng.poisson(mean)) + 3
    at = (1.71e15 + day * 8.64e10 + np.sort(rng.beta(3, 2, n)) * 8.64e10).astype(np.int64)
    price = np.round(rng.pareto(2.5, n) * 20 + 5, 2)
    quantity = rng.geometric(0.6, n)
    notes = rng.choice(
        ["", "gift wrap please", "leave at door", "call before", "fragile"],
        n,
        p=[0.6, 0.1, 0.15, 0.1, 0.05],
    )
    season = 0.1 + 0.05 * np.sin(day / 20)
    return pa.table(
        {
            "order_no": [f"SO-{day:04d}-{i:05d}" for i in range(n)],
            "placed": stamps(at),
            "shipped": stamps(at + (rng.gamma(2, 12, n) * 3600e6).astype(np.int64)),
            "sku": [f"SKU{int(i):04d}" for i in rng.zipf(1.4, n) % 900],
            "unit_price": price,
            "quantity": quantity,
            "total": np.round(price * quantity, 2),
            "coupon": [
                None if u > season else c
                for u, c in zip(
                    rng.random(n), rng.choice(["WELCOME", "SPRING", "VIP10"], n), strict=True
                )
            ],
            "channel": rng.choice(
                ["web", "app", "store", "phone"], n, p=[0.5, 0.35, 0.12, 0.03]
            ).tolist(),
            "note": notes.tolist(),
            "city": rng.choice(
                ["Berlin", "Paris", "Madrid", "Rome", "Wien", "Porto", "Lyon", "Köln"], n
            ).tolist(),
        }
    )


def weather(days: int) -> list[pa.Table]:
    table = weather_table()
    table["at"] = pd.to_datetime(table["time_hour"])
    table = table.drop(columns=["year", "month", "day", "hour", "time_hour"])
    arrow, day = from_pandas(table), table["at"].dt.date.rank(method="dense").to_numpy()
    return [arrow.filter(pa.array(day == d)) for d in range(30, 30 + days)]


def diamonds(days: int) -> list[pa.Table]:
    table = packaged_table("diamonds").sample(frac=1.0, random_state=3)
    rng = np.random.default_rng(4)
    cuts = np.cumsum(rng.poisson(250, days + 1))
    arrow = from_pandas(table)
    return [arrow.slice(a, b - a) for a, b in pairwise(cuts)]


def newark(days: int) -> list[pa.Table]:
    """Departures from another airport, in another season than those of the evaluation."""
    table = flights_table()
    table = table[table["origin"] == "EWR"].copy()
    table["time_hour"] = pd.to_datetime(table["time_hour"])
    day = (table["month"] * 100 + table["day"]).rank(method="dense").to_numpy()
    arrow = from_pandas(table.drop(columns=["year", "month", "day"]))
    return [arrow.filter(pa.array(day == d)) for d in range(220, 220 + days)]


def seasons(days: int) -> list[pa.Table]:
    """Baseball players, a snapshot a year: real growth, wars, columns filled from some year on."""
    table = packaged_table("baseball")
    arrow = from_pandas(table.reset_index(drop=True))
    years = table["year"].to_numpy()
    return [arrow.filter(pa.array(years == y)) for y in range(2008 - days, 2008)]


def patients(days: int) -> list[pa.Table]:
    table = packaged_table("DoctorContacts").sample(frac=1.0, random_state=12)
    cuts = np.cumsum(np.random.default_rng(13).negative_binomial(12, 0.07, days + 1))
    arrow = from_pandas(table)
    return [arrow.slice(a, b - a) for a, b in pairwise(cuts)]


def payments(seed: int, day: int) -> pa.Table:
    """Payouts with month ends, bank holidays and a few days on which something happened."""
    rng = np.random.default_rng([seed, day, 21])
    rush = 2.2 if day % 30 in (28, 29, 0) else 0.5 if day % 7 >= 5 else 1.0
    storm = rng.random() < 0.06
    n = int(rng.poisson(420 * rush * (1.8 if storm else 1.0) * rng.lognormal(0, 0.2))) + 8
    failed = rng.random(n) < (0.3 if storm else 0.04)
    at = (1.72e15 + day * 8.64e10 + rng.beta(2, 2, n) * 8.6e10).astype(np.int64)
    cents = np.round(rng.lognormal(6.2 + 0.25 * rng.normal(), 1.4, n)).astype(np.int64)
    fee = np.maximum(cents // 40, 25)
    codes = rng.choice(["timeout", "declined", "bad_iban"], n, p=[0.7, 0.2, 0.1])
    return pa.table(
        {
            "payout": [f"po-{day:05d}-{i:06d}" for i in range(n)],
            "merchant": rng.integers(100, 900, n),
            "cents": cents,
            "fee": fee,
            "net": cents - fee,
            "method": rng.choice(["sepa", "card", "wire"], n, p=[0.6, 0.35, 0.05]).tolist(),
            "failure": [c if f else None for c, f in zip(codes, failed, strict=True)],
            "retries": np.where(failed, rng.geometric(0.4, n), 0),
            "booked": stamps(at),
            "settled": stamps(at + (rng.gamma(3, 20 if storm else 8, n) * 3.6e9).astype(np.int64)),
            "memo": [
                f"invoice {k} {w}"
                for k, w in zip(
                    rng.integers(1000, 9999, n), rng.choice(["", "thanks", "ref"], n), strict=True
                )
            ],
        }
    )


def streams(days: int) -> dict[str, Named]:
    made = {
        name: (key, cursor, [make(1, d) for d in range(days)])
        for name, (make, key, cursor) in STREAMS.items()
    }
    return {
        **made,
        "shop_orders": ("order_no", "placed", [shop_orders(1, d) for d in range(days)]),
        "weather": (None, "at", weather(days)),
        "diamonds": (None, None, diamonds(days)),
        "newark": (None, "time_hour", newark(days)),
        "seasons": (None, None, seasons(days)),
        "patients": (None, None, patients(days)),
        "payments": ("payout", "booked", [payments(1, d) for d in range(days)]),
        **more.streams(days),
        **weekly.streams(days),
    }
