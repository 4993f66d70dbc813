"""Send the rows of one parcel to a SaaS API: each at most once, and go on where it broke off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from wfops_pipelines.core.progress import Progress
from wfops_pipelines.core.snapshot import DELETED
from wfops_pipelines.destinations import deliveries, images
from wfops_pipelines.destinations.calling import Answer, Caller
from wfops_pipelines.destinations.calls import Call
from wfops_pipelines.destinations.deliveries import OPEN, Act, Delivery, State
from wfops_pipelines.destinations.looking import batches
from wfops_pipelines.destinations.parcel import Parcel, Written
from wfops_pipelines.destinations.readback import remote_id
from wfops_pipelines.destinations.refusals import (
    Refusals,
    about_row,
    left_open,
    outcome,
    sent_fate,
)
from wfops_pipelines.destinations.rest import RestDestination, with_remote
from wfops_pipelines.errors import DestinationRefused

if TYPE_CHECKING:
    from sqlalchemy import Connection

Row = Mapping[str, Any]
NOT_THERE = "it was not there"  # of a delivery that deleted nothing
READABLE = timedelta(minutes=10)  # what was written before can be read: some APIs answer late
AT_ONCE = 100  # rows whose records are read ahead
# of a row that the API does not have of this snapshot
AFRESH = (State.FAILED, State.REFUSED, State.AGAIN)


class Sending:
    """One try of one parcel. What it did is in the ledger, whatever becomes of it."""

    def __init__(
        self, to: RestDestination, parcel: Parcel, ledger: Connection, caller: Caller
    ) -> None:
        self._to, self._parcel, self._ledger, self._caller = to, parcel, ledger, caller
        self._mine = deliveries.of_snapshot(ledger, parcel.sync, parcel.seq)
        self._others = deliveries.others(ledger, parcel.sync, parcel.seq, parcel.keys())
        self._keeps = parcel.keep is not None and to.no_undo(parcel.key) is None
        self._seen: dict[str, Any] = {}
        self._sent: frozenset[str] = frozenset()
        self._taken: frozenset[str] = frozenset()
        self._refusals = Refusals(to.system, parcel.sync)
        self._progress = Progress(parcel.sync, "sent", parcel.content.num_rows)
        self._count = {"stale": 0, "create": 0, "update": 0, "delete": 0}

    def all(self) -> Written:
        """Send every row that was not delivered yet.

        A row that the API refuses, or whose outcome nobody knows, does not stop the others; at
        the end a DestinationRefused says so. One that is about the system stops at once.
        """
        for part in batches(self._parcel.each(), AT_ONCE):
            self._look_ahead(part)
            if not all(self._tried(row) for row in part):
                break
        self._refusals.complain("arrived")
        done = self._count
        return Written(done["create"], done["update"], done["stale"], done["delete"])

    def _tried(self, row: Row) -> bool:
        self._progress.step()
        return self._refusals.tried(partial(self._one, row))

    def _look_ahead(self, rows: Sequence[Row]) -> None:
        """Read the records that will be needed, by batches or side by side."""
        wanted = [(key, row) for row in rows if self._needs_look(key := self._key(row), row)]
        known = {key: one for key, _ in wanted if (one := self._last(key))}
        since = datetime.now(UTC) - READABLE
        lately = self._ledger, self._parcel.sync, [key for key, _ in wanted], since
        self._sent = deliveries.written(*lately)
        self._taken = deliveries.written(*lately, deliveries.REVERSALS)
        try:
            self._seen = self._to.look_all(self._caller, wanted, known, sure=True)
        except DestinationRefused as error:
            if not about_row(error):
                raise
            self._seen = {}  # it is asked for with its row, which then is named

    def _needs_look(self, key: str, row: Row) -> bool:
        mine, last = self._mine.get(key), self._last(key)
        if self._to.read is None or self._to.messages or (mine and mine.state not in AFRESH):
            return False
        if any(o.seq > self._parcel.seq or o.state in OPEN for o in self._others.get(key, [])):
            return False
        if last is None:
            return not row.get(DELETED)
        return self._keeps or bool(row.get(DELETED) and self._to.gone)

    def _last(self, key: str) -> Delivery | None:
        """The newest delivery of a row that arrived, before this snapshot."""
        found = self._others.get(key, [])
        return next((o for o in found if o.state is State.DELIVERED), None)

    def _record(self, key: str, row: Row, known: Delivery | None) -> Any:
        if key in self._seen:
            return self._seen[key]
        return self._to.look(self._caller, row, known)

    def _key(self, row: Row) -> str:
        return str(row[self._parcel.key])

    def _one(self, row: Row) -> None:
        key = self._key(row)
        mine, others = self._mine.get(key), self._others.get(key, [])
        if mine is not None and mine.state is State.DELIVERED:
            self._count[mine.act.value] += mine.error is None
        elif mine is not None and mine.state is State.LEFT_OUT:
            return
        elif any(o.seq > self._parcel.seq for o in others):
            self._count["stale"] += 1
        elif not self._to.messages and any(o.state in OPEN for o in others):
            self._refusals.unknown.append(key)  # what it builds on is not known
        elif mine is not None and not self._to.may_repeat(mine):
            self._find_out(mine, row)
        else:
            self._deliver(self._decided(key, row, mine), row)

    def _decided(self, key: str, row: Row, mine: Delivery | None) -> Delivery:
        """What is to be done with this row, from the ledger or from the API itself."""
        known = self._last(key)
        lives, remote = known is not None and known.act is not Act.DELETE, None
        if known is not None:
            remote = known.remote
        if mine is not None and mine.state is State.SENDING:  # the same again, with the same key
            created = mine.act is Act.CREATE
            return replace(mine, remote=mine.remote or (None if created else remote))
        if row.get(DELETED):
            act = Act.DELETE
        elif self._to.messages:
            act = Act.CREATE
        else:
            if known is None and self._to.read is not None:
                record = self._record(key, row, None)
                lives, remote = record is not None, remote_id(record)
            act = Act.UPDATE if lives else Act.CREATE
        if act is Act.CREATE:
            remote = None  # what was deleted had that name: whoever looks for it finds nothing
        return Delivery(self._parcel.seq, key, State.SENDING, act, remote)

    def _deliver(self, entry: Delivery, row: Row) -> None:
        call = self._to.call_of(entry)
        if entry.act is Act.DELETE and self._is_not_there(entry, call):
            self._keep_absence(entry.key)
            self._note(replace(entry, state=State.DELIVERED, error=NOT_THERE))
            return
        values = with_remote(row, entry)
        with outcome(entry, self._note, sent_fate(self._mine.get(entry.key))):
            path = call.filled(values)
            body = self._to.body_of(entry, row)
            self._keep_image(entry, row)
            asked = entry.act.value, path, body
            if self._is_as_sent(entry, row, asked):
                done = replace(entry, state=State.DELIVERED, error=deliveries.AS_IT_WAS)
                self._note(done, self._idem(entry.seq, entry.key, asked))
                return
            idem = self._under_way(replace(entry, state=State.SENDING, error=None), asked)
            answer = self._send(call, path, body, entry, idem)
        if answer.gone and entry.act is Act.UPDATE:  # as the diff had it: it is created
            self._note(replace(entry, state=State.REFUSED, error=str(answer.gone)))
            self._deliver(replace(entry, act=Act.CREATE, remote=None), row)
            return
        self._count[entry.act.value] += answer.gone is None
        remote = remote_id(answer.body) or entry.remote
        what = NOT_THERE if answer.gone else None
        self._note(replace(entry, state=State.DELIVERED, remote=remote, error=what))

    def _is_not_there(self, entry: Delivery, call: Call) -> bool:
        """Whether the API never had the record, or says that it has it no longer."""
        unnamed = self._to.needs_remote(call) and entry.remote is None
        return unnamed or self._seen.get(entry.key, entry) is None

    def _is_as_sent(self, entry: Delivery, row: Row, asked: Sequence[Any]) -> bool:
        """Whether the record that was read just now is what would be sent, and no late answer.

        Late or not, where what was sent for it lately is the same.
        """
        record = self._seen.get(entry.key)
        if entry.act is not Act.UPDATE or record is None or entry.key in self._taken:
            return False
        if entry.key in self._sent and not self._was_asked_last(entry.key, asked):
            return False
        return not self._to.would_change(record, row, self._parcel.key)

    def _was_asked_last(self, key: str, asked: Sequence[Any]) -> bool:
        last = self._last(key)
        return last is not None and last.idem == self._idem(last.seq, key, asked)

    def _keep_image(self, entry: Delivery, row: Row) -> None:
        """What the record was before, unless this is a try that may have changed it already."""
        mine, keep = self._mine.get(entry.key), self._parcel.keep
        if keep is None or not self._keeps or (mine is not None and mine.state not in AFRESH):
            return
        last = self._last(entry.key)
        if entry.act is Act.CREATE and last is None:
            return  # there was nothing before
        record = None if entry.act is Act.CREATE else self._record(entry.key, row, last)
        image: dict[str, Any] = {"seq": last.seq if last else None}
        if record is None:
            image["gone"] = True
        else:
            image["record"] = self._to.image_of(record)
        images.store(self._ledger, keep, self._parcel.sync, entry.key, image)

    def _keep_absence(self, key: str) -> None:
        """Nothing was there, by what was sent last: were that taken back, it would be there."""
        keep, last = self._parcel.keep, self._last(key)
        if keep is not None and self._keeps and last is not None:
            image = {"seq": last.seq, "gone": True}
            images.store(self._ledger, keep, self._parcel.sync, key, image)

    def _under_way(self, entry: Delivery, asked: Sequence[Any]) -> str:
        """Written down before it is sent, with the idempotency key that every try has."""
        mine = self._mine.get(entry.key)
        if mine is not None and mine.state is State.REFUSED:  # an API may answer a key as before
            asked = *asked, mine.idem
        fresh = self._idem(entry.seq, entry.key, asked)
        return deliveries.note(self._ledger, self._parcel.sync, entry, idem=fresh)

    def _idem(self, seq: int, key: str, asked: Sequence[Any]) -> str:
        return deliveries.idempotency_key(self._parcel.sync, seq, key, asked)

    def _send(self, call: Call, path: str, body: Any, entry: Delivery, idem: str) -> Answer:
        answer = self._caller.send(call, path, body, idem)
        if answer.gone and entry.act is Act.CREATE:  # it is the address that is not there
            raise DestinationRefused(str(answer.gone), answer.gone.exchange)
        if answer.gone and entry.act is Act.UPDATE and not self._was_deleted(entry.key):
            raise answer.gone
        return answer

    def _was_deleted(self, key: str) -> bool:
        """Whether it can be read, too, that somebody deleted the record over there.

        Not so soon after something was sent for it that the API may answer late.
        """
        may = self._to.create is not None and key not in self._sent
        return may and self._seen.get(key, key) is None

    def _find_out(self, mine: Delivery, row: Row) -> None:
        """It may have arrived and must not be sent twice: ask the API, or leave it to a person."""
        if self._to.read is not None and self._readable(mine):
            record = self._to.look(self._caller, row, mine)
            if not self._is_done(mine, record, row):
                self._deliver(mine, row)
                return
            if mine.act is not Act.UPDATE or not self._to.says_more(self._parcel.key):
                self._count[mine.act.value] += 1
                remote = remote_id(record) or mine.remote
                self._note(replace(mine, state=State.DELIVERED, remote=remote))
                return
        self._refusals.unknown.append(left_open(mine, self._note))

    def _readable(self, mine: Delivery) -> bool:
        assert self._to.read is not None
        return not self._to.needs_remote(self._to.read) or mine.remote is not None

    def _is_done(self, mine: Delivery, record: Any, row: Row) -> bool:
        """Whether the record is as it should be, so far as it can be read."""
        if mine.act is Act.DELETE:
            return record is None
        return record is not None and not self._to.differs(record, row)

    def _note(self, entry: Delivery, idem: str = "") -> None:
        deliveries.note(self._ledger, self._parcel.sync, entry, idem=idem)
        if entry.state is State.DELIVERED:
            self._refusals.arrived()
