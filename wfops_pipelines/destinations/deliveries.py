"""The ledger of rows that were sent to a SaaS API: it survives a crash of whoever sends.

sending → delivered          the API answered
        → failed             the API was not reached, or not willing; sent again with the next try
        → refused            it refused the row itself; sent again unless a person leaves it out
        → unknown            nobody knows, and it must not be sent twice: a person settles it
unknown → delivered | again  as that person found out
refused → left_out           a person decided that this version of the row is not sent
delivered → reverted         it was taken back; how, is in a ledger of the same kind, `REVERSALS`
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import TYPE_CHECKING, Any

from wfops_pipelines.core.snapshot import number_in
from wfops_pipelines.errors import DestinationRefused

if TYPE_CHECKING:
    from sqlalchemy import Connection


class State(Enum):
    """What is known of a delivery."""

    SENDING = "sending"  # under way; or it broke, perhaps after it was done: the same once more
    DELIVERED = "delivered"  # the API has it
    FAILED = "failed"  # the API does not have it
    REFUSED = "refused"  # the API does not have it, and will not take it as it is
    LEFT_OUT = "left_out"  # refused, and a person decided to go on without it
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
AS_IT_WAS = "the API had it already"  # of a delivery that sent nothing
_COLUMNS = "seq, key, state, act, remote_id, error, at, idempotency_key"
_NOTE = """
insert into {ledger} as was (sync, seq, key, idempotency_key, state, act, remote_id, error, at)
values (%(sync)s, %(seq)s, %(key)s, %(idem)s, %(state)s, %(act)s, %(remote)s, %(error)s, %(at)s)
on conflict (sync, seq, key) do update set state = excluded.state, act = excluded.act,
  remote_id = excluded.remote_id, error = excluded.error, at = excluded.at,
  idempotency_key = case when was.state = 'refused' and excluded.state = 'sending'
    then excluded.idempotency_key
    else coalesce(nullif(was.idempotency_key, ''), excluded.idempotency_key) end
returning idempotency_key
"""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One row of one snapshot on its way; `remote` is what the API calls it.

    `idem` is the idempotency key of what was asked for it, or would have been ("" where neither).
    `seq` is the snapshot's version, which has its day in front where the sync has days.
    """

    seq: int
    key: str
    state: State
    act: Act
    remote: str | None = None
    error: str | None = None
    at: datetime | None = None
    idem: str = ""

    @property
    def doubtful(self) -> bool:
        """Whether nobody knows if it has arrived, and no process is finding out just now."""
        broke = self.state is State.SENDING and self.error is not None
        return broke or self.state is State.UNKNOWN

    @property
    def number(self) -> int:
        """The snapshot's own number."""
        return number_in(self.seq)


def idempotency_key(sync: str, seq: int, key: str, request: Sequence[Any]) -> str:
    """For one row of one snapshot, and what is asked for it.

    Another installation, or this one from an older backup, has snapshots of the same numbers, and
    an API would answer what it answered then and write nothing.
    """
    said = json.dumps([sync, seq, key, *request], sort_keys=True, default=str)
    return hashlib.sha256(said.encode()).hexdigest()[:32]


def refuse_other(conn: Connection, sync: str, system: str) -> None:
    """Raises DestinationRefused where the deliveries of this sync went to another system."""
    query = "select system from wfops.delivered_to where sync = %(sync)s"
    before = conn.exec_driver_sql(query, {"sync": sync}).scalar()
    if before not in (None, system):
        raise DestinationRefused(
            f"{sync} was sent to {before}, and its destination is {system} now, where the names "
            f"that {before} gave its records are those of other ones. Declare it as a sync of "
            f"another name, which sends every row anew, or let its destination be {before} again; "
            "then retry."
        )


def bind(conn: Connection, sync: str, system: str) -> None:
    """Note where the deliveries of this sync go. Raises as `refuse_other`."""
    conn.exec_driver_sql(
        "insert into wfops.delivered_to (sync, system) values (%(sync)s, %(system)s) "
        "on conflict do nothing",
        {"sync": sync, "system": system},
    )
    refuse_other(conn, sync, system)


def note(
    conn: Connection, sync: str, entry: Delivery, ledger: str = DELIVERIES, idem: str = ""
) -> str:
    """Write it down; returns the idempotency key of its first try, which each later one has.

    Once it was refused for good, the next try has its own.
    """
    values = {
        "sync": sync, "seq": entry.seq, "key": entry.key, "state": entry.state.value,
        "act": entry.act.value, "remote": entry.remote, "error": entry.error,
        "idem": idem, "at": datetime.now(UTC),
    }  # fmt: skip
    return str(conn.exec_driver_sql(_NOTE.format(ledger=ledger), values).scalar_one())


def of_snapshot(
    conn: Connection, sync: str, seq: int, ledger: str = DELIVERIES
) -> dict[str, Delivery]:
    """What became of the rows of one snapshot, by key."""
    where = "sync = %(sync)s and seq = %(seq)s"
    return {d.key: d for d in _read(conn, where, {"sync": sync, "seq": seq}, ledger)}


def rename(conn: Connection, sync: str, key: str, seq: int, new: str) -> None:
    """What this row was up to a snapshot is under another name at the API now."""
    conn.exec_driver_sql(
        "update wfops.deliveries set remote_id = %(new)s "
        "where sync = %(sync)s and key = %(key)s and seq <= %(seq)s and remote_id is not null",
        {"sync": sync, "key": key, "seq": seq, "new": new},
    )


def any_sent(conn: Connection, sync: str) -> bool:
    """Whether anything of a sync has arrived, or may have."""
    query = (
        "select exists (select from wfops.deliveries where sync = %(sync)s "
        "and state in ('delivered', 'sending', 'unknown'))"
    )
    return bool(conn.exec_driver_sql(query, {"sync": sync}).scalar())


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


def written(
    conn: Connection, sync: str, keys: Iterable[str], since: datetime, ledger: str = DELIVERIES
) -> frozenset[str]:
    """Those of these rows for which something was sent since then; or taken back."""
    query = (
        f"select key from {ledger} where sync = %(sync)s and key = any(%(keys)s) "
        "and at >= %(since)s and error is distinct from %(nothing)s"
    )
    values = {"sync": sync, "keys": list(keys), "since": since, "nothing": AS_IT_WAS}
    return frozenset(conn.exec_driver_sql(query, values).scalars())


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
    where = (
        "sync = %(sync)s and state not in ('delivered', 'reverted', 'left_out') order by seq, key"
    )
    return list(_read(conn, where, {"sync": sync}, ledger))


def refused(conn: Connection, sync: str, seq: int) -> dict[str, Delivery]:
    """The rows of a snapshot that the API refused for good, by key."""
    where = "sync = %(sync)s and seq = %(seq)s and state = 'refused' order by key"
    return {d.key: d for d in _read(conn, where, {"sync": sync, "seq": seq})}


def leave_out(conn: Connection, sync: str, seq: int, keys: Iterable[str], why: str) -> list[str]:
    """Of these rows, those that were refused are left out; what the API said stays in the words."""
    query = (
        "update wfops.deliveries set state = 'left_out', "
        "error = concat_ws('; ', %(why)s::text, error) where sync = %(sync)s and seq = %(seq)s "
        "and key = any(%(keys)s) and state = 'refused' returning key"
    )
    values = {"sync": sync, "seq": seq, "keys": list(keys), "why": why}
    return sorted(conn.exec_driver_sql(query, values).scalars())


def left_out(conn: Connection, sync: str) -> list[Delivery]:
    """The rows that people left out and of which no newer version has arrived, oldest first."""
    where = (
        "sync = %(sync)s and state = 'left_out' and not exists (select from wfops.deliveries n "
        "where n.sync = deliveries.sync and n.key = deliveries.key and n.seq > deliveries.seq "
        "and n.state = 'delivered') order by seq, key"
    )
    return list(_read(conn, where, {"sync": sync}))


def settle(
    conn: Connection, sync: str, entry: Delivery, state: State, ledger: str = DELIVERIES
) -> bool:
    """A person found out; False when it is in doubt no longer."""
    query = (
        f"update {ledger} set state = %(state)s, error = null "
        "where sync = %(sync)s and seq = %(seq)s and key = %(key)s "
        "and (state = 'unknown' or (state = 'sending' and error is not null))"
    )
    values = {"sync": sync, "seq": entry.seq, "key": entry.key, "state": state.value}
    return bool(conn.exec_driver_sql(query, values).rowcount)


def _read(
    conn: Connection, where: str, values: Mapping[str, Any], ledger: str = DELIVERIES
) -> Iterable[Delivery]:
    found = conn.exec_driver_sql(f"select {_COLUMNS} from {ledger} where {where}", values)
    for row in found:
        state, act = State(row.state), Act(row.act or Act.CREATE.value)
        told = row.remote_id, row.error, row.at, row.idempotency_key
        yield Delivery(row.seq, row.key, state, act, *told)
