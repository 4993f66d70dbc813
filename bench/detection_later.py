"""Four more streams, each in time, written after the scorer was done, and looked at for version 9.

Bookings of hotels, payouts of a marketplace, deliveries of a courier, events of a mailing tool: a
snapshot a day of what changed on it, from processes that share nothing with the other streams.
Their failures told what to mend in version 9, so that they count as development streams now.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa

Named = tuple[str | None, str | None, list[pa.Table]]
Rng = np.random.Generator

DAY = 86_400
BEGIN = 1.72e9 - 1.72e9 % DAY  # a Wednesday in July 2024, midnight UTC
COUNTRIES = ("DE", "FR", "IT", "NL", "ES", "AT", "PL", "SE", "GB", "US")
CITIES = ("Köln", "Lyon", "Torino", "Utrecht", "Sevilla", "Graz", "Łódź", "Malmö")
SUBJECTS = ("Your week in numbers", "Last seats", "We have news", "An invitation", "Spring offers")


def moments(rng: Rng, day: int, hours: np.ndarray) -> pa.Array:
    """Times of the day, sorted, at these hours (0 to 24)."""
    at = np.sort(
        BEGIN + day * DAY + np.clip(hours, 0, 23.99) * 3600 + rng.uniform(0, 30, len(hours))
    )
    return pa.array((at * 1e6).astype(np.int64), pa.timestamp("us", "UTC"))


def texts(values: Iterable[str | None]) -> pa.Array:
    return pa.array(list(values), pa.string())


def counted(rng: Rng, mean: float, spread: float) -> int:
    """Overdispersed: a gamma-mixed Poisson with this relative spread beside its own noise."""
    return int(rng.poisson(mean * rng.gamma(1 / spread**2, spread**2))) + 3


def bookings(days: int) -> list[pa.Table]:
    """Hotel bookings: a season, weekends, a price that follows demand, free text by guests."""
    rng, out, reference = np.random.default_rng(401), [], 510_000
    for day in range(days):
        season = 1 + 0.35 * np.sin((day + 20) / 58) + 0.25 * ((day + 2) % 7 in (5, 6))
        n = counted(rng, 150 * season, 0.07)
        nights = 1 + rng.geometric(0.45, n)
        price = np.round(rng.lognormal(4.5, 0.32, n) * season**0.5 * nights, 2)
        ahead = rng.gamma(1.3, 24, n).astype(int)
        came = moments(rng, day, rng.normal(15, 4.5, n))
        arrives = np.datetime64("2024-07-03") + (day + ahead).astype("timedelta64[D]")
        out.append(pa.table({
            "reference": [f"BK{reference + i}" for i in range(n)],
            "booked_at": came,
            "arrives": pa.array(arrives.astype("datetime64[D]")),
            "nights": nights,
            "guests": rng.choice([1, 2, 3, 4], n, p=[0.22, 0.55, 0.13, 0.10]),
            "country": rng.choice(COUNTRIES, n, p=rng_mix(day, len(COUNTRIES))).tolist(),
            "channel": rng.choice(["web", "portal", "phone", "agency"], n,
                                  p=[0.41, 0.43, 0.09, 0.07]).tolist(),
            "total": price,
            "deposit": np.where(rng.random(n) < 0.6, np.round(price * 0.3, 2), 0.0),
            "wish": texts(None if u < 0.7 else f"Room {k} please, arriving at {h}"
                     for u, k, h in zip(rng.random(n), rng.integers(1, 90, n),
                                        rng.integers(14, 23, n), strict=True)),
            "cancelled": rng.random(n) < 0.08,
        }))  # fmt: skip
        reference += n
    return out


def rng_mix(day: int, size: int) -> np.ndarray:
    """Shares that wander slowly with the day."""
    weights = 1 / np.arange(1, size + 1) * (1 + 0.08 * np.sin(day / 17 + np.arange(size)))
    return np.asarray(weights / weights.sum())


def payouts(days: int) -> list[pa.Table]:
    """A marketplace pays its sellers: month ends, amounts over five decades, IBANs, few states."""
    rng, out, number = np.random.default_rng(402), [], 88_000
    sellers = rng.integers(10**9, 10**10, 900)
    for day in range(days):
        peak = 2.2 if day % 30 in (28, 29) else 1.0
        n = counted(rng, (70 + 0.25 * day) * peak * (0.35 if (day + 2) % 7 in (5, 6) else 1), 0.09)
        who = rng.integers(0, 500 + 3 * day, n) % len(sellers)
        amount = np.round(np.exp(rng.normal(4.8, 1.7, n)) + 1, 2)
        fee = np.round(amount * 0.029 + 0.3, 2)
        failed = rng.random(n) < 0.02
        out.append(pa.table({
            "payout": [f"po_{number + i:08d}" for i in range(n)],
            "created": moments(rng, day, rng.beta(2, 3, n) * 24),
            "iban": [f"DE{s % 97:02d} {s % 10**8:08d} {s:010d}" for s in sellers[who]],
            "currency": rng.choice(["EUR", "PLN", "SEK", "CHF"], n,
                                   p=[0.81, 0.09, 0.06, 0.04]).tolist(),
            "amount": amount,
            "fee": fee,
            "net": np.round(amount - fee, 2),
            "state": np.where(failed, "failed",
                              rng.choice(["paid", "in_transit"], n, p=[.7, .3])).tolist(),
            "reason": texts(str(r) if f else None for f, r in zip(
                failed, rng.choice(["account_closed", "no_account", "declined"], n), strict=True)),
            "orders": 1 + rng.poisson(np.sqrt(amount) / 6),
        }))  # fmt: skip
        number += n
    return out


def deliveries(days: int) -> list[pa.Table]:
    """A courier's parcels: routes that grow, weights, failed attempts, rainy days with delays."""
    rng, out, wet = np.random.default_rng(403), [], 0.0
    for day in range(days):
        wet = 0.6 * wet + (rng.random() < 0.3) * rng.exponential(0.5)
        closed = (day + 2) % 7 == 6
        n = counted(rng, 40 if closed else 240 + 0.5 * day, 0.06)
        hours = rng.choice([9.5, 12.0, 16.5], n, p=[0.4, 0.25, 0.35]) + rng.normal(wet / 2, 1.1, n)
        tries = rng.choice([1, 2, 3], n, p=[0.86, 0.11, 0.03])
        late = rng.normal(-12 + 25 * wet, 22, n)
        out.append(pa.table({
            "parcel": [f"{a:04X}-{b:06X}" for a, b in zip(rng.integers(0, 2**16, n),
                                                          rng.integers(0, 2**24, n), strict=True)],
            "scanned": moments(rng, day, hours),
            "route": [f"R{r:02d}" for r in rng.integers(1, 14 + day // 40, n)],
            "city": rng.choice(CITIES, n, p=rng_mix(day + 50, len(CITIES))).tolist(),
            "postcode": [f"{p:05d}" for p in rng.integers(1000, 99999, n)],
            "grams": np.round(rng.gamma(1.6, 900, n) + 20).astype(np.int64),
            "tries": tries,
            "minutes_late": np.round(late, 1),
            "outcome": np.where(tries == 3, "returned",
                                rng.choice(["handed over", "neighbour", "box"], n,
                                           p=[0.68, 0.17, 0.15])).tolist(),
            "signed_by": texts(None if u < 0.32 else f"{chr(65 + k % 26)}. {CITIES[k % 8][:3]}er"
                          for u, k in zip(rng.random(n), rng.integers(0, 200, n), strict=True)),
            "insured": rng.random(n) < 0.05,
        }))  # fmt: skip
    return out


def mailing(days: int) -> list[pa.Table]:
    """Events of a mailing tool: two mailings a week with a tail of opens, hourly decay, bounces."""
    rng, out, tail, number = np.random.default_rng(404), [], 120.0, 0
    for day in range(days):
        sent = (day + 2) % 7 in (1, 3)
        number += sent
        tail = 0.45 * tail + (330 * rng.gamma(60, 1 / 60) if sent else 0.0)
        n = counted(rng, 60 + tail, 0.05)
        hours = np.where(rng.random(n) < 0.5 * sent, 8 + rng.exponential(1.5, n),
                         rng.normal(13.5, 5, n))  # fmt: skip
        kind = rng.choice(["open", "click", "bounce", "unsubscribe"], n, p=[0.77, 0.19, 0.03, 0.01])
        out.append(pa.table({
            "event": [f"ev-{day:03d}-{x:07x}" for x in rng.choice(2**27, n, replace=False)],
            "occurred_at": moments(rng, day, hours),
            "type": kind.tolist(),
            "campaign": [f"c{max(number - k, 0):04d}" for k in rng.geometric(0.7, n) - 1],
            "subject": [SUBJECTS[(number - k) % 5] for k in rng.geometric(0.8, n) - 1],
            "recipient": [f"{a}{r}@{d}" for a, r, d in zip(
                rng.choice(["anna", "jo", "kim", "lena", "max"], n), rng.integers(1, 4000, n),
                rng.choice(["mail.example", "post.example", "corp.example"], n, p=[.5, .3, .2]),
                strict=True)],
            "link": texts(f"/offers/{k}" if t == "click" else None
                     for t, k in zip(kind, rng.integers(1, 30, n), strict=True)),
            "client": rng.choice(["mobile", "desktop", "web"], n, p=[.55, .27, .18]).tolist(),
            "seconds": pa.array(np.where(kind == "open", np.round(rng.lognormal(1.6, 0.9, n), 1),
                                         np.nan), from_pandas=True),
            "score": rng.integers(0, 101, n),
        }))  # fmt: skip
    return out


def streams(days: int) -> dict[str, Named]:
    """Key, cursor and snapshots of each stream."""
    return {
        "bookings": ("reference", "booked_at", bookings(days)),
        "payouts": ("payout", "created", payouts(days)),
        "deliveries": ("parcel", "scanned", deliveries(days)),
        "mailing": ("event", "occurred_at", mailing(days)),
    }


def taken(days: int) -> dict[str, list[datetime]]:
    """When each snapshot was taken: at midnight."""
    ends = [datetime.fromtimestamp(BEGIN + (day + 1) * DAY, UTC) for day in range(days)]
    return dict.fromkeys(("bookings", "payouts", "deliveries", "mailing"), ends)
