"""One page of a list endpoint, with the paging and data faults that were asked for."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from wfops_pipelines.sandbox.faults import Fault, spoil, struck
from wfops_pipelines.sandbox.history import Seen, View, cut
from wfops_pipelines.sandbox.vendors import (
    BadQuery,
    Json,
    Page,
    Query,
    Vendor,
    find,
    next_url,
    opaque,
    place_of,
)

_DATA_FAULTS = ("changed_enum", "unit_change", "schema_change")


@dataclass(frozen=True, slots=True)
class Answer:
    """A page as bytes. `length` is what the headers claim; `used` are the faults that struck."""

    body: bytes
    length: int
    used: tuple[Fault, ...]


@dataclass(frozen=True, slots=True)
class Ask:
    """A list request: whose, for what, by which URL, and what is wrong today."""

    vendor: Vendor
    params: Mapping[str, str]
    origin: str
    faults: Sequence[Fault]

    def of(self, kind: str) -> list[Fault]:
        return [fault for fault in self.faults if fault.kind == kind]


def answer(ask: Ask, view_of: Callable[[Sequence[Fault]], View[Any]]) -> Answer:
    """Return the page that is asked for. `view_of` makes the view with the late rows held back.

    Raises:
        BadQuery: the vendor would answer 400.
    """
    used: list[Fault] = ask.of("late_rows") + ask.of("volume_drop")
    query = ask.vendor.query(ask.params)
    view = view_of(ask.of("late_rows"))
    place = _place(ask, view, query, used)
    rows, more = cut(_rows(ask, view, query), place, query.limit)
    records = _records(ask, rows, used)
    after = ask.vendor.cursor(rows[-1]) if more else None
    body = ask.vendor.envelope(Page(records, after, _linker(ask, after, used)))
    return _cut_body(ask, _without_envelope(ask, body, used), used)


def _rows(ask: Ask, view: View[Any], query: Query) -> Sequence[Seen[Any]]:
    rows = view.between(query.start, query.end)
    low, high = query.created_from, query.created_to
    if low is not None or high is not None:
        rows = [
            row
            for row in rows
            if (low is None or row.state.created >= low)
            and (high is None or row.state.created < high)
        ]
    for fault in ask.of("volume_drop"):
        rows = [r for r in rows if not struck(r.id, fault.params["share"], fault.kind)]
    return rows


def _place(
    ask: Ask, view: View[Any], query: Query, used: list[Fault]
) -> tuple[int, int | str] | None:
    if query.after is None:
        return None
    if repeats := ask.of("repeated_page"):
        used += repeats
        return None
    if ask.vendor.cursor is opaque:
        return place_of(query.after)
    row = find(view.rows, query.after)
    if row is None:
        raise BadQuery(f"No such record: {query.after!r}")
    return row.place


def _records(ask: Ask, rows: Sequence[Seen[Any]], used: list[Fault]) -> list[Json]:
    records = [ask.vendor.record(row) for row in rows]
    for fault in (f for f in ask.faults if f.kind in _DATA_FAULTS and rows):
        used.append(fault)
        for row, record in zip(rows, records, strict=True):
            spoil(ask.vendor.fields(record), row.id, fault)
    for fault in ask.of("truncated_page"):
        if fault.params["variant"] == "rows" and records:
            used.append(fault)
            records = _thinned(records, fault.params["share"])
    return records


def _thinned(records: list[Json], share: float) -> list[Json]:
    # From the middle: a client that goes on from the last row must not notice.
    lost = min(len(records), math.ceil(len(records) * share))
    start = (len(records) - lost) // 2
    return records[:start] + records[start + lost :]


def _linker(ask: Ask, after: str | None, used: list[Fault]) -> Callable[[str], str]:
    origin = ask.origin
    for fault in ask.of("evil_next_link"):
        if after:
            used.append(fault)
            origin = fault.params["origin"]
    vendor = ask.vendor
    return lambda cursor: next_url(origin, vendor.path, ask.params, vendor.cursor_param, cursor)


def _without_envelope(ask: Ask, body: Json, used: list[Fault]) -> Json:
    for fault in ask.of("no_envelope"):
        used.append(fault)
        body = {k: v for k, v in body.items() if k != ask.vendor.data_key}
    return body


def _cut_body(ask: Ask, body: Json, used: list[Fault]) -> Answer:
    whole = orjson.dumps(body)
    for fault in ask.of("truncated_page"):
        if fault.params["variant"] != "rows":
            used.append(fault)
            part = whole[: max(1, len(whole) * 2 // 3)]
            claimed = len(whole) if fault.params["variant"] == "body" else len(part)
            return Answer(part, claimed, tuple(used))
    return Answer(whole, len(whole), tuple(used))
