"""A measured value beside those of the last snapshots, as a small drawing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT, PAD = 240, 48, 6


@dataclass(frozen=True, slots=True)
class Plot:
    """`line` through the last snapshots, `dot` for this one, `band` between their extremes."""

    line: str
    dot: tuple[float, float]
    band: tuple[float, float]  # its upper edge and its height
    words: str
    width: int = WIDTH
    height: int = HEIGHT


def plot(past: Sequence[float]) -> Plot | None:
    """Of values oldest first, the last one being this snapshot's; None for fewer than three."""
    if len(past) < 3:
        return None
    low, high = min(past), max(past)
    step = (WIDTH - 2 * PAD) / (len(past) - 1)

    def place(i: int, value: float) -> tuple[float, float]:
        share = (value - low) / (high - low) if high > low else 0.5
        return round(PAD + i * step, 1), round(HEIGHT - PAD - share * (HEIGHT - 2 * PAD), 1)

    *old, new = [place(i, v) for i, v in enumerate(past)]
    top, bottom = min(y for _, y in old), max(y for _, y in old)
    return Plot(
        line=" ".join(f"{x},{y}" for x, y in old),
        dot=new,
        band=(round(top - 2, 1), round(bottom - top + 4, 1)),
        words=_words(past[:-1], past[-1]),
    )


def _words(old: Sequence[float], new: float) -> str:
    where = "within" if min(old) <= new <= max(old) else "above" if new > max(old) else "below"
    return f"{where} the {len(old)} snapshots before"
