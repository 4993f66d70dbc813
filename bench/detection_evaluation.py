"""Streams that nothing was tuned on: flights, films, households; usage, prices, vehicles.

Written after the scorer, by other processes than the development streams. Do not look at single
failures here and change the scorer; make a development stream of the same kind instead.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
from detection_data import flights_table, from_pandas, packaged_table

Named = tuple[str | None, str | None, list[pa.Table]]

PAGES = (
    "/home",
    "/pricing",
    "/docs/start",
    "/docs/api",
    "/login",
    "/settings",
    "/billing",
    "/blog",
)
AGENTS = ("Firefox/128.0 (X11)", "Chrome/126.0 (Windows)", "Safari/17.5 (Macintosh)", "curl/8.5.0")
MATERIAL = ("Steel", "Brass", "Oak", "Nylon", "Copper", "Birch", "Rubber")
THING = ("bracket", "hinge", "screw set", "panel", "gasket", "handle", "washer", "valve")


def flights(days: int) -> list[pa.Table]:
    """Departures from one airport, a snapshot a day: real weekdays, seasons, storms."""
    table = flights_table()
    table = table[table["origin"] == "LGA"].copy()
    table["time_hour"] = pd.to_datetime(table["time_hour"])
    day = (table["month"] * 100 + table["day"]).rank(method="dense").to_numpy()
    arrow = from_pandas(table.drop(columns=["year", "month", "day"]))
    return [arrow.filter(pa.array(day == d)) for d in range(20, 20 + days)]


def films(days: int) -> list[pa.Table]:
    table = packaged_table("movies").sample(frac=1.0, random_state=8)
    arrow = from_pandas(table.drop(columns=[f"r{i}" for i in range(3, 11)]))
    cuts = np.cumsum(np.random.default_rng(5).normal(330, 25, days + 1).astype(int))
    return [arrow.slice(a, b - a) for a, b in pairwise(cuts)]


def insured(days: int) -> list[pa.Table]:
    """A survey of households, in parts whose size swings."""
    table = packaged_table("HI").sample(frac=1.0, random_state=31)
    cuts = np.cumsum(np.random.default_rng(32).gamma(9, 20, days + 1).astype(int) + 2)
    arrow = from_pandas(table)
    return [arrow.slice(a, b - a) for a, b in pairwise(cuts)]


def telemetry(days: int) -> list[pa.Table]:
    """Hourly reports of vehicles: fleets that grow, gaps in coverage, cold and warm days."""
    rng = np.random.default_rng(79)
    fleet, heat, out = 30, 12.0, []
    for day in range(days):
        fleet, heat = fleet + int(rng.random() < 0.1), 0.9 * heat + 1.2 + rng.normal(0, 1.5)
        on = rng.random((fleet, 24)) < 0.5 - 0.25 * (day % 7 == 6) + 0.06 * rng.normal()
        van, hour = np.nonzero(on)
        n = len(van)
        speed = np.clip(rng.gamma(4, 11, n), 0, 130).round(1)
        lost = rng.random(n) < 0.03 + 0.04 * (rng.random() < 0.15)
        stamp = 1.7e9 + day * 86400 + hour * 3600 + rng.integers(0, 900, n)
        out.append(
            pa.table(
                {
                    "van": [f"VAN-{v:03d}" for v in van],
                    "reported": pa.array((stamp * 1e6).astype(np.int64), pa.timestamp("us", "UTC")),
                    "speed": speed,
                    "celsius": (heat + 4 * np.sin(hour / 3.8) + rng.normal(0, 1, n)).round(1),
                    "latitude": [
                        None if x else round(y, 5)
                        for x, y in zip(lost, 52.5 + rng.normal(0, 0.08, n), strict=True)
                    ],
                    "fuel": rng.integers(4, 100, n),
                    "odometer": 20_000 + van * 911 + day * 140 + hour * 6,
                    "state": np.where(
                        speed < 12, "idle", rng.choice(["city", "motorway"], n, p=[0.7, 0.3])
                    ).tolist(),
                    "firmware": [f"4.{1 + (v % 3 == 0) * (day > 45)}.0" for v in van],
                    "alarm": rng.random(n) < 0.015,
                }
            )
        )
    return out


def usage(days: int) -> list[pa.Table]:
    """Sessions of a web product: a self-exciting visitor process whose mixes wander."""
    rng = np.random.default_rng(77)
    mix, level, out = rng.normal(0, 1, len(PAGES)), 5.6, []
    for day in range(days):
        mix, level = mix * 0.98 + rng.normal(0, 0.04, len(PAGES)), level + rng.normal(0.001, 0.03)
        n = int(np.exp(level - 0.35 * (day % 7 in (2, 3))) + rng.normal(0, 12)) + 10
        start = np.sort((1.69e9 + day * 86400 + rng.uniform(0, 1, n) ** 0.7 * 86300) * 1e6)
        length = rng.weibull(0.6, n) * 240
        page = rng.choice(PAGES, n, p=np.exp(mix) / np.exp(mix).sum())
        bot = rng.random(n) < 0.07
        out.append(
            pa.table(
                {
                    "session": [
                        f"{a:08x}-{b:04x}"
                        for a, b in zip(
                            rng.integers(0, 2**32, n), rng.integers(0, 2**16, n), strict=True
                        )
                    ],
                    "account": [
                        None if u < 0.35 else f"acct-{k}"
                        for u, k in zip(rng.random(n), rng.geometric(0.01, n), strict=True)
                    ],
                    "started": pa.array(start.astype(np.int64), pa.timestamp("us", "UTC")),
                    "seconds": np.where(bot, 0.0, np.round(length, 1)),
                    "events": rng.poisson(1 + length / 30),
                    "landing": page.tolist(),
                    "agent": [
                        AGENTS[3] if b else AGENTS[k]
                        for b, k in zip(bot, rng.choice(3, n, p=[0.2, 0.6, 0.2]), strict=True)
                    ],
                    "plan": rng.choice(
                        ["free", "team", "business", "enterprise"], n, p=[0.55, 0.28, 0.14, 0.03]
                    ).tolist(),
                    "score": rng.beta(2, 8, n).round(4),
                    "converted": rng.random(n) < 0.04,
                    "seen": [f"{np.datetime64(int(s / 1e6), 's')}Z" for s in start],
                }
            )
        )
    return out


def price_list(days: int) -> list[pa.Table]:
    """A full refresh: 300 articles, a few new ones a day, prices creeping up."""
    rng = np.random.default_rng(78)

    def articles(count: int, day: int) -> pd.DataFrame:
        names = [
            f"{a} {b} {k} mm"
            for a, b, k in zip(
                rng.choice(MATERIAL, count),
                rng.choice(THING, count),
                rng.choice([5, 8, 12, 20, 40], count),
                strict=True,
            )
        ]
        return pd.DataFrame(
            {
                "article": [
                    f"{rng.integers(10, 99)}.{rng.integers(1000, 9999)}.{rng.integers(0, 9)}"
                    for _ in range(count)
                ],
                "name": names,
                "supplier": rng.choice(
                    ["Aldo SpA", "Berg & Co", "Müller KG", "Tōkai", "Unit 9"],
                    count,
                    p=[0.4, 0.25, 0.2, 0.1, 0.05],
                ),
                "price": np.round(rng.gamma(1.5, 12, count) + 0.5, 2),
                "stock": rng.negative_binomial(1, 0.01, count),
                "tax": rng.choice([7, 19], count, p=[0.3, 0.7]),
                "discontinued": rng.random(count) < 0.05,
                "changed": pd.Timestamp("2023-01-01", tz="UTC")
                + pd.to_timedelta(day * 86400 - rng.exponential(4e6, count).astype(int), unit="s"),
            }
        )

    table, out = articles(300, 0), []
    for day in range(days):
        touched = rng.random(len(table)) < 0.15
        table.loc[touched, "stock"] = rng.negative_binomial(1, 0.01, int(touched.sum()))
        table.loc[touched, "price"] = np.round(
            table.loc[touched, "price"] * rng.normal(1.004, 0.02, int(touched.sum())), 2
        )
        table.loc[touched, "changed"] = pd.Timestamp("2023-01-01", tz="UTC") + pd.to_timedelta(
            day * 86400 + rng.integers(0, 80000, int(touched.sum())), unit="s"
        )
        table = pd.concat(
            [table[rng.random(len(table)) > 0.006], articles(int(rng.poisson(2)), day)],
            ignore_index=True,
        )
        out.append(from_pandas(table))
    return out


def streams(days: int) -> dict[str, Named]:
    """Key, cursor and snapshots of each stream."""
    return {
        "flights": (None, "time_hour", flights(days)),
        "films": (None, None, films(days)),
        "usage": ("session", "started", usage(days)),
        "price_list": (None, "changed", price_list(days)),
        "insured": (None, None, insured(days)),
        "telemetry": (None, "reported", telemetry(days)),
    }


def taken(days: int) -> dict[str, list[datetime]]:
    """When each snapshot was taken, of streams that a cursor cuts: at the end of its day."""
    new_year = datetime(2013, 1, 1, tzinfo=ZoneInfo("America/New_York"))
    nights = [new_year + timedelta(days=20 + day) for day in range(days)]
    after = [timedelta(days=day + 1) for day in range(days)]
    return {
        "flights": [night.astimezone(UTC) for night in nights],
        "usage": [datetime.fromtimestamp(1.69e9, UTC) + t for t in after],
        "telemetry": [datetime.fromtimestamp(1.7e9, UTC) + t for t in after],
    }
