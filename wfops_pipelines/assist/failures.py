"""Failures by cause, where the error itself does not say it: a proposal for the person who decides.

Learned from messages that libraries and services really give (`failures.jsonl`) and from the causes
that people gave to this project's failures.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from wfops_pipelines.assist.labels import Example, fit, seeds
from wfops_pipelines.core.drafts import Draft, DraftKind, prompt_digest

SEEDS = Path(__file__).with_name("failures.jsonl")
SURE = 0.6  # below it, a person labels
_PARTICULAR = re.compile(r"https?://\S+|\b[0-9a-f]{8,}\b|\b\d{5,}\b|/[\w./-]{12,}")


def failure_text(kind: str, message: str) -> str:
    """What of an error tells its cause: its type and its words, without addresses and ids."""
    return f"{kind}: {_PARTICULAR.sub(' ', message)[:600]}"


def propose(kind: str, message: str, accepted: Sequence[Example]) -> Draft:
    """A cause for an error of this type with this message; no value where it is unsure.

    `accepted`: (text, cause) of failures that people have labelled, oldest first.
    """
    model, text = fit(seeds(SEEDS), accepted), failure_text(kind, message)
    ranked = model.predict([text])[0]
    cause, chance = ranked[0]
    others = ", ".join(f"{name} {p:.0%}" for name, p in ranked[:3])
    return Draft(
        kind=DraftKind.LABEL,
        column="cause",
        value=cause if chance >= SURE else None,
        confidence=chance,
        why=others if chance >= SURE else f"too unsure, a person labels: {others}",
        model=model.name,
        prompt=prompt_digest([model.name, text]),
    )
