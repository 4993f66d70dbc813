"""What is heard of a few wrong rows: `python bench/anomaly_few.py`.

Of each of the three generated syncs of the demo's kind, eight days are judged by the 24 before
each: as they are, and with 1, 3 or 10 rows made wrong in one way. Counted is how many of these
snapshots a budget of 2 % holds, how many of the wrong rows are named as odd ones by the rule of
the product (2 % of the snapshots), and how many are among the oddest 2 % of rows.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
from anomaly_demo_streams import DAY, START, STREAMS

from wfops_pipelines.anomaly import Profile, fit_rows, profile, score_rows, score_snapshot

HISTORY, DAYS, BUDGET = 24, 8, 0.02
ROWS = (1, 3, 10)
TIMES = {
    "crm_contacts": ("created_at", "updated_at"),
    "invoices": ("created", "updated"),
    "tickets": ("created_at", "updated_at"),
}
NEVER_NULL = {"crm_contacts": "lifecycle_stage", "invoices": "status", "tickets": "status"}


def faults(name: str) -> dict[str, tuple[str, Callable[[dict[str, Any]], Any]]]:
    """Of each way to be wrong: the column, and what it has then in a row."""
    created, updated = TIMES[name]
    found: dict[str, tuple[str, Callable[[dict[str, Any]], Any]]] = {
        "updated before it was created": (created, lambda r: r[updated] + timedelta(hours=30)),
        "created in 2062": (created, lambda r: r[created].replace(year=2062, day=1)),
        "null where none was": (NEVER_NULL[name], lambda r: None),
    }
    if name == "crm_contacts":
        found["an address without @"] = ("email", lambda r: (r["email"] or "a@b").replace("@", ""))
    return found


def damaged(
    table: pa.Table, at: list[int], column: str, wrong: Callable[[dict[str, Any]], Any]
) -> pa.Table:
    rows = table.to_pylist()
    for i in at:
        rows[i] = {**rows[i], column: wrong(rows[i])}
    return pa.Table.from_pylist(rows, schema=table.schema)


def asked(day: int) -> tuple[datetime, datetime]:
    start = datetime.fromtimestamp(START + day * DAY, UTC)
    return start, start + timedelta(days=1)


def main() -> None:
    print(f"{'':48}snapshots held   rows named   of the oddest 2 %")
    for name, (make, key, cursor) in STREAMS.items():
        tables = [make(1, day) for day in range(HISTORY + DAYS)]
        model = fit_rows(tables[:HISTORY], key=key)

        def profiled(table: pa.Table, day: int, key: str = key, cursor: str = cursor) -> Profile:
            return profile(table, key=key, cursor=cursor, window=asked(day))

        clean = [profiled(table, day) for day, table in enumerate(tables)]
        days = range(HISTORY, HISTORY + DAYS)

        def held(new: Profile, day: int, clean: list[Profile] = clean) -> bool:
            return score_snapshot(clean[day - HISTORY : day], new, false_holds=BUDGET).held

        print(f"{name:14}{'nothing':34}{sum(held(clean[d], d) for d in days):>6} of {DAYS}")
        for what, (column, wrong) in faults(name).items():
            for rows in ROWS:
                holds = named = odd = 0
                for day in days:
                    dice = random.Random(f"{name} {what} {rows} {day}")
                    at = sorted(dice.sample(range(tables[day].num_rows), rows))
                    table = damaged(tables[day], at, column, wrong)
                    holds += held(profiled(table, day), day)
                    p = score_rows(model, table).p_value[at]
                    named += int((p <= BUDGET / table.num_rows).sum())
                    odd += int((p <= BUDGET).sum())
                of = rows * DAYS
                said = f"{holds:>6} of {DAYS}{named:>9} of {of:<4}{odd:>9} of {of}"
                print(f"{name:14}{what:31}{rows:3}{said}", flush=True)


if __name__ == "__main__":
    main()
