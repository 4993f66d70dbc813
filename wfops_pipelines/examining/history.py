"""What earlier snapshots and the destination say about a sync, read before examining."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC
from typing import TYPE_CHECKING

from sqlalchemy import Connection, func, select

from wfops_pipelines import owning
from wfops_pipelines.anomaly import ROWS_VERSION
from wfops_pipelines.core.findings import Finding, findings_of
from wfops_pipelines.core.parts import Rows
from wfops_pipelines.core.policy import NewRow
from wfops_pipelines.core.snapshot import DELETED, Diff, Snapshot
from wfops_pipelines.destinations import Exacting, Existing, Foreseen, Parcel, can_list
from wfops_pipelines.errors import SnapshotDamaged
from wfops_pipelines.examining import declaration, overtaken
from wfops_pipelines.examining.examination import Past, There
from wfops_pipelines.examining.impact import high_impact, misfitting, unsendable
from wfops_pipelines.examining.unchanged import held_just_so, unchanged
from wfops_pipelines.ledger import HELD, parcel_of, published_rows, refused_rows, select_rows
from wfops_pipelines.services import Services
from wfops_pipelines.store import drafts, learning, row_models, settled, snapshots, waivers
from wfops_pipelines.store import tables as t
from wfops_pipelines.store.inferring import Types
from wfops_pipelines.store.row_models import Source, Stored
from wfops_pipelines.store.rows import living, types_of
from wfops_pipelines.sync import Sync

if TYPE_CHECKING:
    from datetime import datetime

    import pyarrow as pa

TRAINING_SNAPSHOTS = 20
PATIENCE = 3  # seconds that a person waits for somebody else's lock
_REFIT_SHARE = 5  # a model is fitted again when a fifth of its sources is new


def read_past(sync: Sync, snapshot: Snapshot, services: Services) -> Past | Exception:
    """The past of a snapshot; the error itself where it cannot be read, for the examiners."""
    try:
        with services.engine.connect() as conn:
            return _past(conn, sync, snapshot, services)
    except Exception as error:
        return error


def _past(conn: Connection, sync: Sync, snapshot: Snapshot, services: Services) -> Past:
    found = sources(conn, sync, before=snapshot.seq, limit=TRAINING_SNAPSHOTS)
    stored = row_models.newest(conn, sync.name)
    model = stored if stored is not None and serves(stored, found) else None
    wanted = found if model is None else found[-1:]
    published = {s: p for s, p in _read(conn, sync, services, wanted).items() if p.num_rows}
    newest, last = [*published.items()][-1] if published else (None, None)
    return Past(
        schema=None
        if newest is None or last is None
        else _roomier(conn, sync, services, found, newest, last.schema),
        previous_rows=None if last is None else last.num_rows,
        profiles={}
        if not snapshot.ordinary
        else snapshots.published_profiles(
            conn, sync.name, snapshot.seq, incremental=sync.cursor is not None
        ),
        decided=learning.counts(conn, sync.name),
        published=published,
        model=model,
        waivers=waivers.granted(conn, sync.name, services.clock()),
        drafts=drafts.of_snapshot(conn, sync.name, snapshot.rank),
        overtakes=overtaken.published_before(conn, snapshot),
        declared=declaration.declared_otherwise(conn, sync, snapshot),
        settled=_settled(conn, sync, snapshot, services),
    )


def _settled(
    conn: Connection, sync: Sync, snapshot: Snapshot, services: Services
) -> frozenset[str]:
    """Rows that a person may have put away as they are.

    With a cursor, such are staged only where a file is lost and the source tells what is from
    before its window: it was asked to, from a date, or knows none but the day.
    """

    def lost(seq: int) -> bool:
        of = snapshots.get(conn, sync.name, seq)
        try:
            services.rows(snapshots.get(conn, sync.name, of.rank))
        except SnapshotDamaged:
            return True
        return False

    if sync.cursor is None:
        return settled.meanwhile(conn, snapshot, lost)
    if snapshot.cursor_from is None:
        return frozenset()
    since = _first_time(sync, snapshot, services)
    if since is None or (since >= snapshot.cursor_from and not snapshot.reread_by):
        return frozenset()
    upto = snapshot.asked[1] if snapshot.reread_by and snapshot.asked else snapshot.cursor_from
    told = snapshots.reaching(conn, sync.name, since)
    may = {s.seq for s in told if _reaches(s, since, upto or snapshot.staged_at)}
    return settled.unreadable(conn, snapshot, lost, may)


def _reaches(snapshot: Snapshot, since: datetime, upto: datetime) -> bool:
    """Whether it may hold rows of that stretch: one that was dated ahead moved no cursor."""
    reached = snapshot.cursor_to is not None and snapshot.cursor_to >= since
    return reached or snapshot.staged_at < upto


def _first_time(sync: Sync, snapshot: Snapshot, services: Services) -> datetime | None:
    """The first time of its rows; None where none has one."""
    import pyarrow as pa
    import pyarrow.compute as pc

    rows = services.rows(snapshot)
    parts = rows.parts([sync.cursor]) if sync.cursor in rows.column_names else ()
    first = [pc.min(part[sync.cursor].cast(pa.timestamp("us"))).as_py() for part in parts]
    known = [moment.replace(tzinfo=UTC) for moment in first if moment is not None]
    return min(known, default=None)


def read_there(sync: Sync, snapshot: Snapshot, rows: Rows, services: Services) -> There:
    """What the destination says about a snapshot; nothing where a row has no key.

    Raises DestinationRefused where its rows are another sync's, as no comparison would be true.
    """
    usable = sync.key in rows.column_names and not any(
        part[sync.key].null_count for part in rows.parts([sync.key])
    )
    parcel = parcel_of(sync, snapshot, rows, services)
    wants_existing = usable and any(isinstance(r, NewRow) for r in sync.policy.high_impact)
    with services.engine.connect() as conn:
        owning.refuse_strangers(conn, sync, services)
        existing = sync.destination.existing(conn, parcel, []) if wants_existing else Existing({})
        seen = _foreseen(conn, sync, parcel) if usable else None
        diff, unfit = (seen.diff, seen.misfits) if seen else (None, ())
        certain = diff.deleted if diff and isinstance(sync.destination, Exacting) else None
        again = [key for key, before in snapshot.doubted if not before] if usable else []
        same = held_just_so(conn, sync, snapshot, rows, services, again)
        asking = usable and sync.cursor is None
        met = high_impact(rows, sync.key, sync.policy, existing) if asking else ()
        keys = {key for finding in met for key in finding.keys}
        as_before = unchanged(conn, sync, snapshot, rows, services, keys)
        living = _living(conn, sync, rows, services)
        return There(existing, diff, living, unfit, certain, same, as_before)


def _foreseen(conn: Connection, sync: Sync, parcel: Parcel) -> Foreseen:
    """What publishing would change, and what would be refused where the destination can tell."""
    critical = [c for c in sync.policy.critical_fields if c in parcel.content.column_names]
    if isinstance(sync.destination, Exacting):
        return sync.destination.foreseen(conn, parcel, critical)
    return Foreseen(sync.destination.diff(conn, parcel, critical))


def read_refused(sync: Sync, snapshot: Snapshot, rows: Rows, services: Services) -> list[Finding]:
    """What the destination would refuse of these rows now, as the examination says it.

    One that would have to be asked row by row, as an API, is not asked. Nobody waits long for a
    table that somebody is just altering: raises what the database says then.
    """
    found = unsendable(living(rows), sync)
    if not isinstance(sync.destination, Exacting):
        return found
    parcel = parcel_of(sync, snapshot, rows, services)
    with services.engine.connect() as conn:
        conn.exec_driver_sql(f"set local lock_timeout = '{1000 * PATIENCE:.0f}ms'")
        return [*found, *misfitting(sync.destination.foreseen(conn, parcel, ()).misfits, sync)]


def read_held(
    sync: Sync, snapshot: Snapshot, rows: Rows, keys: frozenset[str], services: Services
) -> Diff:
    """What publishing only these rows would change."""
    held = parcel_of(sync, snapshot, select_rows(rows, sync.key, keys, frozenset()), services)
    critical = [c for c in sync.policy.critical_fields if c in rows.column_names]
    with services.engine.connect() as conn:
        return sync.destination.diff(conn, held, critical)


def _living(conn: Connection, sync: Sync, rows: Rows, services: Services) -> int | None:
    """How many rows the destination holds; None where it cannot say, or nobody needs to know."""
    if DELETED not in rows.column_names or not can_list(sync.destination):
        return None
    return len(sync.destination.living(conn, sync.key, services.environ, sync.name))


def published_tables(
    conn: Connection, sync: Sync, services: Services, *, limit: int, before: int | None = None
) -> list[tuple[int, pa.Table]]:
    """(number, published rows) of the last snapshots, oldest first; a lost file is left out."""
    found = sources(conn, sync, limit=limit, before=before)
    read = _read(conn, sync, services, found).items()
    return [(source.seq, published.whole()) for source, published in read]


def settled_types(
    conn: Connection, sync: Sync, services: Services, held: Types | None
) -> dict[str, str]:
    """The types to hold: `held`, but for those that the last published snapshot has otherwise.

    With other types than that has, each next snapshot would be held as a change of the columns.
    """
    published = sources(conn, sync, limit=TRAINING_SNAPSHOTS)
    for source in reversed(published):
        found = _read(conn, sync, services, [source]).get(source)
        if found is not None and found.num_rows:
            known = {f.name: str(f.type) for f in found.schema}
            others = [n for n, kind in known.items() if kind != (held or {}).get(n)]
            settled = {**(held or {}), **(types_of(found.select(others)) if others else {})}
            roomier = _roomier(conn, sync, services, published, source, found.schema)
            return settled | {f.name: str(f.type) for f in roomier if str(f.type) != known[f.name]}
    return dict(held or {})


def _roomier(
    conn: Connection, sync: Sync, services: Services, published: Sequence[Source], newest: Source,
    schema: pa.Schema,
) -> pa.Schema:  # fmt: skip
    """The columns of the newest snapshot; with fractions where people have let those go since.

    A hold delays nobody, so that newer snapshots of whole numbers may be out before it is decided:
    with their types, what a person let go would be held again, and again.
    """
    import pyarrow.types as pt

    p = t.publications.c
    query = select(p.seq, func.max(p.published_at)).where(p.sync == sync.name).group_by(p.seq)
    numbers = [s.seq for s in published]
    times: dict[int, datetime] = {r[0]: r[1] for r in conn.execute(query.where(p.seq.in_(numbers)))}
    late = [s for s in published if s.seq < newest.seq and times[s.seq] > times[newest.seq]]
    for source in sorted(late, key=lambda s: times[s.seq]):
        for field in _changed(conn, sync, services, source):
            at = schema.get_field_index(field.name)
            fractions = pt.is_floating(field.type) or pt.is_decimal(field.type)
            if at >= 0 and pt.is_integer(schema.field(at).type) and fractions:
                schema = schema.set(at, schema.field(at).with_type(field.type))
    return schema


def _changed(conn: Connection, sync: Sync, services: Services, source: Source) -> list[pa.Field]:
    """The columns that had another type than before, in a snapshot that was held for it."""
    stored = snapshots.evidence(conn, sync.name, source.seq)
    drifted = {f.column for f in findings_of(stored[1]) if f.check == "schema"} if stored else set()
    rows = _read(conn, sync, services, [source]).get(source) if drifted else None
    return [] if rows is None else [f for f in rows.schema if f.name in drifted]


def sources(
    conn: Connection, sync: Sync, *, limit: int, before: int | None = None
) -> tuple[Source, ...]:
    """What the last published snapshots let go, oldest first; no file is read."""
    p = t.publications.c
    query = select(p.seq, p.digest, p.part).where(p.sync == sync.name, p.reverted_at.is_(None))
    if before is not None:
        query = query.where(p.seq < before)
    rows = conn.execute(query.order_by(p.seq.desc()).limit(limit * 2)).all()
    parts: dict[tuple[int, str], set[str]] = {}
    for row in rows:
        parts.setdefault((int(row.seq), str(row.digest)), set()).add(str(row.part))
    newest = [*parts.items()][:limit][::-1]
    refused = refused_rows(conn, sync.name, [seq for (seq, _), _ in newest])
    return tuple(
        Source(seq, digest, tuple(sorted(p)), refused.get(seq, 0)) for (seq, digest), p in newest
    )


def _read(
    conn: Connection, sync: Sync, services: Services, wanted: Sequence[Source]
) -> dict[Source, Rows]:
    found = {s: published_rows(conn, sync, s.seq, s.digest, set(s.parts), services) for s in wanted}
    return {s: living(rows) for s, rows in found.items() if rows is not None}


def serves(stored: Stored, now: Sequence[Source]) -> bool:
    """May a stored model still judge rows, when `now` are the sources that it would learn from?

    Not when it is of another version, when rows that it learned from were taken back or put away
    since, when a person let held rows go (they are normal from now on), or when a fifth of its
    sources is new.
    """
    oldest = now[0].seq if now else 0
    learned = {s for s in stored.sources if s.seq >= oldest}
    fresh = [s for s in now if s not in learned]
    if (
        stored.version != ROWS_VERSION
        or not learned <= set(now)
        or any(HELD in s.parts for s in fresh)
    ):
        return False
    return len(fresh) * _REFIT_SHARE <= len(stored.sources)
