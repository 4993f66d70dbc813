"""Rows of a publication that broke off at an API, where each row arrives by itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from wfops_pipelines.destinations.deliveries import Delivery, State
from wfops_pipelines.reconciling.fates import Fate, Fates, Told


def told_of_sent(told: Told, key: str, fates: Fates, sent: Mapping[str, Delivery]) -> Told:
    """What became of a row by the ledger of what was sent, too.

    Of one that waits for the machine by all else, it says whether it has arrived before the others
    of its snapshot, or whether a person must see to it.
    """
    entry = sent.get(key)
    if told.fate is not Fate.WAITING or entry is None or not fates.judged:
        return told
    if entry.at is not None and entry.at < fates.snapshot.staged_at:
        return told  # it was sent as it was before somebody edited it
    if entry.state is State.DELIVERED:
        words = "published: it has arrived; of its snapshot not all is done yet"
        return Told(Fate.PUBLISHED, words, entry.at, entry.at)
    if entry.state is State.REFUSED:
        words = "let go, and refused by the API: it waits for a person, see `wfops reviews`"
        return Told(Fate.HELD, words, entry.at)
    if entry.state is State.UNKNOWN:
        words = (
            "let go, and perhaps arrived: a person finds out, see "
            f"`wfops deliveries {fates.snapshot.sync}`"
        )
        return Told(Fate.HELD, words, entry.at)
    return replace(told, words=f"{told.words}; sending it is tried again")
