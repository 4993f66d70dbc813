"""Six streams, each in time, whose difficulty was set by the baselines alone.

Written without sight of the scorer: noise, size and rhythm were adjusted until the mean AUC of
3-sigma was near 0.87, 0.90 and 0.96 at 8, 20 and 60 snapshots. With 16 positions and 4 faults each
it came to 0.88, 0.93 and 0.95 (average kNN: 0.84, 0.87 and 0.87).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa

Named = tuple[str | None, str | None, list[pa.Table]]
Rng = np.random.Generator

DAY = 86_400
BEGIN = 1_736_121_600  # a Monday in January 2025, midnight UTC


def weekend(day: int) -> bool:
    return day % 7 in (5, 6)


def times(seconds: Iterable[float | None]) -> pa.Array:
    """Seconds since the first midnight, None where there is none."""
    ticks = [None if s is None else int((BEGIN + s) * 1e6) for s in seconds]
    return pa.array(ticks, pa.timestamp("us", "UTC"))


def iso(seconds: np.ndarray) -> list[str]:
    """The same as text."""
    ticks = (BEGIN + seconds).astype(np.int64).astype("datetime64[s]")
    return [f"{t}Z" for t in np.datetime_as_string(ticks)]


def texts(values: Iterable[str | None]) -> pa.Array:
    return pa.array(list(values), pa.string())


def around(rng: Rng, mean: float, spread: float) -> int:
    """A count: Poisson about a mean that itself varies by this relative spread."""
    return int(rng.poisson(mean * np.exp(rng.normal(0, spread)))) + 5


def tilt(rng: Rng, shares: Sequence[float], strength: float = 5000.0) -> np.ndarray:
    """The day's own shares: near the usual ones, the nearer the larger the strength."""
    return np.asarray(rng.dirichlet(np.asarray(shares) * strength))


def rarely(rng: Rng, values: list[str], value: str) -> list[str]:
    """With that value in one of the rows, about once a month."""
    if rng.random() < 0.035:
        values[int(rng.integers(len(values)))] = value
    return values


def zipf(size: int, steep: float = 0.8) -> np.ndarray:
    weights = 1 / np.arange(2, size + 2) ** steep
    return np.asarray(weights / weights.sum())


def office(rng: Rng, size: int) -> np.ndarray:
    """Seconds into the day, in two bumps about lunch."""
    hours = np.where(rng.random(size) < 0.45, rng.normal(10.3, 1.3, size),
                     rng.normal(15.2, 1.9, size))  # fmt: skip
    return np.asarray(np.clip(hours, 0, 23.99) * 3600 + rng.uniform(0, 30, size))


REPOSITORIES = (
    "api", "web", "mobile", "billing", "infra", "docs", "search", "auth", "etl", "design-system",
    "notifier", "admin", "sdk-python", "sdk-js",
)  # fmt: skip
ERRORS = (
    "Process completed with exit code 1.",
    "AssertionError in tests/test_{}.py::test_{}",
    "Timeout of {}000ms exceeded, step {}",
    "npm ERR! code ELIFECYCLE, errno {}, job {}",
    "No space left on device: /runner/_work/{}/{}",
)


def builds(days: int) -> list[pa.Table]:
    """Runs of a CI service, exported by day as its JSON has them: office hours, flaky tests."""
    rng, out, number, lasting = np.random.default_rng(701), [], 4_120_500, rng_lasting()
    flaky = 0.12
    for day in range(days):
        flaky = 0.12 + 0.7 * (flaky - 0.12) + rng.normal(0, 0.005)
        n = around(rng, (1050 if weekend(day) else 1300) * (1 + 0.001 * day), 0.04)
        repo = rng.choice(len(REPOSITORIES), n, p=tilt(rng, zipf(14)))
        flow = rng.choice(["test", "build", "lint", "deploy"], n, p=[0.46, 0.27, 0.19, 0.08])
        state = rng.choice(["success", "failure", "cancelled"], n,
                           p=[0.95 - flaky, flaky, 0.05])  # fmt: skip
        took = rng.lognormal(0, 0.3, n) * lasting[repo] * np.where(flow == "lint", 0.25, 1.0)
        took = np.where(state == "cancelled", took * rng.random(n), took)
        took = 0.5 + took
        queued = 1 + rng.gamma(1.2, 12 if weekend(day) else 14, n)
        end = np.sort(office(rng, n))
        out.append(pa.table({
            "run_id": number + np.cumsum(1 + rng.poisson(2, n)),
            "repository": [REPOSITORIES[r] for r in repo],
            "workflow": flow.tolist(),
            "branch": [branch(rng) for _ in range(n)],
            "trigger": rng.choice(["push", "pull_request", "schedule", "manual"], n,
                                  p=[0.31, 0.58, 0.07, 0.04]).tolist(),
            "actor": [f"dev-{(7 * r + a) % 48:02d}" for r, a in zip(
                repo, rng.geometric(0.16, n), strict=True)],
            "commit": [rng.bytes(20).hex() for _ in range(n)],
            "runner": rng.choice(["linux-4", "linux-8", "macos", "windows"], n,
                                 p=[0.61, 0.22, 0.11, 0.06]).tolist(),
            "attempt": np.minimum(rng.geometric(0.9, n), 3),
            "run_date": times([DAY * day] * n),
            "started_at": iso(DAY * day + end - took),
            "finished_at": iso(DAY * day + end),
            "queued_seconds": np.round(queued, 1),
            "duration_seconds": np.round(took, 2),
            "status": state.tolist(),
            "coverage": pa.array([
                round(float(c), 2) if s == "success" and f == "test" else None for c, s, f in zip(
                    rng.normal(71 + repo + 0.02 * day, 1.1), state, flow, strict=True)]),
            "error": texts(failure(rng) if s == "failure" else None for s in state),
        }))  # fmt: skip
        number += 4 * n
    return out


def rng_lasting() -> np.ndarray:
    """Usual seconds of a run, by repository."""
    return np.asarray(np.random.default_rng(7010).lognormal(5.6, 0.5, len(REPOSITORIES)))


def branch(rng: Rng) -> str:
    if rng.random() < 0.33:
        return "main"
    kind = ("feature", "fix", "chore", "renovate")[int(rng.choice(4, p=[0.5, 0.3, 0.1, 0.1]))]
    about = "-".join(rng.choice(REPOSITORIES, int(rng.integers(1, 6))))
    return f"{kind}/{about}-{int(rng.integers(10, 2400))}"


def failure(rng: Rng) -> str:
    kind = int(rng.choice(len(ERRORS), p=[0.36, 0.27, 0.15, 0.12, 0.1]))
    return ERRORS[kind].format(int(rng.integers(1, 60)), int(rng.integers(1, 400)))


PRAISE = (
    "The {} works as described.", "Very happy with the {}!", "Great {} for the price.",
    "Would buy this {} again.", "My daughter loves her {}.", "Came quickly, {} well packed.",
)  # fmt: skip
BLAME = (
    "The {} broke after two weeks.", "{} smaller than pictured.", "Not worth the money, {}.",
    "The {} has another colour.", "No manual for the {}.", "Sent the {} back.",
)  # fmt: skip
SO_SO = ("The {} is okay.", "Does its job as a {}.", "A bit loud for a {}.", "Average {}.")
THINGS = ("mug", "lamp", "kettle", "backpack", "desk", "blanket", "scooter", "tent", "headphones",
          "raincoat", "teapot", "coffee grinder", "clock", "bicycle bell", "puzzle")  # fmt: skip
LOCALES = ("de_DE", "en_GB", "fr_FR", "nl_NL", "it_IT", "pl_PL")


def reviews(days: int) -> list[pa.Table]:
    """Product reviews as they come in: more on weekends, ratings by product, answers."""
    rng, out = np.random.default_rng(702), []
    quality = rng.normal(0, 0.5, 320)
    for day in range(days):
        n = around(rng, 1150 * (1.15 if weekend(day) else 1.0), 0.04)
        product = rng.choice(320, n, p=np.roll(zipf(320, 0.6), day // 9))
        stars = np.clip(np.round(4.4 + quality[product] - rng.gamma(0.9, 0.85, n)), 1, 5)
        at = np.sort(np.clip(rng.normal(16.5, 4.6, n), 0, 23.99) * 3600 + rng.random(n) * 20)
        since = np.minimum(np.round(rng.gamma(2.2, 8, n)).astype(np.int64) + 1, 45)
        body = [words(rng, int(s)) for s in stars]
        out.append(pa.table({
            "review_id": [f"R{int(x):012X}" for x in rng.integers(2**40, 2**47, n)],
            "product_id": 30_000 + 7 * product,
            "submitted_at": times(DAY * day + at),
            "stars": stars.astype(np.int64),
            "title": texts(None if b is None or rng.random() < 0.3 else b.split(".")[0][:40]
                           for b in body),
            "body": texts(body),
            "locale": rng.choice(LOCALES, n, p=tilt(rng, [.38, .21, .17, .1, .08, .06])).tolist(),
            "source": rng.choice(["mail", "app", "web"], n, p=tilt(rng, [.63, .22, .15])).tolist(),
            "verified": rng.random(n) < 0.87,
            "photos": np.minimum(rng.poisson(0.4, n), 3),
            "helpful": np.minimum(rng.negative_binomial(0.7, 0.25, n), 12),
            "nickname": texts(nickname(rng) for _ in range(n)),
            "purchased_on": times(DAY * (day - since)),
            "days_since_purchase": since,
            "moderation": rarely(rng, rng.choice(
                ["published", "pending", "rejected"], n, p=[0.9, 0.075, 0.025]).tolist(),
                "legal_hold"),
            "reply": pa.array([answer(rng, int(s)) for s in stars],
                              pa.struct([("by", pa.string()), ("text", pa.string())])),
        }))  # fmt: skip
    return out


def words(rng: Rng, stars: int) -> str | None:
    if rng.random() < 0.22:
        return None
    stock = PRAISE if stars > 3 else SO_SO if stars == 3 else BLAME
    said = rng.choice(stock, int(rng.integers(1, 4)), replace=False)
    thing = THINGS[int(rng.integers(len(THINGS)))]
    return " ".join(str(s) for s in said).format(*[thing] * 3)


NAMES = (
    "Anke", "tom", "Jules", "M.", "kaatje", "Piotr", "Sara", "lou", "grandma of 4", "Bookworm",
    "the_real_ed", "Giulia", "J. van Dijk", "anonymous reader", "Max", "Wiesenblume",
)  # fmt: skip


def nickname(rng: Rng) -> str | None:
    if rng.random() < 0.12:
        return None
    name = NAMES[int(rng.integers(len(NAMES)))]
    return name if rng.random() < 0.4 else f"{name}{int(rng.integers(1, 2999))}"


def answer(rng: Rng, stars: int) -> dict[str, str] | None:
    if rng.random() > (0.45 if stars < 3 else 0.06):
        return None
    who = ("Nina", "Service team", "Oskar")[int(rng.choice(3, p=[0.5, 0.3, 0.2]))]
    thing = THINGS[int(rng.integers(len(THINGS)))]
    text = f"We are sorry about the {thing}!" if stars < 3 else f"Thank you, enjoy the {thing}!"
    return {"by": who, "text": text}


@dataclass
class Claim:
    number: int
    branch: str
    opened: float
    happened: float
    text: str
    channel: str
    reserve: float
    region: str
    state: str = "reported"
    handler: str | None = None
    paid: float = 0.0
    papers: int = 0
    closed: float | None = None
    changed: float = 0.0
    risk: int | None = None


LOSSES = {
    "motor": ("Rear-end collision", "Parking damage", "Stone chip, windscreen", "Marten bite"),
    "home": ("Burst pipe", "Burglary", "Hail on the roof", "Kitchen fire"),
    "travel": ("Cancelled because of illness", "Lost luggage", "Treatment abroad"),
    "liability": ("Broken television of a friend", "Dog bite", "Bicycle scratched a car"),
}
LIMIT = 8000.0
SEVERITY = {"motor": 7.3, "home": 7.0, "travel": 5.9, "liability": 6.1}
STEPS = {
    "reported": (("assigned", 0.7),),
    "assigned": (("documents", 0.2), ("assessed", 0.16), ("rejected", 0.02)),
    "documents": (("assessed", 0.2), ("rejected", 0.03)),
    "assessed": (("paid", 0.3), ("rejected", 0.04)),
    "paid": (("closed", 0.45),),
    "rejected": (("closed", 0.3),),
}


def report(rng: Rng, number: int, at: float) -> Claim:
    kind = str(rng.choice(list(LOSSES), p=[0.36, 0.31, 0.2, 0.13]))
    said = LOSSES[kind][int(rng.integers(len(LOSSES[kind])))]
    return Claim(
        number, kind, at, at // DAY - rng.geometric(0.22) + 1,
        said + ("" if rng.random() < 0.5 else f", about {int(rng.integers(2, 60)) * 50} EUR"),
        str(rng.choice(["portal", "broker", "phone", "mail"], p=[0.4, 0.26, 0.24, 0.1])),
        float(min(np.round(rng.lognormal(SEVERITY[kind], 0.7), -1), LIMIT)),
        str(rng.choice(["North", "East", "South", "West", "Overseas"],
                       p=[0.3, 0.16, 0.3, 0.2399, 0.0001])), changed=at,
    )  # fmt: skip


def proceed(rng: Rng, claim: Claim, at: float) -> Claim | None:
    """The claim one step further, or with a paper more, or None where nothing happened to it."""
    draw = rng.random()
    for state, chance in STEPS.get(claim.state, ()):
        if draw < chance:
            return entered(rng, replace(claim, state=state, changed=at), at)
        draw -= chance
    if draw < 0.08 and claim.state != "closed":
        return replace(claim, papers=claim.papers + 1, changed=at)
    return None


def entered(rng: Rng, claim: Claim, at: float) -> Claim:
    if claim.state == "assigned":
        handler = f"h{int(rng.choice(22, p=zipf(22, 0.4))):02d}"
        return replace(claim, handler=handler, risk=1 + int(rng.beta(1.4, 6) * 99))
    if claim.state == "assessed":
        return replace(
            claim, reserve=round(min(claim.reserve * float(rng.lognormal(0, 0.2)), LIMIT), 2)
        )
    if claim.state == "paid":
        return replace(claim, paid=round(max(claim.reserve - 150.0, 25.0), 2))
    return replace(claim, closed=at) if claim.state == "closed" else claim


def claims(days: int) -> list[pa.Table]:
    """Insurance claims that changed since the day before: steps of office days, storms, papers."""
    rng, out, number, running = np.random.default_rng(703), [], 250_000, list[Claim]()
    for day in range(-60, days):
        pace = 0.65 if weekend(day) else 1.0
        fresh = around(rng, 270 * (0.8 if weekend(day) else 1.0), 0.04)
        moved = []
        for at, claim in enumerate(running):
            when = day * DAY + float(office(rng, 1)[0])
            new = proceed(rng, claim, when) if rng.random() < pace else None
            if new is not None:
                running[at] = new
                moved.append(new)
        for at in office(rng, fresh):
            number += 1
            moved.append(report(rng, number, day * DAY + float(at)))
            running.append(moved[-1])
        running = [c for c in running if c.state != "closed"]
        if day >= 0:
            out.append(claim_table(sorted(moved, key=lambda c: c.changed)))
    return out


def claim_table(rows: list[Claim]) -> pa.Table:
    return pa.table({
        "claim": [f"CL-{c.number}" for c in rows],
        "updated_at": times(c.changed for c in rows),
        "line": [c.branch for c in rows],
        "state": [c.state for c in rows],
        "opened_on": times(c.opened // DAY * DAY for c in rows),
        "incident_on": times(c.happened * DAY for c in rows),
        "description": [c.text for c in rows],
        "channel": [c.channel for c in rows],
        "region": [c.region for c in rows],
        "handler": texts(c.handler for c in rows),
        "reserve": [c.reserve for c in rows],
        "paid": [c.paid for c in rows],
        "documents": [c.papers for c in rows],
        "risk": pa.array([c.risk for c in rows], pa.int64()),
        "closed_on": times(c.closed and c.closed // DAY * DAY for c in rows),
    })  # fmt: skip


@dataclass
class Plan:
    number: int
    account: str
    country: str
    plan: str
    seats: int
    yearly: bool
    started: float
    owner: str
    method: str
    coupon: str | None
    seen: float
    state: str = "trialing"
    ended: float | None = None


PRICES = {"starter": 9.0, "team": 19.0, "business": 34.0, "enterprise": 52.0}
STEMS = ("Nord", "Alpha", "Blue", "Kern", "Vita", "Terra", "Lumen", "Orbit", "Pixel", "Quanta")
ENDS = ("works", "labs", " GmbH", " Ltd", "soft", " & Co", " Group", "ly", " Studio", " BV")


def signed(rng: Rng, number: int, at: float) -> Plan:
    plan = str(rng.choice(list(PRICES), p=[0.4, 0.31, 0.21, 0.08]))
    size = {"starter": 1.0, "team": 2.0, "business": 3.0, "enterprise": 4.2}[plan]
    return Plan(
        number, f"{STEMS[int(rng.integers(10))]}{ENDS[int(rng.integers(10))]}",
        str(rng.choice(["DE", "US", "GB", "FR", "NL", "AT", "CH"], p=zipf(7))), plan,
        1 + min(int(rng.lognormal(size, 0.6)), 149), bool(rng.random() < 0.38), at,
        f"{'abcdefgh'[int(rng.integers(8))]}.sales", str(rng.choice(
            ["card", "sepa", "invoice", "paypal"], p=[0.47, 0.21, 0.2, 0.12])),
        None if rng.random() < 0.8 else str(rng.choice(["WELCOME10", "PARTNER20", "NGO50"])), at,
    )  # fmt: skip


def aged(rng: Rng, plan: Plan, day: int) -> None:
    """One day of a subscription: logins, seats, the end of a trial, a missed payment, the end."""
    if plan.state == "canceled":
        return
    if rng.random() < (0.2 if weekend(day) else 0.62):
        plan.seen = day * DAY + float(office(rng, 1)[0])
    if rng.random() < 0.012:
        plan.seats = min(max(1, plan.seats + int(rng.integers(-2, 5))), 150)
    draw = rng.random()
    if plan.state == "trialing" and day * DAY - plan.started > 14 * DAY:
        plan.state = "active" if draw < 0.6 else "canceled"
    elif plan.state == "active":
        plan.state = "past_due" if draw < 0.004 else "canceled" if draw < 0.01 else "active"
    elif plan.state == "past_due":
        plan.state = "active" if draw < 0.2 else "canceled" if draw < 0.23 else "past_due"
    plan.ended = float(day * DAY) if plan.state == "canceled" else None


def subscriptions(days: int) -> list[pa.Table]:
    """Every subscription of a software house as it stands, newest first: trials, seats, lapses."""
    rng, out, number = np.random.default_rng(704), [], 1000
    held: list[Plan] = []
    for day in range(-300, days):
        for at in office(rng, int(rng.poisson(17 if weekend(day) else 23))):
            number += int(rng.integers(1, 4))
            held.append(signed(rng, number, day * DAY + float(at)))
        for plan in held:
            aged(rng, plan, day)
        held = [p for p in held if p.ended is None or day * DAY - p.ended < 30 * DAY]
        if day >= 0:
            out.append(plan_table(held[::-1], day))
    return out


def plan_table(held: list[Plan], day: int) -> pa.Table:
    terms = [365 if p.yearly else 30 for p in held]
    ages = [day - int(p.started // DAY) for p in held]
    monthly = [
        0.0 if p.state in ("trialing", "canceled") else
        round(p.seats * PRICES[p.plan] * (0.83 if p.yearly else 1.0), 2) for p in held
    ]  # fmt: skip
    off = {"WELCOME10": 10, "PARTNER20": 20, "NGO50": 50}
    return pa.table({
        "id": [f"sub_{p.number:07d}" for p in held],
        "account": [p.account for p in held],
        "country": [p.country for p in held],
        "plan": [p.plan for p in held],
        "status": [p.state for p in held],
        "seats": [p.seats for p in held],
        "mrr": monthly,
        "interval": ["year" if p.yearly else "month" for p in held],
        "started_at": times(p.started // DAY * DAY for p in held),
        "renews_at": times((day + t - a % t) * DAY for t, a in zip(terms, ages, strict=True)),
        "canceled_at": times(p.ended for p in held),
        "last_login_at": times(p.seen for p in held),
        "payment_method": [p.method for p in held],
        "discount": pa.array(
            [None if p.coupon is None else {"code": p.coupon, "percent": off[p.coupon]}
             for p in held],
            pa.struct([("code", pa.string()), ("percent", pa.int64())])),
        "owner": [p.owner for p in held],
    })  # fmt: skip


@dataclass
class Fleet:
    """The devices of a firm, a row each, as arrays."""

    size: int
    rng: Rng
    model: np.ndarray = field(init=False)
    site: np.ndarray = field(init=False)
    enrolled: np.ndarray = field(init=False)
    seen: np.ndarray = field(init=False)
    version: np.ndarray = field(init=False)
    free: np.ndarray = field(init=False)
    health: np.ndarray = field(init=False)
    sealed: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        rng, n = self.rng, self.size
        self.model = rng.choice(len(MODELS), n, p=[0.27, 0.22, 0.18, 0.15, 0.1, 0.08])
        self.site = rng.choice(len(SITES), n, p=zipf(len(SITES)))
        self.enrolled = -rng.exponential(420, n) * DAY
        self.seen = -rng.exponential(2.0, n) * DAY
        self.version = rng.choice(3, n, p=[0.1, 0.25, 0.65])
        self.free = rng.gamma(4.0, 45.0, n)
        self.health = rng.beta(9, 1.4, n) * 100
        self.sealed = rng.random(n) < 0.97

    def live(self, day: int) -> None:
        """A day: who is online, patches that spread, discs that fill and are cleared."""
        rng, n = self.rng, self.size
        online = rng.random(n) < (0.4 if weekend(day) else rng.normal(0.84, 0.015))
        self.seen = np.where(online, day * DAY + office(rng, n),
                             self.seen)  # fmt: skip
        patched = online & (rng.random(n) < 0.05) & (self.version < 2 + day // 14)
        self.version = self.version + patched
        cleared = (rng.random(n) < 0.006) * rng.exponential(60, n)
        self.free = np.clip(self.free - rng.exponential(0.35, n) * online + cleared, 1.0, 480.0)
        self.health = np.maximum(self.health - rng.exponential(0.012, n), 20.0)
        self.sealed = np.where(online, rng.random(n) < 0.97, self.sealed)
        fresh = rng.random(n) < 0.003
        self.enrolled = np.where(fresh, day * DAY + office(rng, n), self.enrolled)
        self.health = np.where(fresh, 100.0, self.health)


MODELS = ("MacBook Air", "ThinkPad T14", "MacBook Pro", "Latitude 5440", "iPhone 14", "Pixel 8")
SYSTEMS = ("macos", "windows", "macos", "windows", "ios", "android")
MAJORS = (14, 11, 14, 11, 17, 14)
SITES = ("Berlin", "Hamburg", "Lisbon", "remote", "Vienna", "Tallinn")
TEAMS = ("engineering", "sales", "support", "finance", "people", "marketing")


def devices(days: int) -> list[pa.Table]:
    """A firm's managed devices, all of them, last seen first: check-ins, patches, discs."""
    rng, out = np.random.default_rng(705), []
    fleet = Fleet(1400, rng)
    letters = list("CDFGHJKLMNPQRTVWXY0123456789")
    serials = ["".join(rng.choice(letters, 10)) for _ in range(1400)]
    people = rng.permutation(1400) // 1.3
    for day in range(-20, days):
        fleet.live(day)
        if day >= 0:
            table = fleet_table(fleet, serials, people.astype(int), day)
            out.append(table.take(pa.array(np.argsort(-fleet.seen, kind="stable"))))
    return out


def fleet_table(fleet: Fleet, serials: list[str], people: np.ndarray, day: int) -> pa.Table:
    rng, n = fleet.rng, fleet.size
    away = (day + 1) * DAY - fleet.seen
    alert = np.where(fleet.free < 25, "disk almost full",
                     np.where(away > 5 * DAY, "no contact", ""))  # fmt: skip
    known = rng.random(n) < 0.94
    return pa.table({
        "serial": serials,
        "hostname": [f"{SITES[s][:3].upper()}-{TEAMS[p % 6][:3]}-{p:04d}" for s, p in zip(
            fleet.site, people, strict=True)],
        "model": [MODELS[m] for m in fleet.model],
        "system": [SYSTEMS[m] for m in fleet.model],
        "version": [f"{MAJORS[m]}.{v // 2}.{v % 2}" for m, v in zip(
            fleet.model, fleet.version, strict=True)],
        "user": texts(None if p % 19 == 0 else f"user{p:04d}@firm.example" for p in people),
        "team": [TEAMS[p % 6] for p in people],
        "site": [SITES[s] for s in fleet.site],
        "enrolled_at": times(fleet.enrolled),
        "last_seen_at": times(fleet.seen),
        "ip": texts(f"10.{s}.{a}.{b}" if k else None for s, a, b, k in zip(
            fleet.site, rng.integers(0, 32, n), rng.integers(1, 255, n), known, strict=True)),
        "disk_free_gb": np.round(fleet.free, 1),
        "battery_health": np.round(fleet.health + rng.normal(0, 0.4, n), 1),
        "encrypted": fleet.sealed,
        "compliant": (away < 4 * DAY) & (fleet.free > 10) & (fleet.version >= day // 14),
        "alert": texts(a or None for a in alert),
    })  # fmt: skip


CHANNELS = ("instagram", "linkedin", "facebook", "tiktok")
REACH = np.array([56_000.0, 29_000.0, 45_000.0, 92_000.0])
TOPICS = ("behind the scenes", "new arrival", "how-to", "customer story", "we are hiring", "recap")
TAGS = ("#newin", "#tips", "#team", "#sale", "#sustainable", "#community", "#design", "#ootd",
        "#throwback", "#oneofakind", "#spring", "#handmade")  # fmt: skip
WINDOW = 8


@dataclass
class Batch:
    """The posts of one day."""

    day: int
    ids: list[str]
    at: np.ndarray
    channel: np.ndarray
    media: np.ndarray
    topic: np.ndarray
    reach: np.ndarray
    liked: np.ndarray
    tags: list[list[str]]
    campaign: list[str | None]


def published(rng: Rng, day: int) -> Batch:
    n = around(rng, 160 if weekend(day) else 185, 0.03)
    channel = rng.choice(4, n, p=[0.37, 0.22, 0.24, 0.17])
    media = np.where(channel == 3, 2, rng.choice(3, n, p=[0.55, 0.2, 0.25]))
    burst = np.clip(rng.lognormal(0, 0.6, n), 0.3, 3.2) * np.where(media > 1, 1.5, 1.0)
    return Batch(
        day, [f"{int(x):016d}" for x in 10**15 + day * 10**11 + rng.integers(0, 10**10, n)],
        np.sort(np.clip(rng.normal(13.5, 3.4, n), 5, 23.5) * 3600), channel, media,
        rng.integers(0, len(TOPICS), n), REACH[channel] * burst, rng.beta(6, 110, n),
        [[str(t) for t in rng.choice(
            TAGS, int(rng.choice(5, p=[0.15, 0.18, 0.3, 0.22, 0.15])), replace=False)]
         for _ in range(n)],
        [None if rng.random() < 0.7 else f"q{1 + day // 60}-{'abc'[int(rng.integers(3))]}"
         for _ in range(n)],
    )  # fmt: skip


def posts(days: int) -> list[pa.Table]:
    """Social media posts of the last eight days with their figures, which grow and level off."""
    rng, out, batches = np.random.default_rng(706), [], list[Batch]()
    for day in range(-WINDOW, days):
        batches = [b for b in batches if day - b.day < WINDOW] + [published(rng, day)]
        if day >= 0:
            out.append(pa.concat_tables([post_table(rng, b, day) for b in reversed(batches)]))
    return out


def post_table(rng: Rng, batch: Batch, day: int) -> pa.Table:
    n, age = len(batch.ids), day + 1 - batch.day - batch.at / DAY
    seen = np.round(batch.reach * (1 - np.exp(-age / 2.6)) * (1 + 0.001 * batch.day))
    liked = np.round(seen * batch.liked)
    clicks = np.round(liked * np.where(batch.channel == 1, 0.4, 0.15))
    return pa.table({
        "post_id": batch.ids,
        "as_of": times([DAY * day] * n),
        "channel": [CHANNELS[c] for c in batch.channel],
        "published_at": times(batch.day * DAY + batch.at),
        "media": [("image", "carousel", "video")[m] for m in batch.media],
        "caption": [f"{TOPICS[t].capitalize()}: {THINGS[len(g) * 5 % 15]} {' '.join(g)}"
                    for t, g in zip(batch.topic, batch.tags, strict=True)],
        "hashtags": pa.array(batch.tags, pa.list_(pa.string())),
        "campaign": texts(batch.campaign),
        "impressions": seen.astype(np.int64),
        "likes": liked.astype(np.int64),
        "comments": np.round(liked * 0.07).astype(np.int64),
        "shares": np.round(liked * 0.04 * (1 + batch.media)).astype(np.int64),
        "link_clicks": clicks.astype(np.int64),
        "watch_seconds": pa.array(
            [round(float(s * r), 1) if m > 1 else None for s, r, m in zip(
                seen, batch.liked * 60, batch.media, strict=True)], pa.float64()),
        "engagement": np.round((liked * 1.11 + clicks) / np.maximum(seen, 1), 4),
    })  # fmt: skip


def streams(days: int) -> dict[str, Named]:
    """Key, cursor and snapshots of each stream."""
    return {
        "builds": ("run_id", None, builds(days)),
        "reviews": ("review_id", "submitted_at", reviews(days)),
        "claims": ("claim", "updated_at", claims(days)),
        "subscriptions": ("id", None, subscriptions(days)),
        "devices": ("serial", None, devices(days)),
        "posts": ("post_id", None, posts(days)),
    }
