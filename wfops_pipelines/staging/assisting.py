"""What a sync's assistants propose for new rows, before they are staged.

An assistant that fails leaves its cells empty and says so in its drafts: the rows are staged and
wait for a person, as all drafted rows do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection

from wfops_pipelines.assist.declared import (
    Classify,
    Context,
    Drafting,
    Duplicates,
    Row,
    RowsOf,
    Tidy,
)
from wfops_pipelines.core.drafts import (
    DRAFTS,
    Draft,
    Drafted,
    DraftKind,
    DraftState,
    prompt_digest,
)
from wfops_pipelines.core.findings import Json
from wfops_pipelines.core.reviews import Decision, Review, ReviewKind, Verb
from wfops_pipelines.core.snapshot import DELETED
from wfops_pipelines.core.texts import shortened, visible
from wfops_pipelines.errors import SettingsError
from wfops_pipelines.examining.history import published_tables
from wfops_pipelines.services import Services
from wfops_pipelines.store import drafts
from wfops_pipelines.store.lookups import matching
from wfops_pipelines.sync import Sync

SNAPSHOTS = 60  # whose published rows teach the labels
AT_ONCE = 4  # questions to a provider
LONG = 10_000  # characters of one value that a reviewer is shown as a source
PATIENCE = 3  # failures of a provider in a row, after which a snapshot no longer asks it


_KIND: dict[type, DraftKind] = {
    Classify: DraftKind.LABEL, Drafting: DraftKind.REPLY, Tidy: DraftKind.REPAIR,
    Duplicates: DraftKind.DUPLICATE,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Assisted:
    """The rows with what was proposed in their cells, and the drafts themselves."""

    rows: Sequence[Mapping[str, Any]]
    drafts: tuple[Drafted, ...] = ()


@dataclass(slots=True)
class _Patience:
    """How often a provider has failed without an answer between."""

    failed: int = 0
    last: str = ""


def assist(sync: Sync, rows: Sequence[Mapping[str, Any]], services: Services) -> Assisted:
    """Let each assistant of the sync propose, in their order; a later one sees earlier proposals.

    Rows without a key get none: no draft could name them, and the missing key holds everything.
    Nothing is proposed for a row that the source has deleted.
    """
    if not sync.assist or not rows:
        return Assisted(rows)
    all_ = [dict(r) for r in rows]  # in their order, which their versions have as well
    named = [r for r in all_ if r.get(sync.key) is not None and not r.get(DELETED)]
    loose = [r for r in all_ if r.get(sync.key) is None or r.get(DELETED)]
    made: list[Drafted] = []
    for asked in sync.assist:
        if isinstance(asked, Tidy):
            made += _tidy(asked, sync, named)
            continue
        if isinstance(asked, Duplicates):
            made += _duplicates(asked, sync, named, services)
            continue
        proposed = _propose(asked, sync, named, services)
        for row, draft in zip(named, proposed, strict=True):
            row[asked.column] = draft.value
            made.append(Drafted(str(row[sync.key]), draft))
        for row in loose:
            row[asked.column] = None
    return Assisted(all_, tuple(made))


def _duplicates(
    asked: Duplicates, sync: Sync, rows: Sequence[dict[str, Any]], services: Services
) -> list[Drafted]:
    """Rows that are probably others; a pair that a person let go is not proposed again."""
    from wfops_pipelines.assist.alike import propose

    try:
        with services.engine.connect() as conn:
            there = _newest(conn, sync, services)
            no = drafts.refused(conn, sync.name, asked.column)
        proposed = propose(asked, sync.key, rows, there)
    except Exception as error:
        failed = _failed(asked, error)
        return [Drafted(str(row[sync.key]), failed) for row in rows]
    pairs = zip(rows, proposed, strict=True)
    made = [Drafted(str(row[sync.key]), draft) for row, draft in pairs if draft is not None]
    return [d for d in made if (d.key, d.draft.prompt) not in no]


def _newest(conn: Connection, sync: Sync, services: Services) -> list[dict[str, Any]]:
    """The newest published version of each row."""
    rows: dict[str, dict[str, Any]] = {}
    for _, table in published_tables(conn, sync, services, limit=SNAPSHOTS):
        rows |= {str(row[sync.key]): row for row in table.to_pylist()}
    return [row for row in rows.values() if not row.get(DELETED)]


def _tidy(asked: Tidy, sync: Sync, rows: Sequence[dict[str, Any]]) -> list[Drafted]:
    """Repairs that are proposed, and the cell stays; or, of a standing rule, made at once.


    Where a rule crashes the values stay as the source gave them, and the rows wait.
    """
    from wfops_pipelines.assist.repairs import propose

    try:
        proposed = propose(asked, rows)
    except Exception as error:
        failed = _failed(asked, error)
        return [Drafted(str(row[sync.key]), failed) for row in rows]
    state = DraftState.APPLIED if asked.standing else DraftState.PROPOSED
    made = [
        Drafted(str(row[sync.key]), draft, state)
        for row, draft in zip(rows, proposed, strict=True)
        if draft is not None
    ]
    if asked.standing:
        by_key = {d.key: d.draft.value for d in made}
        for row in rows:
            row[asked.column] = by_key.get(str(row[sync.key]), row.get(asked.column))
    return made


def _propose(
    asked: Drafting | Classify, sync: Sync, rows: Sequence[Row], services: Services
) -> list[Draft]:
    try:
        with services.engine.connect() as conn:
            match asked:
                case Classify():
                    return _labels(conn, asked, sync, rows, services)
                case Drafting():
                    return _texts(conn, asked, sync, rows, services)
    except Exception as error:
        return [_failed(asked, error)] * len(rows)


def _labels(
    conn: Connection, asked: Classify, sync: Sync, rows: Sequence[Row], services: Services
) -> list[Draft]:
    from wfops_pipelines.assist import labels

    shown = [_shown(row, sync) for row in rows]
    return labels.propose(asked, shown, accepted_labels(conn, asked, sync, services))


def accepted_labels(
    conn: Connection, asked: Classify, sync: Sync, services: Services
) -> list[tuple[str, str]]:
    """(text, label) of published rows, oldest first: a person has accepted each."""
    from wfops_pipelines.assist.labels import text_of

    found: list[tuple[str, str]] = []
    for _, table in published_tables(conn, sync, services, limit=SNAPSHOTS):
        if asked.column in table.column_names:
            for row in table.to_pylist():
                if row[asked.column]:
                    text = text_of(_shown(row, sync), asked.text)
                    found.append((text, str(row[asked.column])))
    return found


def _texts(
    conn: Connection, asked: Drafting, sync: Sync, rows: Sequence[Row], services: Services
) -> list[Draft]:
    from wfops_pipelines.assist.provider import provider_from

    tables: dict[str, Any] = {}
    provider = provider_from(services.environ)
    given = [_context(conn, asked, sync, row, tables) for row in rows]
    if provider is None:
        return [_rendered(asked, *g) for g in given]
    patience = _Patience()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        asking = [pool.submit(_written, provider, asked, c, s, patience) for c, s in given]
        return [a.result() for a in asking]


def _written(
    provider: Any,
    asked: Drafting,
    context: Context,
    sources: tuple[tuple[str, str], ...],
    patience: _Patience,
) -> Draft:
    """The provider's draft; the template's, saying why, where it gave none."""
    from wfops_pipelines.assist.provider import ProviderFailed, write

    if patience.failed >= PATIENCE:
        said = f"{provider.model} was not asked any more: {patience.last}"
        return _instead(_rendered(asked, context, sources), said)
    try:
        draft = write(provider, asked, context, sources)
    except ProviderFailed as failure:
        if not failure.orders:
            patience.failed, patience.last = patience.failed + 1, str(failure)
        said = f"the template took over from {provider.model}: {failure}"
        draft = _instead(_rendered(asked, context, sources), said)
        return replace(draft, tokens=failure.tokens, cost=provider.cost(failure.tokens))
    patience.failed = 0
    return draft


def _instead(draft: Draft, said: str) -> Draft:
    return replace(draft, fallback=f"{said}; {draft.fallback}" if draft.fallback else said)


def _rendered(asked: Drafting, context: Context, sources: tuple[tuple[str, str], ...]) -> Draft:
    """The template's draft; of a row that it cannot be filled in for, none, and the words why."""
    from wfops_pipelines.assist.templates import render

    try:
        return render(asked, context, sources)
    except SettingsError as error:
        return replace(_failed(asked, error), sources=sources)


def _context(
    conn: Connection, asked: Drafting, sync: Sync, row: Row, tables: dict[str, Any]
) -> tuple[Context, tuple[tuple[str, str], ...]]:
    """What may be looked at, and the same as text for the person who reviews."""
    found = {name: _found(conn, of, row, tables) for name, of in asked.context.items()}
    own = _shown(row, sync)
    sources = [("row", _said(own))]
    for name, some in found.items():
        sources += [(f"{name} {n}" if len(some) > 1 else name, _said(r)) for n, r in
                    enumerate(some, 1)] or [(name, "nothing found")]  # fmt: skip
    return Context(own, found), tuple(sources)


def _found(conn: Connection, of: RowsOf, row: Row, tables: dict[str, Any]) -> list[dict[str, Any]]:
    match = {theirs: row.get(ours) for theirs, ours in of.match.items()}
    if any(value is None or not str(value).strip() for value in match.values()):
        return []  # nothing belongs to an unknown customer
    return matching(conn, of.table, {**match, **of.where}, of.columns, of.limit, tables) or []


def _shown(row: Row, sync: Sync) -> dict[str, Any]:
    return {c: v for c, v in row.items() if c not in sync.policy.masked}


def _said(row: Row) -> str:
    lines = [f"{c}: {shortened(str(v), LONG)}" for c, v in row.items() if v is not None]
    return visible("\n".join(lines))


def _failed(asked: Drafting | Classify | Tidy | Duplicates, error: Exception) -> Draft:
    words = visible(" ".join(str(error).split()))[:300]
    said = f"the assistant failed: {type(error).__name__}: {words}"
    return Draft(
        kind=_KIND[type(asked)],
        column=asked.column,
        value=None,
        confidence=None,
        why="nothing was proposed",
        model="none",
        prompt=prompt_digest(asked.column),
        fallback=said,
    )


def note_decision(
    conn: Connection, decision: Decision, review: Review, seq: int
) -> dict[str, Json]:
    """Say of the drafts of snapshot `seq` (an edited one's origin) what a final decision made.

    Returns what the audit trail keeps of it: how many drafts of each column are in which state.
    """
    _note(conn, decision, review, seq)
    found = drafts.outcomes(conn, review.sync, seq)
    return {"drafts": [list(f) for f in found]} if found else {}


def _note(conn: Connection, decision: Decision, review: Review, seq: int) -> None:
    held = review.keys if review.kind is ReviewKind.ROWS else None
    if decision.edits:
        _note_edits(conn, decision, review, seq)
        return
    taken = decision.verb is Verb.APPROVE
    left_out = held if not taken else decision.exclude
    state = DraftState.ACCEPTED if taken else DraftState.REFUSED
    drafts.settle(conn, review.sync, seq, state, DRAFTS, held)
    drafts.settle(conn, review.sync, seq, DraftState.REFUSED, [DraftKind.REPAIR], held)
    drafts.settle(conn, review.sync, seq, DraftState.ACCEPTED, [DraftKind.DUPLICATE], left_out)
    drafts.settle(conn, review.sync, seq, DraftState.REFUSED, [DraftKind.DUPLICATE], held)
    if taken and decision.exclude:
        drafts.settle(conn, review.sync, seq, DraftState.REFUSED, DRAFTS, decision.exclude)


def _note_edits(conn: Connection, decision: Decision, review: Review, seq: int) -> None:
    """A repair that is made exactly as it was proposed is accepted; any other edit is an edit."""
    known = drafts.of_snapshot(conn, review.sync, seq)
    proposed = {(d.key, d.draft.column): d.draft for d in known}
    for edit in decision.edits:
        for column, value in edit.values.items():
            draft = proposed.get((edit.key, column))
            if draft is not None:
                same = draft.kind is DraftKind.REPAIR and draft.value == value
                state = DraftState.ACCEPTED if same else DraftState.EDITED
                drafts.settle(conn, review.sync, seq, state, [draft.kind], [edit.key], [column])
