"""Ways in which a sync's data breaks, applied to a copy of a snapshot."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa

Rng = np.random.Generator
Fault = Callable[[Rng, pa.Table, list[pa.Table], float], pa.Table | None]

SHARES = (0.01, 0.05, 0.1, 0.2, 0.5)
NEAR = dict(zip("qwertyuiopasdfghjklzxcvbnm", "wertyuiopqsdfghjklaxcvbnmz", strict=True))


def columns(table: pa.Table, *kinds: str) -> list[str]:
    """Names of the columns of those kinds: number, time, text, few (text with few values)."""
    found = []
    for name in table.column_names:
        type_ = table.schema.field(name).type
        if table.column(name).null_count == table.num_rows:
            continue
        number = pa.types.is_integer(type_) or pa.types.is_floating(type_)
        text = pa.types.is_string(type_)
        few = text and len(set(table.column(name).to_pylist())) <= max(25, table.num_rows // 20)
        marks = {"number": number, "time": pa.types.is_timestamp(type_), "text": text, "few": few}
        if any(marks[kind] for kind in kinds):
            found.append(name)
    return found


def choose(rng: Rng, names: list[str]) -> str | None:
    return None if not names else names[int(rng.integers(len(names)))]


def rewrite(
    rng: Rng, table: pa.Table, name: str | None, share: float, change: Callable[[Any], Any]
) -> pa.Table | None:
    """The table with `change` applied to a share of one column's values that are not null."""
    if name is None:
        return None
    values = table.column(name).to_pylist()
    there = [i for i, v in enumerate(values) if v is not None]
    hit = rng.choice(there, max(round(share * len(there)), 1), replace=False)
    for i in hit:
        values[i] = change(values[i])
    return put(table, name, values)


def put(table: pa.Table, name: str, values: Any) -> pa.Table:
    at = table.column_names.index(name)
    return table.set_column(at, name, pa.array(values, table.schema.field(name).type))


def whole(table: pa.Table, name: str) -> bool:
    return bool(pa.types.is_integer(table.schema.field(name).type))


def explicit_missing(rng: Rng, t: pa.Table, past: list[pa.Table], share: float) -> pa.Table | None:
    return rewrite(rng, t, choose(rng, columns(t, "number", "text", "time")), share, lambda v: None)


def implicit_missing(rng: Rng, t: pa.Table, past: list[pa.Table], share: float) -> pa.Table | None:
    name = choose(rng, columns(t, "number", "text"))
    if name is None:
        return None
    text = pa.types.is_string(t.schema.field(name).type)
    stand_in = choose(rng, ["N/A", "", "unknown", "-"]) if text else int(rng.choice([0, -1, 9999]))
    return rewrite(rng, t, name, share, lambda v: stand_in)


def numeric_anomaly(rng: Rng, t: pa.Table, past: list[pa.Table], share: float) -> pa.Table | None:
    name = choose(rng, columns(t, "number"))
    if name is None:
        return None
    values = np.array([v for v in t.column(name).to_pylist() if v is not None], float)
    spread, far = float(values.std()) or 1.0, float(rng.uniform(2, 5))
    cast = round if whole(t, name) else float
    return rewrite(rng, t, name, share, lambda v: cast(v + rng.normal(0, far * spread)))


def swapped(rng: Rng, t: pa.Table, past: list[pa.Table], share: float) -> pa.Table | None:
    groups = [columns(t, "number"), columns(t, "text"), columns(t, "time")]
    groups = [g for g in groups if len(g) > 1]
    if not groups:
        return None
    group = groups[int(rng.integers(len(groups)))]
    a, b = rng.choice(group, 2, replace=False)
    va, vb = t.column(a).to_pylist(), t.column(b).to_pylist()
    if t.schema.field(a).type != t.schema.field(b).type:
        return None
    for i in rng.choice(len(va), max(int(share * len(va)), 1), replace=False):
        va[i], vb[i] = vb[i], va[i]
    return put(put(t, a, va), b, vb)


def typos(rng: Rng, t: pa.Table, past: list[pa.Table], share: float) -> pa.Table | None:
    def slip(text: str) -> str:
        letters = [i for i, c in enumerate(text) if c.lower() in NEAR]
        for i in (
            rng.choice(letters, min(len(letters), 1 + len(letters) // 10), replace=False)
            if letters
            else []
        ):
            text = text[:i] + NEAR[text[i].lower()] + text[i + 1 :]
        return text

    return rewrite(rng, t, choose(rng, columns(t, "text")), share, slip)


def volume_drop(rng: Rng, t: pa.Table, past: list[pa.Table], share: float) -> pa.Table | None:
    keep = int(t.num_rows * 0.5)
    return (
        t.take(pa.array(np.sort(rng.choice(t.num_rows, keep, replace=False))))
        if share >= 0.5
        else None
    )


def volume_spike(rng: Rng, t: pa.Table, past: list[pa.Table], share: float) -> pa.Table | None:
    if share < 0.5 or not past:
        return None
    return (
        pa.concat_tables([t, past[-1].slice(0, t.num_rows)])
        if rng.random() < 0.5
        else pa.concat_tables([t, t])
    )


def duplicate_page(rng: Rng, t: pa.Table, past: list[pa.Table], share: float) -> pa.Table | None:
    rows = max(int(t.num_rows * share), 1)
    at = int(rng.integers(t.num_rows - rows + 1))
    return pa.concat_tables([t, t.slice(at, rows)])


def truncated_page(rng: Rng, t: pa.Table, past: list[pa.Table], share: float) -> pa.Table | None:
    return t.slice(0, int(t.num_rows * (1 - share))) if share >= 0.2 else None


def times_hundred(rng: Rng, t: pa.Table, past: list[pa.Table], share: float) -> pa.Table | None:
    name = choose(rng, [n for n in columns(t, "number") if len(set(t.column(n).to_pylist())) > 5])
    if share < 0.5 or name is None:
        return None
    return rewrite(rng, t, name, 1.0, lambda v: v * 100)


def zone_shift(rng: Rng, t: pa.Table, past: list[pa.Table], share: float) -> pa.Table | None:
    name = choose(rng, columns(t, "time"))
    if share < 0.5 or name is None:
        return None
    import pyarrow.compute as pc

    micros = int(rng.choice([-8, -5, -2, 1, 2, 5, 9])) * 3600 * 1_000_000
    type_ = t.schema.field(name).type
    ticks = pc.add(t.column(name).cast(pa.int64()), micros)
    return t.set_column(t.column_names.index(name), name, ticks.cast(type_))


def enum_drift(rng: Rng, t: pa.Table, past: list[pa.Table], share: float) -> pa.Table | None:
    name = choose(rng, [n for n in columns(t, "few") if len(set(t.column(n).to_pylist())) > 1])
    if name is None:
        return None
    if share >= 0.2:
        values = [v for v in t.column(name).to_pylist() if v is not None]
        often = sorted(set(values), key=lambda v: (-values.count(v), v))
        gone, into = often[min(1, len(often) - 1)], often[0]
        return put(t, name, [into if v == gone else v for v in t.column(name).to_pylist()])
    return rewrite(rng, t, name, share, lambda v: v.upper() + "_V2")


def stale_part(rng: Rng, t: pa.Table, past: list[pa.Table], share: float) -> pa.Table | None:
    rows = max(int(t.num_rows * share), 1)
    return pa.concat_tables([past[-2].slice(0, rows), t.slice(rows)])


def stale_replay(rng: Rng, t: pa.Table, past: list[pa.Table], share: float) -> pa.Table | None:
    return past[-int(rng.integers(1, min(4, len(past) + 1)))] if share >= 0.5 else None


def mojibake(rng: Rng, t: pa.Table, past: list[pa.Table], share: float) -> pa.Table | None:
    return rewrite(
        rng,
        t,
        choose(rng, columns(t, "text")),
        share,
        lambda v: v.replace("e", "Ã©") if "e" in v else v + "â€™",
    )


def default_flood(rng: Rng, t: pa.Table, past: list[pa.Table], share: float) -> pa.Table | None:
    name = choose(rng, columns(t, "number", "text", "time"))
    if name is None:
        return None
    values = [v for v in t.column(name).to_pylist() if v is not None]
    default = values[int(rng.integers(len(values)))]
    return rewrite(rng, t, name, share, lambda v: default)


def schema_drift(rng: Rng, t: pa.Table, past: list[pa.Table], share: float) -> pa.Table | None:
    return t.drop_columns([choose(rng, t.column_names)]) if share >= 0.5 else None


FAULTS: dict[str, Fault] = {
    f.__name__: f
    for f in (
        explicit_missing, implicit_missing, numeric_anomaly, swapped, typos, volume_drop,
        volume_spike, duplicate_page, truncated_page, times_hundred, zone_shift, enum_drift,
        stale_part, stale_replay, mojibake, default_flood, schema_drift,
    )
}  # fmt: skip
CONTRACTS = ("schema_drift", "stale_replay")
