"""Everything that the sandbox knows, made from a seed and a day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from wfops_pipelines.sandbox.contacts import contacts
from wfops_pipelines.sandbox.history import Life
from wfops_pipelines.sandbox.invoices import customers, invoices
from wfops_pipelines.sandbox.rhythm import Span
from wfops_pipelines.sandbox.tickets import tickets


@dataclass(frozen=True, slots=True)
class World:
    """The lives of all records, by system: `crm`, `billing`, `support`."""

    span: Span
    lives: dict[str, Sequence[Life[Any]]]

    @classmethod
    def made(cls, seed: int, begun: datetime) -> World:
        """Make the world that a sandbox begun at `begun` shows: a pure function of both."""
        span = Span.around(begun)
        people = contacts(seed, span)
        payers = customers(seed, people)
        bills = invoices(seed, span, payers)
        return cls(
            span,
            {"crm": people, "billing": bills, "support": tickets(seed, span, people, payers)},
        )
