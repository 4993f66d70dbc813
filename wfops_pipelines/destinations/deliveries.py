"""The ledger of rows that were sent to a SaaS API: it survives a crash of whoever sends.

sending → delivered          the API answered
        → failed             it refused, or was never reached; sent again with the next try
        → unknown            nobody knows, and it must not be sent twice: a person settles it
unknown → delivered | again  as that person found out
delivered → reverted         it was taken back; how, is in a ledger of the same kind, `REVERSALS`
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import Connection


class State(Enum):
    """What is known of a delivery."""

    SENDING = "sending"  # the request is under way, or whoever sent it died
    DELIVERED = "delivered"  # the API has it
    FAILED = "failed"  # the API does not have it
    UNKNOWN = "unknown"  # perhaps; a person finds out
    AGAIN = "again"  # a person found that the API does not have it
    REVERTED = "reverted"  # the API had it, and it was taken back


class Act(Enum):
    """What a delivery does at the API."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


DELIVERIES, REVERSALS = "wfops.deliveries", "wfops.reversals"
OPEN = (State.SENDING, State.UNKNOWN)
_COLUMNS = "seq, key, state, act, remote_id, error, at"
_NOTE = """
insert into {ledger} (sync, seq, key, idempotency_key, state, act, remote_id, error, at)
values (%(sync)s, %(seq)s, %(key)s, %(idem)s, %(state)s, %(act)s, %(remote)s, %(error)s, %(at)s)
on conflict (sync, seq, key) do update set state = excluded.state, act = excluded.act,
  remote_id = excluded.remote_id, error = excluded.error, at = excluded.at
"""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One row of one snapshot on its way; `remote` is what the API calls it.

    `seq` is the snapshot's version, which has its day in front where the sync has days.
    """

    seq: int
    key: str
    state: State
    act: Act
    remote: str | None = None
    error: str | None = None
    at: datetime | None = None

    @property
    def number(self) -> int:
        """The snapshot's own number."""
        return self.seq & 0xFFFF_FFFF


def idempotency_key(sync: str, seq: int, key: str) -> str:
    """The same for every try of one row of one snapshot, and for nothing else."""
    return hashlib.sha256(f"{sync}/{seq}/{key}".encode()).hexdigest()[:32]


def note(conn: Connection, sync: str, entry: Delivery, ledger: str = DELIVERIES) -> None:
    values = {
        "sync": sync, "seq": entry.seq, "key": entry.key, "state": entry.state.value,
        "act": entry.act.value, "remote": entry.remote, "error": entry.error,
        "idem": idempotency_key(sync, entry.seq, entry.key), "at": datetime.now(UTC),
    }  # fmt: skip
    conn.exec_driver_sql(_NOTE.format(ledger=ledger), values)


def of_snapshot(
    conn: Connection, sync: str, seq: int, ledger: str = DELIVERIES
) -> dict[str, Delivery]:
    """What became of the rows of one snapshot, by key."""
    where = "sync = %(sync)s and seq = %(seq)s"
    return {d.key: d for d in _read(conn, where, {"sync": sync, "seq": seq}, ledger)}


def rename(conn: Connection, sync: str, key: str, old: str, new: str) -> None:
    """The API has this row under another name now: it was created anew."""
    conn.exec_driver_sql(
        "update wfops.deliveries set remote_id = %(new)s "
        "where sync = %(sync)s and key = %(key)s and remote_id = %(old)s",
        {"sync": sync, "key": key, "old": old, "new": new},
    )


def others(
    conn: Connection, sync: str, seq: int, keys: Iterable[str]
) -> Mapping[str, list[Delivery]]:
    """Deliveries of these keys that belong to other snapshots, the newest first, by key."""
    found: dict[str, list[Delivery]] = {}
    where = (
        "sync = %(sync)s and seq <> %(seq)s and key = any(%(keys)s) "
        "and state in ('delivered', 'sending', 'unknown') order by seq desc"
    )
    for entry in _read(conn, where, {"sync": sync, "seq": seq, "keys": list(keys)}):
        found.setdefault(entry.key, []).append(entry)
    return found


def living(conn: Connection, sync: str) -> dict[str, str | None]:
    """What the API calls each row that it was sent and that was not deleted since, by key."""
    query = (
        "select distinct on (key) key, act, remote_id from wfops.deliveries "
        "where sync = %(sync)s and state = 'delivered' order by key, seq desc"
    )
    found = conn.exec_driver_sql(query, {"sync": sync})
    return {row.key: row.remote_id for row in found if row.act != Act.DELETE.value}


def unsettled(conn: Connection, sync: str, ledger: str = DELIVERIES) -> list[Delivery]:
    """What did not arrive, or perhaps did not, the oldest first."""
    where = "sync = %(sync)s and state not in ('delivered', 'reverted') order by seq, key"
    return list(_read(conn, where, {"sync": sync}, ledger))


def settle(
    conn: Connection, sync: str, entry: Delivery, state: State, ledger: str = DELIVERIES
) -> bool:
    """A person found out; False when it is unknown no longer."""
    query = (
        f"update {ledger} set state = %(state)s, error = null "
        "where sync = %(sync)s and seq = %(seq)s and key = %(key)s and state = 'unknown'"
    )
    values = {"sync": sync, "seq": entry.seq, "key": entry.key, "state": state.value}
    return bool(conn.exec_driver_sql(query, values).rowcount)


def _read(
    conn: Connection, where: str, values: Mapping[str, Any], ledger: str = DELIVERIES
) -> Iterable[Delivery]:
    found = conn.exec_driver_sql(f"select {_COLUMNS} from {ledger} where {where}", values)
    for row in found:
        state, act = State(row.state), Act(row.act or Act.CREATE.value)
        yield Delivery(row.seq, row.key, state, act, row.remote_id, row.error, row.at)
