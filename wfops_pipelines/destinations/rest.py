"""A SaaS REST API as destination: one request a row, with a ledger that survives a crash."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from wfops_pipelines.core.snapshot import Diff
from wfops_pipelines.destinations import deliveries, images, rest_diff
from wfops_pipelines.destinations.calling import Caller, Manners
from wfops_pipelines.destinations.calls import Call, columns_in, fill, merged
from wfops_pipelines.destinations.deliveries import Act, Delivery, State
from wfops_pipelines.destinations.forms import given
from wfops_pipelines.destinations.listing import Lists, living
from wfops_pipelines.destinations.looking import IDS, ONE, Many, looked_up
from wfops_pipelines.destinations.parcel import Existing, Parcel, Reverted, Written
from wfops_pipelines.destinations.readback import (
    archived,
    as_sent,
    columns_of,
    differs,
    record_in,
    value_at,
)
from wfops_pipelines.errors import DestinationRefused

if TYPE_CHECKING:
    import pyarrow as pa
    from sqlalchemy import Connection, Engine

    from wfops_pipelines.core.parts import Rows

Row = Mapping[str, Any]
REMOTE = "remote_id"


@dataclass(frozen=True, slots=True)
class RestDestination:
    """Requests that create, update, delete and read one record. See `rest_destination`."""

    system: str
    create: Call | None
    update: Call | None = None
    delete: Call | None = None
    delete_body: tuple[tuple[str, Any], ...] = ()
    gone: str | None = None
    read: Call | None = None
    read_many: Many | None = None
    body: tuple[tuple[str, Any], ...] = ()
    create_body: tuple[tuple[str, Any], ...] = ()
    record: str = ""
    manners: Manners = field(default_factory=Manners)
    lists: Lists | None = None
    lists_by: str | None = None

    @property
    def words(self) -> str:
        return f"{self.system} API, {self.create or self.update}"

    @property
    def messages(self) -> bool:
        """Whether each row is sent as something new, whatever went before."""
        return self.update is None

    def existing(self, conn: Connection, parcel: Parcel, columns: Sequence[str]) -> Existing:
        known = self._known(conn, parcel)
        if self.read is None:
            return Existing({k: {} for k, one in known.items() if _lives(one)})
        with self.caller(parcel.environ) as caller:
            return rest_diff.existing(self, caller, parcel, known, columns)

    def diff(self, conn: Connection, parcel: Parcel, critical: Sequence[str]) -> Diff:
        known = self._known(conn, parcel)
        if self.read is not None:
            with self.caller(parcel.environ) as caller:
                return rest_diff.diff(self, caller, parcel, known, critical)
        gone = {str(k) for k in parcel.gone().to_pylist()}
        there = {k for k, one in known.items() if _lives(one)}
        living = set(parcel.keys()) - gone
        done = {k for k in living & there if known[k].seq >= parcel.seq}
        return Diff(len(living - there), len(living & there - done), len(done), len(gone & there))

    def publish(self, conn: Connection, side: Engine, parcel: Parcel) -> Written:  # noqa: ARG002
        """Send what was not delivered yet; the ledger is committed row by row."""
        from wfops_pipelines.destinations.sending import Sending

        if self.delete is None and len(parcel.gone()):
            raise DestinationRefused(
                f"{self.words}: {len(parcel.gone()):,} rows are gone at the source. Declare what "
                'deletes them, as delete="DELETE /contacts/{remote_id}"; then retry.'
            )
        with (
            side.connect().execution_options(isolation_level="AUTOCOMMIT") as ledger,
            self.caller(parcel.environ) as caller,
        ):
            if not self.messages:  # which are named by nobody afterwards
                deliveries.bind(ledger, parcel.sync, self.system)
            return Sending(self, parcel, ledger, caller).all()

    def columns(self) -> Iterator[tuple[str, str]]:
        """(argument of `rest_destination`, column) for each column that its requests name."""
        many = self.read_many
        said: dict[str, Any] = {
            "create": self.create and self.create.path, "update": self.update and self.update.path,
            "delete": self.delete and self.delete.path, "read": self.read and self.read.path,
            "read_many": many and [many.call.path, dict(many.body), many.each, many.by],
            "body": dict(self.body), "create_body": dict(self.create_body),
            "delete_body": dict(self.delete_body),
        }  # fmt: skip
        for field_, value in said.items():
            own = {REMOTE, *((IDS, ONE) if field_ == "read_many" else ())}
            yield from ((field_, name) for name in columns_in(value) if name not in own)

    def blurred(self, columns: Sequence[str]) -> list[str]:
        """Those of the columns that the body sends, but never as a field of their own."""
        alone = {column for column, _ in columns_of(dict(self.body))}
        text = repr(self.body)
        return [c for c in columns if c not in alone and f"{{{c}}}" in text]

    def no_undo(self, key: str) -> str | None:
        """Why what was sent cannot be taken back, in words; None where it can. `key`: the sync's"""
        if self.messages:
            return "each row is sent as something new, as a message is, and what is said is said"
        lacking = {
            "read": "nothing reads what a record was before",
            "delete": "nothing deletes what was created",
        }
        words = [
            f"{said} (no {name}=)" for name, said in lacking.items() if not getattr(self, name)
        ]
        if self.says_more(key):
            words.append(f"nothing keeps what {self.update} says beside its body")
        return " and ".join(words) or None

    def says_more(self, key: str) -> bool:
        """Whether an update says more of a row than its body does, which alone is read back.

        Its path may name columns beside the sync's `key`; without a body it says what it says by
        being sent.
        """
        if self.update is None:
            return False
        return not self.body or not {*columns_in(self.update.path)} <= {REMOTE, key}

    def revert(self, conn: Connection, parcel: Parcel) -> Reverted:
        """Undo at the API what publishing this parcel did; the ledger is committed row by row.

        Records that are newer by now, or that somebody changed since, stay as they are.
        """
        from wfops_pipelines.destinations.taking_back import TakingBack

        with (
            conn.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as ledger,
            self.caller(parcel.environ) as caller,
        ):
            deliveries.refuse_other(ledger, parcel.sync, self.system)
            return TakingBack(self, parcel, ledger, caller).all()

    def living(
        self,
        conn: Connection,
        key: str,  # noqa: ARG002
        environ: Mapping[str, str],
        sync: str = "",
    ) -> pa.Array:
        """The keys of the rows that `sync` sent and that the API lists."""
        import pyarrow as pa

        assert self.lists is not None  # wfops check asks for it
        deliveries.refuse_other(conn, sync, self.system)
        keys = living(conn, sync, self.lists, self.lists_by, environ, self.gone)
        return pa.array(keys, None if keys else pa.string())

    @contextmanager
    def caller(self, environ: Mapping[str, str]) -> Iterator[Caller]:
        opened = Caller(self.system, self.manners, environ)
        try:
            yield opened
        finally:
            opened.close()

    def filled(self, row: Row) -> dict[str, Any]:
        return {name: fill(value, row) for name, value in self.body}

    def body_of(self, entry: Delivery, row: Row, image: Mapping[str, Any] | None = None) -> Any:
        """What is sent to do what the entry says: of the row, or of an image of its record."""
        if entry.act is Act.DELETE:
            return fill(dict(self.delete_body), with_remote(row, entry)) or None
        sent = self.filled(row) if image is None else images.fields(image, dict(self.body))
        if self.call_of(entry) is not self.create:
            return sent
        only = fill(dict(self.create_body), row)
        sent = merged(merged(only, given(image or {})), sent)
        return given(sent) if self.manners.form else sent

    def image_of(self, record: Any) -> Any:
        """Of a record what could restore it."""
        return images.fields(record, merged(dict(self.create_body), dict(self.body)))

    def unsendable(self, rows: Rows, key: str) -> dict[str, str]:
        """Why no request can be made of a row, for each such one, by its key as text."""
        each = Parcel("", 0, key, rows).each()
        told = ((str(row[key]), self._refused(row)) for row in each if row[key] is not None)
        return {name: why for name, why in told if why is not None}

    def _refused(self, row: Row) -> str | None:
        named = {**row, REMOTE: "its name"}
        try:
            self.filled(row)
            fill(dict(self.create_body), row)
            for asked in (self.create, self.update):
                _ = asked and asked.filled(named)
        except DestinationRefused as error:
            return str(error)
        return None

    def differs(self, record: Any, row: Row) -> bool:
        """Whether the record is no more, or not yet, what the row says; so is what says nothing."""
        if self._refused(row) is not None:
            return True
        meant = {name: fill(value, row, meant=True) for name, value in self.body}
        return differs(record, meant, self.manners.form)

    def would_change(self, record: Any, row: Row, key: str) -> bool:
        """Whether an update may change the record: also where not all that it says is read back."""
        return self.says_more(key) or self.differs(record, row)

    def held(self, record: Any, row: Row, column: str, place: tuple[str, ...]) -> Any:
        """A column as the record has it; as the row writes it where that is the same to the API."""
        there = value_at(record, place)
        if column not in row or differs(
            there, self.said(row, column, meant=True), self.manners.form
        ):
            return there
        return row[column]

    def said(self, row: Row, column: str, *, meant: bool = False) -> Any:
        """A column as it is sent (or `meant`, see `fill`); where it cannot be, as text."""
        try:
            return fill(f"{{{column}}}", row, meant=meant) if column in row else None
        except DestinationRefused:
            return str(row[column])

    def needs_remote(self, call: Call) -> bool:
        """Whether the call can only be made with what the API calls the record."""
        named = "{" + REMOTE + "}"
        return named in call.path or (call is self.delete and named in repr(self.delete_body))

    def call_of(self, entry: Delivery) -> Call:
        """What does to a record what the entry says."""
        found = {
            Act.CREATE: self.create or self.update, Act.UPDATE: self.update,
            Act.DELETE: self.delete,
        }  # fmt: skip
        chosen = found[entry.act]
        assert chosen is not None
        return chosen

    def may_repeat(self, entry: Delivery) -> bool:
        """Whether sending once more cannot make it happen twice."""
        if entry.state is State.SENDING:
            return self.manners.key_header is not None or self.call_of(entry).repeatable
        return entry.state is not State.UNKNOWN

    def look(self, caller: Caller, row: Row, known: Delivery | None) -> Any:
        """The record of a row as the API has it now, as it is sent; None where there is none."""
        return as_sent(self._bare(caller, row, known), self.record, dict(self.body))

    def _bare(self, caller: Caller, row: Row, known: Delivery | None) -> Any:
        assert self.read is not None
        if self.needs_remote(self.read) and not (known and known.remote):
            return None
        answer = caller.send(self.read, self.read.filled(with_remote(row, known)))
        return None if answer.gone else self._alive(record_in(answer.body, self.record))

    def look_all(
        self, caller: Caller, rows: Sequence[tuple[str, Row]], known: Mapping[str, Delivery],
        *, sure: bool = False,
    ) -> dict[str, Any]:  # fmt: skip
        """`look` for many rows; `sure` where a row that is wrongly missed would be doubled."""

        def one(item: tuple[str, Row]) -> Any:
            return self._bare(caller, item[1], known.get(item[0]))

        def lives(key: str) -> bool:
            return sure or (key in known and _lives(known[key]))

        named = [(key, with_remote(row, known.get(key))) for key, row in rows]
        found = looked_up(named, one, self.read_many, caller, lives)
        sent = partial(as_sent, path=self.record, body=dict(self.body))
        return {key: sent(self._alive(record)) for key, record in found.items()}

    def _alive(self, record: Any) -> Any:
        """The record; None where it says that it was deleted."""
        return None if archived(record, self.gone) else record

    def _known(self, conn: Connection, parcel: Parcel) -> dict[str, Delivery]:
        """The last delivery of each row that arrived; for messages, of this snapshot only."""
        deliveries.refuse_other(conn, parcel.sync, self.system)
        mine = deliveries.of_snapshot(conn, parcel.sync, parcel.seq)
        found = {k: one for k, one in mine.items() if one.state is State.DELIVERED}
        if self.messages:
            return found
        earlier = deliveries.others(conn, parcel.sync, parcel.seq, parcel.keys())
        for key, entries in earlier.items():
            last = next((e for e in entries if e.state is State.DELIVERED), None)
            if last and (key not in found or last.seq > found[key].seq):
                found[key] = last
        return found


def with_remote(row: Row, known: Delivery | None) -> Row:
    return {**row, REMOTE: known.remote if known else None}


def _lives(entry: Delivery) -> bool:
    return entry.act is not Act.DELETE
