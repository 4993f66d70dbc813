"""What was drafted for the held rows, as the review page shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from wfops_pipelines.core import links
from wfops_pipelines.core.drafts import DRAFTS, Drafted, DraftKind, DraftState
from wfops_pipelines.core.reviews import Review, ReviewState, Verb
from wfops_pipelines.store import drafts
from wfops_pipelines.sync import Sync

MOST_LEFT_OUT = 100
MOST_REPAIRS = 40  # rows in one link: addresses have an end


def drafts_view(
    conn: Connection,
    sync: Sync | None,
    review: Review,
    seen: Mapping[str, Any],
    held: Mapping[str, Any],
) -> list[dict[str, Any]]:
    """For each shown row with drafts: what they were made from, each draft, and what it is now."""
    if sync is None or not seen or not held["rows"]:
        return []
    by_key: dict[str, list[Drafted]] = {}
    for drafted in drafts.of_snapshot(conn, sync.name, seen["snapshot"].rank):
        by_key.setdefault(drafted.key, []).append(drafted)
    hidden = frozenset(sync.policy.masked)
    return [
        _drafts_of(review, by_key[row["key"]], dict(row["cells"]), hidden, sync.key)
        for row in held["rows"]
        if row["key"] in by_key
    ]


def _drafts_of(
    review: Review,
    found: Sequence[Drafted],
    now: Mapping[str, Any],
    masked: frozenset[str],
    key: str,
) -> dict[str, Any]:
    cells = [
        {
            "draft": d.draft,
            "state": d.state.value,
            "now": now.get(d.draft.column),
            "repair": d.draft.kind is DraftKind.REPAIR,
            "twice": d.draft.kind is DraftKind.DUPLICATE,
            "edited": d.draft.kind in DRAFTS
            and d.draft.column not in masked
            and now.get(d.draft.column) != d.draft.value,
            "masked": d.draft.column in masked,
        }
        for d in found
    ]
    values = {
        d.draft.column: _to_edit(d, now)
        for d in found
        if d.state is not DraftState.APPLIED and d.draft.kind is not DraftKind.DUPLICATE
    }
    sources = dict.fromkeys(s for d in found for s in d.draft.sources)
    whole = next((text for name, text in sources if name == "row"), "")
    return {
        "key": "a row (its key is masked)" if key in masked else found[0].key,
        "cells": cells,
        "sources": [(n, text) for n, text in sources if f"{n}: {text}" not in whole],
        "edit": links.edit_launchpad(review, {found[0].key: values})
        if values and review.state is ReviewState.PENDING and not masked & {key, *values}
        else None,
    }


def _to_edit(drafted: Drafted, now: Mapping[str, Any]) -> str | None:
    """A draft as it is in the row now; a repair as it is proposed."""
    open_ = drafted.draft.kind is DraftKind.REPAIR and drafted.state is DraftState.PROPOSED
    value = drafted.draft.value if open_ else now.get(drafted.draft.column)
    return None if value is None else str(value)


def repairs_link(conn: Connection, sync: Sync | None, review: Review, seq: int) -> str | None:
    """The Launchpad that makes all proposed repairs of the held rows; None without any."""
    if sync is None or review.state is not ReviewState.PENDING or sync.key in sync.policy.masked:
        return None
    edits: dict[str, dict[str, str | None]] = {}
    for drafted in drafts.of_snapshot(conn, sync.name, seq):
        here = not review.keys or drafted.key in review.keys
        draft = drafted.draft
        open_ = draft.kind is DraftKind.REPAIR and drafted.state is DraftState.PROPOSED
        if here and open_ and draft.value is not None and len(edits) < MOST_REPAIRS:
            edits.setdefault(drafted.key, {})[draft.column] = draft.value
    return links.edit_launchpad(review, edits) if edits else None


def leave_out_link(conn: Connection, sync: Sync | None, review: Review, seq: int) -> str | None:
    """The Launchpad that lets all held rows go but the probable duplicates; None without any."""
    if sync is None or review.state is not ReviewState.PENDING or sync.key in sync.policy.masked:
        return None
    keys = [
        d.key
        for d in drafts.of_snapshot(conn, sync.name, seq)
        if d.draft.kind is DraftKind.DUPLICATE and d.state is DraftState.PROPOSED
        if d.draft.value is not None and (not review.keys or d.key in review.keys)
    ]
    if not 0 < len(keys) <= MOST_LEFT_OUT:
        return None
    if set(keys) == set(review.keys):
        return links.decide_launchpad(review, Verb.REJECT)  # nothing is left to approve
    return links.leave_out_launchpad(review, keys)
