"""Rows of a sync that reads everything each time, as they are where people settled otherwise.

Each extraction tells every row again. What a person put away, took back, edited or asks about again
does not come with it until it changes at the source, as where there is a cursor. It is remembered
when the next extraction begins, out of the snapshot that the person saw.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from sqlalchemy import Connection

from wfops_pipelines.core.findings import findings_of
from wfops_pipelines.core.snapshot import Snapshot
from wfops_pipelines.errors import SnapshotDamaged
from wfops_pipelines.examining.identities import identities_of
from wfops_pipelines.examining.impact import UNCHANGED
from wfops_pipelines.examining.unchanged import (
    gone_before,
    held_just_so,
    keys_out,
    pairs_of,
    parts_out,
    versions_in,
)
from wfops_pipelines.services import Services
from wfops_pipelines.store import database, remembered, settled, snapshots
from wfops_pipelines.store.remembered import NO_KEY
from wfops_pipelines.store.rows import keys_of, remembered_key
from wfops_pipelines.store.settled import Settled
from wfops_pipelines.sync import Sync

GONE_BY = 0  # no snapshot's number


def learn(sync: Sync, services: Services, *, anew: bool = False) -> None:
    """Remember what people settled since the extraction before this one began; `anew`: ever.

    A snapshot whose file is lost cannot say what it held: the examiners hold its rows. What was
    put away because the key named no row comes again.
    """
    with services.engine.connect() as conn:
        found = settled.ever(conn, sync.name) if anew else settled.lately(conn, sync.name)
        unnamed = snapshots.unnamed(conn, sync.name, sync.key) if anew else frozenset()
    for one in (o for o in found if o.root not in unnamed):
        with database.transaction(services.engine) as conn:
            root = snapshots.get(conn, sync.name, one.root)  # what the source had told
            keys = _keys_of(conn, sync, one, services)
            if one.keys is not None:
                keys = _named_now(conn, sync, one, one.keys, services)
            spared = one if one.as_one and not anew else None
            _remember(conn, sync, root, keys, services, spared)


def _keys_of(
    conn: Connection, sync: Sync, one: Settled, services: Services
) -> frozenset[str] | None:
    """The keys of settled rows; None: all of the extraction that told them."""
    if one.keys is not None or one.seq == one.root:
        return one.keys
    made = snapshots.get(conn, sync.name, one.seq)
    return frozenset(_keys(sync, made, services))


def _named_now(
    conn: Connection, sync: Sync, one: Settled, keys: frozenset[str], services: Services
) -> frozenset[str]:
    """The same rows by the key of now, where people saw them by another one."""
    before = snapshots.named_by(conn, sync.name, one.seq)
    if before in (None, sync.key):
        return keys
    found: set[str] = set()
    try:
        rows = services.rows(snapshots.get(conn, sync.name, one.seq))
        names = [n for n in (before, sync.key) if n in rows.column_names]
        for part in rows.parts(names) if len(names) > 1 else ():
            both = zip(keys_of(part[before]), keys_of(part[sync.key]), strict=True)
            found.update(now for past, now in both if past in keys)
    except SnapshotDamaged:
        return frozenset()
    return frozenset(found)


def settled_since(
    conn: Connection, sync: Sync, snapshot: Snapshot, services: Services
) -> dict[int, frozenset[str]]:
    """The keys of rows that people settled otherwise since this extraction of everything began.

    By the number of the snapshot in which they saw them. Rows that are another version here are
    not among them, unless the file is lost that could tell.
    """
    if sync.cursor is not None or not snapshot.ordinary:
        return {}
    found: dict[int, frozenset[str]] = {}
    since = settled.since(conn, snapshot)
    unnamed = snapshots.unnamed(conn, sync.name, sync.key) if since else frozenset()
    for one in (o for o in since if o.root not in unnamed):
        keys = _keys_of(conn, sync, one, services)
        same = _same(conn, sync, one, snapshot, keys, services)
        found[one.root] = found.get(one.root, frozenset()) | same
    return {root: keys for root, keys in found.items() if keys}


def _same(
    conn: Connection,
    sync: Sync,
    one: Settled,
    snapshot: Snapshot,
    keys: frozenset[str] | None,
    services: Services,
) -> frozenset[str]:
    """Which of these rows (None: all) a later snapshot has as they were when they were settled.

    Not those of which another version went out in between: to these the source came back. Nor those
    that stood while the others were put away.
    """
    root = snapshots.get(conn, sync.name, one.root)
    here = versions_in(conn, sync, snapshot, keys, services)
    try:
        there = set(versions_in(conn, sync, root, keys, services))
    except SnapshotDamaged:
        there = {*here}
    same = {k: v for k, v in there.intersection(here) if k != NO_KEY}
    for key in _stood(conn, sync, root, one, same, services) if one.as_one else ():
        del same[key]
    over = _passed(conn, sync, root, {**same}, services, before=snapshot.seq)
    return frozenset(remembered_key(key) for key in same if over.get(key) != GONE_BY)


def _remember(
    conn: Connection,
    sync: Sync,
    root: Snapshot,
    keys: frozenset[str] | None,
    services: Services,
    as_one: Settled | None,
) -> None:
    """Remember rows of `root` as it has them; of those put away `as_one`, what stood is not."""
    import pyarrow as pa

    try:
        parts = [*identities_of(conn, sync, root, services, keys)]
    except SnapshotDamaged:
        return
    told = {k: v for part in parts for k, v in pairs_of(part) if k != NO_KEY}
    if as_one is not None and (stood := _stood(conn, sync, root, as_one, told, services)):
        told = {k: v for k, v in told.items() if k not in stood}
        stay = [[k not in stood for k in part["key"].to_pylist()] for part in parts]
        masks = (pa.array(kept, pa.bool_()) for kept in stay)
        parts = [part.filter(mask) for part, mask in zip(parts, masks, strict=True)]
    over = _passed(conn, sync, root, told, services)
    for part in parts:
        seqs = [over.get(key) for key in part["key"].to_pylist()]
        for by in {s for s in seqs if s != GONE_BY}:
            some = pa.array([s == by for s in seqs], pa.bool_())
            remembered.recall(conn, sync.name, root.seq, part.filter(some), passed_by=by)


def _stood(
    conn: Connection,
    sync: Sync,
    root: Snapshot,
    as_one: Settled,
    told: dict[str, str],
    services: Services,
) -> set[str]:
    """Of these rows of `root`, those that had gone out before, and that the destination holds so.

    Nothing would come of them, and without them the rest would be judged as if it were all. Not
    those that a finding names for anything else, and none where the destination cannot say.
    """
    evidence = snapshots.evidence(conn, sync.name, as_one.seq)
    found = findings_of(evidence[1]) if evidence else ()
    named = {k for f in found if f.check != UNCHANGED for k in f.keys}
    left = {k: v for k, v in told.items() if remembered_key(k) not in named}
    gone = gone_before(conn, sync, root, left, services)
    if not gone:
        return set()
    names = [remembered_key(key) for key in gone]
    try:
        with services.engine.connect() as aside:
            here = held_just_so(aside, sync, root, services.rows(root), services, names)
    except Exception:  # whatever it is, they stay put away
        return set()
    return {key for key in gone if remembered_key(key) in here}


def _passed(
    conn: Connection,
    sync: Sync,
    root: Snapshot,
    open_: dict[str, str],
    services: Services,
    before: int | None = None,
) -> dict[str, int]:
    """By key, the later extraction of everything (`before` a number) that has another version.

    open_: the versions of `root` by key, both as remembered. `GONE_BY` where another one went out:
    what somebody settles of an older one is no more what the source said last, and if it says that
    again, it is news. Where the newest version that went out is the same, there is none.
    """
    if sync.cursor is not None:
        return {}
    over: dict[str, int] = {}
    for later in snapshots.extracted_since(conn, sync.name, root.seq, before):
        if not open_:
            break
        made = snapshots.of_rank(conn, sync.name, later.seq)
        went = [(s, parts) for s in made if (parts := parts_out(conn, s))]
        if not went and over.keys() >= open_.keys():
            continue
        with suppress(SnapshotDamaged):
            asked = frozenset(map(remembered_key, open_))
            told = {k: v for k, v in versions_in(conn, sync, later, asked, services) if k in open_}
            out = {k for s, p in went if told for k in keys_out(conn, sync, s, p, services)}
            for key, version in told.items():
                if remembered_key(key) in out:
                    if open_.pop(key) != version:
                        over[key] = GONE_BY
                elif version != open_[key]:
                    over.setdefault(key, later.seq)
    return over


def _keys(sync: Sync, snapshot: Snapshot, services: Services) -> Iterator[str]:
    try:
        for part in services.rows(snapshot).parts([sync.key]):
            yield from keys_of(part[sync.key])
    except SnapshotDamaged:
        return
