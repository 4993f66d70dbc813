"""Whose rows a destination holds: the numbers of their snapshots are those of one sync alone.

A sync of another name, or another installation, begins at #1, and its rows would count as older
than those that are there.
"""

from __future__ import annotations

from sqlalchemy import Connection, exists, select
from sqlalchemy.dialects.postgresql import insert

from wfops_pipelines.core.snapshot import SnapshotState, number_in
from wfops_pipelines.destinations import Numbered
from wfops_pipelines.errors import DestinationRefused
from wfops_pipelines.services import Services
from wfops_pipelines.store import snapshots
from wfops_pipelines.store import tables as t
from wfops_pipelines.sync import Sync


def refuse_strangers(conn: Connection, sync: Sync, services: Services) -> None:
    """Raises DestinationRefused where the rows of the destination are of snapshots of others."""
    to, owner = sync.destination, _owner(conn, sync)
    if not isinstance(to, Numbered) or owner == sync.name:
        return
    if owner is None and _wrote_before_notes(conn, sync):
        return
    mine = _newest(conn, sync)
    found = to.numbers(conn, services.environ, "" if mine else sync.name)
    if found is None or (owner is None and found.highest <= mine):
        return  # none would pass for newer: as in its own table under another name
    whose = f"the sync {owner}" if owner else "another sync or installation"
    raise DestinationRefused(
        f"{to.words} holds rows of {whose}, up to #{number_in(found.highest)}, beside which those "
        f"of {sync.name} would pass for older. Where nothing else writes there, {found.repair}; "
        f"else give {sync.name} a destination of its own. Then retry.",
        {"destination": to.words},
    )


def own(sync: Sync, services: Services) -> None:
    """Note whose rows the destination holds from now on. Raises as `refuse_strangers`.

    Before anything is written over there, which may stay where its transaction breaks off.
    """
    if not isinstance(sync.destination, Numbered):
        return
    with services.engine.begin() as conn:
        refuse_strangers(conn, sync, services)
        if _owner(conn, sync) == sync.name:
            return
        mine = insert(t.owners).values(destination=sync.destination.words, sync=sync.name)
        conn.execute(
            mine.on_conflict_do_update(index_elements=["destination"], set_={"sync": sync.name})
        )


def _owner(conn: Connection, sync: Sync) -> str | None:
    o = t.owners.c
    query = select(o.sync).where(o.destination == sync.destination.words)
    found: str | None = conn.execute(query).scalar()
    return found


def _newest(conn: Connection, sync: Sync) -> int:
    """The newest version that the sync has published; 0 where it has published nothing."""
    published = select(t.publications.c.seq).where(t.publications.c.sync == sync.name)
    went = {*conn.execute(published).scalars()}
    known = snapshots.in_state(conn, sync.name, *SnapshotState)
    return max((s.version for s in known if s.seq in went), default=0)


def _wrote_before_notes(conn: Connection, sync: Sync) -> bool:
    """Whether it published when nobody noted where to."""
    noted = exists().where(t.owners.c.sync == sync.name)
    published = exists().where(t.publications.c.sync == sync.name)
    return bool(conn.execute(select(published & ~noted)).scalar())
