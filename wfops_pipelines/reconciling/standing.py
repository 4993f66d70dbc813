"""Which versions of a row were written at the destination, and which one stands there by that.

A destination leaves out what is older than what it holds, and a revert puts back what the reverted
publication had replaced: what was left out in between comes back with neither.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from wfops_pipelines.core.snapshot import AWAY, CHANGED
from wfops_pipelines.destinations.files import FileTable


@dataclass(frozen=True, slots=True)
class Turn:
    """What was done with one version of a row at the destination.

    version: what guards newer rows there. out, back: when it was published, and taken back. stayed:
    why it was not taken back although it was to be; see `Reverted`.
    """

    seq: int
    version: int
    out: datetime
    back: datetime | None = None
    stayed: str | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """What came of all turns of a row.

    now: the one that the destination holds; None where it is none of them. over: by snapshot, the
    one that was there already when that one was published, so that it was not written.
    """

    now: Turn | None
    over: dict[int, Turn]

    def beaten(self, turn: Turn) -> Turn | None:
        """What was there when this one was published, taken back since, so that the destination
        holds an older row than this one."""
        over = self.over.get(turn.seq)
        behind = self.now is None or self.now.version < turn.version
        return over if over is not None and over.back is not None and behind else None


def standing(turns: Sequence[Turn]) -> Standing:
    """Do again with one row what the destination was told to do."""
    now: Turn | None = None
    before: dict[int, Turn | None] = {}
    over: dict[int, Turn] = {}
    for turn, back in _in_order(turns):
        if not back and now is not None and now.version >= turn.version:
            over[turn.seq] = now
        elif not back:
            before[turn.seq], now = now, turn
        elif turn.stayed != CHANGED:
            was = before.pop(turn.seq, None)
            if now is turn:
                now = None if turn.stayed == AWAY else was
            before |= {seq: was for seq, one in before.items() if one is turn}
    return Standing(now, over)


def _in_order(turns: Sequence[Turn]) -> Iterator[tuple[Turn, bool]]:
    """Each publication and (True) each revert, as they came."""
    out = [(t.out, False, t.version, t) for t in turns]
    back = [(t.back, True, t.version, t) for t in turns if t.back is not None]
    for _, is_back, _, turn in sorted([*out, *back], key=lambda act: act[:3]):
        yield turn, is_back


def keeps_all(destination: object) -> bool:
    """Whether an older row is kept behind a newer one, and shows again where that is reverted."""
    return isinstance(destination, FileTable)


def too_late(over: int, *, kept: bool = False) -> str:
    """Why a row that was let go is not what the destination holds."""
    what = "kept behind what is there" if kept else "not written"
    return f"but {what}: #{over} was there already, a newer one"


def taken_since(over: int, held: str) -> str:
    """What the revert of what was there first did not bring, and what the destination holds."""
    return (
        f"#{over} was reverted since, which did not bring this one: the destination holds {held}, "
        "and only a change at the source brings a newer one"
    )


def row_of(seq: int | None) -> str:
    """What the destination holds of a row; None: nothing."""
    return "none of its rows" if seq is None else f"the row of #{seq}"
