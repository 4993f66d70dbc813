"""Development streams whose week shows in more than the number of rows.

Eight made-up syncs, a snapshot a day of what changed on it: which values, hours, sizes and gaps
are usual depends on the day of the week, as it does where people work, eat, learn and travel.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa

Named = tuple[str | None, str | None, list[pa.Table]]
Draw = np.random.Generator

DAY = 86_400
MONDAY = 1_704_067_200  # 2024-01-01, midnight UTC
TOPICS = ("invoice", "login", "bug", "how to", "feature", "outage")
DISHES = ("margherita", "ramen", "falafel plate", "burger", "poke bowl", "pho", "lasagne", "thali")
CLASSES = ("spin", "yoga", "boxing", "rowing", "pilates")
LINES = ("U1", "U2", "S7", "M10", "X9", "204")
ROLES = ("nurse", "driver", "clerk", "cook", "guard", "technician")


def times(rng: Draw, day: int, hours: np.ndarray) -> pa.Array:
    """Sorted moments of the day at these hours (0 to 24)."""
    at = MONDAY + day * DAY + np.sort(np.clip(hours, 0, 23.95)) * 3600 + rng.uniform(0, 60, 1)
    return pa.array((at * 1e6).astype(np.int64), pa.timestamp("us", "UTC"))


def some(rng: Draw, size: int, values: Iterable[Any], weights: Iterable[float]) -> list[Any]:
    """Draws with these relative weights."""
    names, w = list(values), np.asarray(list(weights), np.float64)
    return [names[k] for k in rng.choice(len(names), size, p=w / w.sum())]


def maybe(rng: Draw, values: Iterable[Any], absent: float) -> list[Any]:
    return [None if rng.random() < absent else v for v in values]


def chats(days: int) -> list[pa.Table]:
    """Support chats: Mondays are busy, weekends are automatic answers to consumers."""
    rng, out, first = np.random.default_rng(501), [], 40_000
    for day in range(days):
        free = day % 7 >= 5
        n = int(rng.poisson((60 if free else 190 + 60 * (day % 7 == 0)) * rng.lognormal(0, 0.1)))
        mix = (1, 4, 2, 5, 1, 1) if free else (4, 2, 3, 3, 2, 1)
        wait = rng.gamma(1.4, 40 if free else 260, n)
        out.append(pa.table({
            "chat": np.arange(first, first + n),
            "opened": times(rng, day, rng.normal(14 if free else 11.5, 4.5 if free else 2.6, n)),
            "topic": some(rng, n, TOPICS, mix),
            "handler": some(rng, n, ("bot", "ana", "ben", "chloe", "dev"),
                            (8, 1, 0.5, 0, 0) if free else (3, 2, 2, 1.5, 1)),
            "company": maybe(rng, [f"org-{k}" for k in rng.geometric(0.02, n)],
                             0.6 if free else 0.15),
            "wait_seconds": np.round(wait, 1),
            "messages": 1 + rng.poisson(4 if free else 9, n),
            "rating": pa.array(maybe(rng, rng.integers(1, 6, n).tolist(), 0.7), pa.int64()),
            "language": some(rng, n, ("en", "de", "fr", "ja"), (6, 2, 1, 0.4)),
            "solved": rng.random(n) < (0.55 if free else 0.8),
        }))  # fmt: skip
        first += n
    return out


def kitchen(days: int) -> list[pa.Table]:
    """Orders of a delivery kitchen: lunch on workdays, dinner on weekends, closed-ish Mondays."""
    rng, out, level = np.random.default_rng(502), [], 5.2
    for day in range(days):
        level += rng.normal(0.002, 0.02)
        week = day % 7
        size = (0.45, 0.8, 0.85, 0.9, 1.3, 1.7, 1.5)[week]
        n = int(rng.poisson(np.exp(level) * size * rng.lognormal(0, 0.08))) + 4
        dinner = rng.random(n) < (0.75 if week >= 4 else 0.4)
        quantity = rng.geometric(0.4 if week >= 4 else 0.7, n)
        price = np.round(rng.choice([8.5, 9.9, 11.5, 12.9, 14.5], n) * quantity, 2)
        out.append(pa.table({
            "order": [f"{rng.integers(16**5):05x}{k:04x}" for k in range(n)],
            "ordered": times(rng, day, np.where(dinner, rng.normal(19.3, 1.2, n),
                                                rng.normal(12.3, 0.8, n))),
            "dish": some(rng, n, DISHES, 1 / np.arange(1, 9) * (1 + (week >= 4) * np.arange(8))),
            "quantity": quantity,
            "price": price,
            "tip": np.where(rng.random(n) < 0.4, np.round(price * rng.choice([.05, .1], n), 2), 0),
            "district": some(rng, n, ("Mitte", "Nord", "Süd", "Hafen", "Altstadt"),
                             (5, 2, 2, 1, 1) if week < 4 else (2, 3, 3, 2, 2)),
            "courier": some(rng, n, [f"C-{k:02d}" for k in range(24)],
                            [1.0 + (k % 7 != week) * 3 for k in range(24)]),
            "voucher": maybe(rng, some(rng, n, ("LUNCH5", "HELLO", "FRIEND"), (5, 2, 1)), 0.85),
            "minutes": np.round(rng.gamma(9, 3.2 + 0.8 * (week >= 5), n), 1),
        }))  # fmt: skip
    return out


def checkins(days: int) -> list[pa.Table]:
    """Visits of a gym: a timetable of classes by weekday, early birds on workdays."""
    rng, out = np.random.default_rng(503), []
    plan = np.random.default_rng(504).dirichlet(np.ones(len(CLASSES)) * 0.8, 7)
    for day in range(days):
        week = day % 7
        n = int(rng.poisson((260, 240, 235, 220, 170, 130, 90)[week] * rng.lognormal(0, 0.06)))
        early = rng.random(n) < (0.45 if week < 5 else 0.05)
        guided = rng.random(n) < 0.5
        out.append(pa.table({
            "at": times(rng, day, np.where(early, rng.normal(7, 0.8, n),
                                           rng.normal(18 if week < 5 else 12, 1.7, n))),
            "member": rng.integers(1000, 3600 + 4 * day, n),
            "course": [c if g else None for c, g in zip(some(rng, n, CLASSES, plan[week] + 0.02),
                                                        guided, strict=True)],
            "minutes": np.round(np.where(guided, 55, 0) + rng.gamma(4, 9, n)).astype(np.int64),
            "door": some(rng, n, ("north", "south", "garage"), (4, 3, 1 + 2 * (week < 5))),
            "tariff": some(rng, n, ("flex", "year", "student", "firm"),
                           (2, 5, 2, 0.4 if week >= 5 else 2)),
            "locker": maybe(rng, rng.integers(1, 180, n).tolist(), 0.2),
            "paid": np.where(rng.random(n) < 0.1, rng.choice([2.5, 4.0, 12.0], n), 0.0),
        }))  # fmt: skip
    return out


def invoices(days: int) -> list[pa.Table]:
    """Invoices to firms: hardly any on weekends, long runs on Fridays, quarter ends, a trend."""
    rng, out, number = np.random.default_rng(505), [], 7_000
    for day in range(days):
        week = day % 7
        base = (90, 85, 80, 95, 210, 9, 5)[week] * 1.004**day
        n = int(rng.poisson(base * (1.8 if day % 91 > 87 else 1) * rng.lognormal(0, 0.09))) + 3
        batch = rng.random(n) < 0.7 * (week == 4)
        net = np.round(np.exp(rng.normal(5.0 + 0.8 * batch, 1.2, n)), 2)
        tax = np.where(rng.random(n) < 0.8, 0.19, 0.07)
        terms = np.where(batch, 30, rng.choice([14, 30, 60], n, p=[0.5, 0.4, 0.1]))
        issued = times(rng, day, np.where(batch, 17.5, rng.normal(11.5, 2.4, n)))
        due = np.datetime64("2024-01-01") + (day + terms).astype("timedelta64[D]")
        out.append(pa.table({
            "number": [f"RE-{2024}-{number + k:06d}" for k in range(n)],
            "issued": issued,
            "due": pa.array(due.astype("datetime64[D]")),
            "customer": [f"K{k:05d}" for k in rng.zipf(1.5, n) % 2000],
            "net": net,
            "tax_rate": tax,
            "gross": np.round(net * (1 + tax), 2),
            "run": pa.array([f"batch-{day // 7:03d}" if b else None for b in batch], pa.string()),
            "author": some(rng, n, ("system", "h.klein", "s.wolf", "m.adler"),
                           (8, 1, 1, 1) if week == 4 else (1, 3, 3, 2)),
            "terms": terms,
            "note": pa.array(maybe(rng, [f"PO {k}" for k in rng.integers(10**5, 10**6, n)], 0.5),
                             pa.string()),
        }))  # fmt: skip
        number += n
    return out


def podcast(days: int) -> list[pa.Table]:
    """Downloads of podcasts: episodes on Mondays and Thursdays whose listeners come within days."""
    rng, out, pull = np.random.default_rng(506), [], np.zeros(3)
    for day in range(days):
        week = day % 7
        pull *= (0.5, 0.62, 0.4)
        fresh = np.array([week == 0, week == 3, week == 5]) * (300, 180, 90)
        pull += fresh * rng.gamma(50, 1 / 50, 3)
        mean = 40 + pull.sum()
        n = int(rng.poisson(mean * rng.lognormal(0, 0.05))) + 5
        show = rng.choice(4, n, p=np.append(pull, 40) / mean)
        age = np.array([rng.geometric(0.9 if s < 3 else 0.05) for s in show])
        done = rng.beta(2, 1 + 0.5 * (week >= 5), n)
        out.append(pa.table({
            "download": [f"{rng.integers(2**40):010x}" for _ in range(n)],
            "at": times(rng, day, np.where(rng.random(n) < 0.4 * (week in (0, 3)),
                                           6 + rng.exponential(1.2, n), rng.normal(15, 5, n))),
            "show": [("Aufwachen", "Deep Dive", "Saturday Tales", "archive")[s] for s in show],
            "episode": [f"{'ADSX'[s]}{max(day // 7 + 20 - a, 1):03d}"
                        for s, a in zip(show, age, strict=True)],
            "bytes": (rng.normal([28e6, 71e6, 44e6, 35e6], 2e5, (n, 4))[np.arange(n), show]
                      ).astype(np.int64),
            "client": some(rng, n, ("AppleCoreMedia/1.0", "Spotify/8.9", "Overcast/3",
                                    "okhttp/4.12", "curl/8.4"), (5, 4, 1, 1.5, 0.2)),
            "country": some(rng, n, ("DE", "AT", "CH", "US", "NL"), (8, 2, 2, 1, 0.5)),
            "listened": np.round(done, 3),
            "referrer": maybe(rng, some(rng, n, ("newsletter", "web", "feed"),
                                        (6 if week in (0, 3) else 1, 2, 2)), 0.6),
        }))  # fmt: skip
    return out


def shifts(days: int) -> list[pa.Table]:
    """Planned shifts of a staffing firm, planned ahead: planners work Tuesdays and Thursdays."""
    rng, out, first = np.random.default_rng(507), [], 1
    for day in range(days):
        week = day % 7
        n = int(rng.poisson((70, 220, 80, 240, 60, 14, 10)[week] * rng.lognormal(0, 0.12))) + 6
        starts = rng.choice([6, 14, 22], n, p=[0.5, 0.35, 0.15])
        ahead = rng.poisson(9 if week in (1, 3) else 2, n)
        hours = rng.choice([4.0, 6.0, 8.0, 10.0], n, p=[0.1, 0.2, 0.6, 0.1])
        rate = np.round(rng.normal(17, 2.5, n) * (1 + 0.25 * (starts == 22)), 2)
        begin = (MONDAY + (day + ahead) * DAY + starts * 3600) * 1_000_000
        out.append(pa.table({
            "shift": np.arange(first, first + n),
            "planned": times(rng, day, rng.normal(10.5, 2, n)),
            "begins": pa.array(begin.astype(np.int64), pa.timestamp("us", "UTC")),
            "hours": hours,
            "rate": rate,
            "cost": np.round(rate * hours * 1.21, 2),
            "role": some(rng, n, ROLES,
                         (5, 3, 2, 2, 1, 1) if week in (1, 3) else (2, 3, 2, 2, 3, 3)),
            "worker": maybe(rng, [f"W{k:04d}" for k in rng.integers(1, 900, n)],
                            0.35 if week in (1, 3) else 0.08),
            "site": some(rng, n, [f"site {c}" for c in "ABCDEFGH"], range(8, 0, -1)),
            "urgent": rng.random(n) < (0.05 if week in (1, 3) else 0.3),
        }))  # fmt: skip
        first += n
    return out


def rides(days: int) -> list[pa.Table]:
    """Ticket validations: commuters by hour on workdays, short trips and families on weekends."""
    rng, out, warm = np.random.default_rng(508), [], 0.0
    for day in range(days):
        week, warm = day % 7, 0.8 * warm + rng.normal(0, 0.05)
        free = week >= 5
        n = int(rng.poisson((210 if free else 420) * np.exp(warm * (1 if free else 0.4)))) + 5
        peak = rng.choice(3, n, p=[0.1, 0.2, 0.7] if free else [0.42, 0.38, 0.2])
        hour = np.select([peak == 0, peak == 1], [rng.normal(7.8, 0.7, n), rng.normal(17.2, 1, n)],
                         rng.normal(14, 3.5, n))  # fmt: skip
        kind = np.array(
            some(
                rng,
                n,
                ("single", "day", "month", "family"),
                (4, 3, 2, 2) if free else (2, 0.7, 6, 0.2),
            )
        )
        fare = np.select([kind == "single", kind == "day", kind == "family"], [2.9, 7.8, 15.6], 0.0)
        out.append(pa.table({
            "validated": times(rng, day, hour),
            "card": [f"{rng.integers(10**4):04d} {rng.integers(10**6):06d}" for _ in range(n)],
            "line": some(rng, n, LINES, (5, 4, 3, 2, 1, 0.2) if free else (5, 5, 4, 3, 1, 2)),
            "kind": kind.tolist(),
            "fare": fare,
            "zones": rng.choice([1, 2, 3], n, p=[0.5, 0.3, 0.2] if free else [0.65, 0.25, 0.1]),
            "concession": maybe(rng, some(rng, n, ("child", "senior", "student"),
                                          (5, 2, 1) if free else (1, 1, 4)), 0.7),
            "speed": np.round(rng.normal(31 + 4 * free, 6, n), 1),
            "transfer": rng.random(n) < (0.2 if free else 0.35),
        }))  # fmt: skip
    return out


def lessons(days: int) -> list[pa.Table]:
    """A learning tool: pupils on schooldays, homework on Sundays, tests on Fridays."""
    rng, out = np.random.default_rng(509), []
    skill = 0.5
    for day in range(days):
        week = day % 7
        skill = min(skill + rng.normal(0.0008, 0.004), 0.9)
        n = int(rng.poisson((240, 250, 230, 220, 300, 50, 170)[week] * rng.lognormal(0, 0.07))) + 4
        test = rng.random(n) < (0.6 if week == 4 else 0.03)
        tries = np.where(test, 1, rng.geometric(0.5, n))
        points = rng.binomial(20, np.clip(rng.normal(skill - 0.1 * test, 0.18, n), 0.02, 0.98))
        home = rng.random(n) < (0.1 if week < 5 else 1)
        out.append(pa.table({
            "attempt": [f"at_{day:04d}_{k:05d}" for k in rng.permutation(n)],
            "finished": times(rng, day, np.where(home, rng.normal(17.5, 1.8, n),
                                                 rng.normal(10.2, 1.5, n))),
            "pupil": [f"p{k:04d}" for k in rng.integers(0, 700, n)],
            "form": some(rng, n, ("5a", "5b", "6a", "7c", "8b"), np.roll((5, 3, 2, 2, 1), week)),
            "subject": some(rng, n, ("maths", "english", "biology", "history"),
                            np.roll((6, 3, 2, 1), week % 4)),
            "kind": ["test" if t else "exercise" for t in test],
            "points": points,
            "tries": tries,
            "seconds": np.round(rng.lognormal(5 + 0.7 * test, 0.5, n)).astype(np.int64),
            "device": some(rng, n, ("tablet", "laptop", "phone"),
                           (5, 3, 1) if week < 5 else (1, 2, 6)),
            "comment": maybe(rng, [f"see page {k}" for k in rng.integers(3, 190, n)],
                             0.9 - 0.5 * (week == 4)),
        }))  # fmt: skip
    return out


def streams(days: int) -> dict[str, Named]:
    """Key, cursor and snapshots of each stream."""
    return {
        "chats": ("chat", "opened", chats(days)),
        "kitchen": ("order", "ordered", kitchen(days)),
        "checkins": (None, "at", checkins(days)),
        "invoices": ("number", "issued", invoices(days)),
        "podcast": ("download", "at", podcast(days)),
        "shifts": ("shift", "planned", shifts(days)),
        "rides": (None, "validated", rides(days)),
        "lessons": ("attempt", "finished", lessons(days)),
    }
