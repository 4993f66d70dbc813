"""Take back what was sent to a SaaS API: each row at most once, and go on where it broke off.

A row that was created is deleted, one that was updated gets its former fields, one that was deleted
is created anew. A record that is newer by now, or that somebody changed since, stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from wfops_pipelines.core.snapshot import AWAY, CHANGED, NEWER
from wfops_pipelines.destinations import deliveries, images
from wfops_pipelines.destinations.calling import Caller
from wfops_pipelines.destinations.deliveries import REVERSALS, Act, Delivery, State
from wfops_pipelines.destinations.looking import batches
from wfops_pipelines.destinations.parcel import Parcel, Reverted
from wfops_pipelines.destinations.readback import remote_id
from wfops_pipelines.destinations.refusals import Refusals, left_open, outcome
from wfops_pipelines.destinations.rest import RestDestination, with_remote
from wfops_pipelines.destinations.sending import AFRESH, AT_ONCE, NOT_THERE
from wfops_pipelines.errors import DestinationRefused

if TYPE_CHECKING:
    from sqlalchemy import Connection

Row = Mapping[str, Any]


class TakingBack:
    """One try to revert one parcel. What it did is in a ledger of its own, whatever comes."""

    def __init__(
        self, to: RestDestination, parcel: Parcel, ledger: Connection, caller: Caller
    ) -> None:
        assert parcel.keep is not None
        self._to, self._parcel, self._ledger, self._caller = to, parcel, ledger, caller
        sync, seq = parcel.sync, parcel.seq
        self._sent = deliveries.of_snapshot(ledger, sync, seq)
        self._mine = deliveries.of_snapshot(ledger, sync, seq, REVERSALS)
        self._others = deliveries.others(ledger, sync, seq, parcel.keys())
        self._images = images.of_snapshot(ledger, parcel.keep, sync)
        self._seen: dict[str, Any] = {}
        self._refusals = Refusals(to.system, sync)
        self._done = {"restored": 0, "deleted": 0}
        self._stayed: dict[str, str] = {}

    def all(self) -> Reverted:
        """Take back every row that was not yet; a refused one stops no other.

        Raises a DestinationRefused at the end when not all of it could be done.
        """
        rows = ((str(row[self._parcel.key]), row) for row in self._parcel.each())
        for part in batches(rows, AT_ONCE):
            open_ = [(key, row) for key, row in part if self._is_open(key)]
            self._seen = self._to.look_all(self._caller, open_, self._sent, sure=True)
            if not all(self._refusals.tried(partial(self._one, *each)) for each in part):
                break
        self._refusals.complain("been created anew", " The others were taken back.")
        return Reverted(**self._done, newer=len(self._stayed), stayed=self._stayed)

    def _is_open(self, key: str) -> bool:
        """Whether what the API has of a row decides about it."""
        sent, mine = self._sent.get(key), self._mine.get(key)
        afresh = mine is None or mine.state in AFRESH
        return sent is not None and sent.state is State.DELIVERED and afresh

    def _one(self, key: str, row: Row) -> None:
        sent, mine = self._sent.get(key), self._mine.get(key)
        if mine is not None and mine.state is State.DELIVERED:
            self._count(mine)
            if sent is not None and sent.state is State.DELIVERED:
                self._close(sent)  # a person settled it, or something crashed in between
        elif sent is None or sent.state is not State.DELIVERED:
            self._stayed[key] = NEWER  # it was stale when it was published, or changed nothing
        elif self._is_superfluous(sent):
            self._stayed[key] = NEWER
            self._close(sent)
        elif mine is not None and not self._to.may_repeat(mine):
            self._find_out(sent, mine, row)
        elif self._is_open(key) and self._changed(sent, row):
            self._stayed[key] = CHANGED
        else:
            self._take_back(sent, self._planned(sent, mine), row)

    def _is_superfluous(self, sent: Delivery) -> bool:
        """Whether the row is newer by now, or nothing was there before, which is so again."""
        image = self._images.get(sent.key)
        nothing = "record" not in image if image else sent.error is not None
        if sent.act is Act.DELETE and nothing:
            return True
        return any(o.seq > self._parcel.seq for o in self._others.get(sent.key, []))

    def _planned(self, sent: Delivery, mine: Delivery | None) -> Delivery:
        """What is to be done; after a crash the same again, with the same key."""
        if mine is not None:
            return mine
        image = self._images.get(sent.key)
        if image is None and sent.act is not Act.CREATE:
            raise DestinationRefused(
                f"row {sent.key}: what it was before {self._parcel.sync} was published was not "
                "kept, so it cannot be restored. Repair it at the API by hand."
            )
        act = Act.DELETE  # nothing was there before, or only what was reverted since
        if image is not None and "record" in image:
            act = Act.CREATE if sent.act is Act.DELETE else Act.UPDATE
        return Delivery(sent.seq, sent.key, State.SENDING, act, sent.remote)

    def _changed(self, sent: Delivery, row: Row) -> bool:
        """Whether the record is no more what was sent: somebody's newer work stays."""
        record = self._seen[sent.key]
        if sent.act is Act.DELETE:
            return record is not None
        if record is None:
            return sent.act is not Act.CREATE
        return self._to.differs(record, row)

    def _take_back(self, sent: Delivery, entry: Delivery, row: Row) -> None:
        if entry.act is Act.DELETE and self._seen.get(entry.key, entry) is None:
            self._arrived(sent, replace(entry, error=NOT_THERE))
            return
        call, values = self._to.call_of(entry), with_remote(row, entry)
        with outcome(entry, self._note):
            path = call.filled(values)
            former = None if entry.act is Act.DELETE else self._images[entry.key]["record"]
            body = self._to.body_of(entry, row, former)
            self._note(replace(entry, state=State.SENDING, error=None))
            asked = ("revert", entry.act.value, path, body)
            idem = deliveries.idempotency_key(self._parcel.sync, entry.seq, entry.key, asked)
            answer = self._caller.send(call, path, body, idem)
            if answer.gone and entry.act is not Act.DELETE:
                raise answer.gone
        remote = remote_id(answer.body) or entry.remote
        said = NOT_THERE if answer.gone else None
        self._arrived(sent, replace(entry, remote=remote, error=said))

    def _arrived(self, sent: Delivery, entry: Delivery) -> None:
        done = replace(entry, state=State.DELIVERED)
        if done.act is not Act.DELETE and done.remote:
            sync, seq = self._parcel.sync, self._parcel.seq
            deliveries.rename(self._ledger, sync, sent.key, seq, done.remote)
        self._note(done)
        self._count(done)
        self._close(sent)

    def _close(self, sent: Delivery) -> None:
        """The ledger of deliveries no longer says that the API has this of us."""
        assert self._parcel.keep is not None
        sync, seq = self._parcel.sync, self._parcel.seq
        images.forget(self._ledger, self._parcel.keep, sync, seq, self._images, [sent.key])
        deliveries.note(self._ledger, sync, replace(sent, state=State.REVERTED))

    def _count(self, mine: Delivery) -> None:
        if mine.error == NOT_THERE:
            self._stayed[mine.key] = AWAY
        else:
            self._done["deleted" if mine.act is Act.DELETE else "restored"] += 1

    def _find_out(self, sent: Delivery, mine: Delivery, row: Row) -> None:
        """It may have been created anew: ask the API by the row's own key, or leave it open."""
        read = self._to.read
        if read is not None and not self._to.needs_remote(read):
            record = self._to.look(self._caller, row, mine)
            if record is None:
                self._take_back(sent, mine, row)
            else:
                self._arrived(sent, replace(mine, remote=remote_id(record) or mine.remote))
            return
        self._refusals.unknown.append(left_open(mine, self._note))

    def _note(self, entry: Delivery) -> None:
        deliveries.note(self._ledger, self._parcel.sync, entry, REVERSALS)
        if entry.state is State.DELIVERED:
            self._refusals.arrived()
