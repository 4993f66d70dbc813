"""The row model of each sync, kept with the publication that it was fitted after."""

from __future__ import annotations

import json
from dataclasses import dataclass

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert as upsert

from wfops_pipelines.store import tables as t


@dataclass(frozen=True, slots=True)
class Source:
    """Published rows that a model may learn from: which snapshot, and what of it.

    `refused` counts the rows that a person put away. Equal sources are the same rows.
    """

    seq: int
    digest: str
    parts: tuple[str, ...]
    refused: int


@dataclass(frozen=True, slots=True)
class Stored:
    """A fitted model as JSON, its version, and the sources that it learned from, oldest first."""

    version: int
    sources: tuple[Source, ...]
    body: str


def newest(conn: Connection, sync: str) -> Stored | None:
    m = t.row_models.c
    row = conn.execute(select(m.version, m.sources, m.body).where(m.sync == sync)).one_or_none()
    return None if row is None else Stored(row.version, _sources(row.sources), row.body)


def _sources(text: str) -> tuple[Source, ...]:
    found = json.loads(text)
    return tuple(Source(seq, digest, tuple(parts), n) for seq, digest, parts, n in found)


def keep(conn: Connection, sync: str, model: Stored) -> None:
    """Put a model in the place of the one before: it can be fitted again from its sources."""
    seq = max(s.seq for s in model.sources)
    said = json.dumps([[s.seq, s.digest, [*s.parts], s.refused] for s in model.sources])
    values = {"seq": seq, "version": model.version, "sources": said, "body": model.body}
    new = upsert(t.row_models).values(sync=sync, **values)
    conn.execute(new.on_conflict_do_update(index_elements=["sync"], set_=values))
