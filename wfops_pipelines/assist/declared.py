"""What a sync asks of its assistants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RowsOf:
    """Rows of a table that a sync of this project publishes, found by a row of this one.

    table: "schema.table". match: their column = the column of this row. columns: which to show.
    where: their column = a fixed value. limit: at most so many.
    """

    table: str
    match: Mapping[str, str]
    columns: tuple[str, ...]
    where: Mapping[str, Any] = field(default_factory=dict)
    limit: int = 10


@dataclass(frozen=True, slots=True)
class Context:
    """What an assistant may look at: the row without its masked columns, and what belongs to it."""

    row: Row
    found: Mapping[str, Sequence[Row]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Drafting:
    """A text for `column`: from `template` (Jinja2, sandboxed), or a provider where there is one.

    task: what a provider is asked for, in words. name: the column with the name of the person that
    the text is for, which it must contain.
    """

    column: str
    template: Path
    context: Mapping[str, RowsOf]
    task: str
    name: str | None


@dataclass(frozen=True, slots=True)
class Classify:
    """One of the labels in the file `seed` for `column`, from the columns `text`.

    seed: lines of {"text": …, "label": …}. at_least: the confidence (0-1) below which the cell
    stays empty, and a person labels.
    """

    column: str
    text: tuple[str, ...]
    seed: Path
    at_least: float


@dataclass(frozen=True, slots=True)
class Tidy:
    """A repair of `column` by `rule`: proposed, or, when `standing`, applied and noted."""

    column: str
    rule: str
    region: str
    accepted: tuple[str, ...]
    standing: bool


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Rows that are probably another row, by how alike `columns` are (`at_least`, of 100)."""

    columns: tuple[str, ...]
    at_least: float

    @property
    def column(self) -> str:
        """What its drafts are filed under; no column has this name."""
        return f"duplicate by {', '.join(self.columns)}"


def duplicates(columns: Sequence[str], *, at_least: float = 93.0) -> Duplicates:
    """Propose to leave out rows that are probably the same as one that is there already.

    duplicates(("first_name", "last_name", "company")): two rows with different keys whose texts
    are `at_least` this much alike (of 100) in the mean, and none much less. The row waits; whoever
    decides leaves it out, or lets it go, and then the pair is not proposed again.
    """
    return Duplicates(tuple(columns), at_least)


def tidy(
    column: str,
    rule: str,
    *,
    region: str = "",
    accepted: Sequence[str] = (),
    standing: bool = False,
) -> Tidy:
    """Propose the tidy form of texts in `column`; a row with a proposal waits for a person.

    rule: "trim", "lower", "upper", "email", "phone" (E.164; `region` as "DE" for numbers without a
    country), "date" (to 2026-03-31), "country" (to its short name) or "spelling" (to the nearest
    of `accepted`). standing: apply it before the snapshot is staged, and say so in its evidence;
    `wfops prepare` says which rules people have accepted often enough for that.
    """
    return Tidy(column, rule, region, tuple(accepted), standing)


def rows_of(
    table: str,
    *,
    match: Mapping[str, str],
    columns: Sequence[str],
    where: Mapping[str, Any] | None = None,
    limit: int = 10,
) -> RowsOf:
    """Rows of `table` ("schema.table") whose columns equal columns of the row that is drafted for.

    rows_of("crm.contacts", match={"email": "customer_email"}, columns=("company", "stage"))
    """
    return RowsOf(table, dict(match), tuple(columns), dict(where or {}), limit)


def draft(
    column: str,
    *,
    template: Path | str,
    context: Mapping[str, RowsOf] | None = None,
    task: str = "Write the reply to this message.",
    name: str | None = None,
) -> Drafting:
    """Draft a text for `column` of each new row; a person accepts, edits or refuses it.

    The template sees the row as `row` and each entry of `context` as a list of rows. With
    WFOPS_ASSIST_URL set, `task` goes to that endpoint with the same data, and the template is what
    takes over when it fails. name: the column that names the person whom the text addresses.
    """
    return Drafting(column, Path(template), dict(context or {}), task, name)


def classify(
    column: str, *, text: Sequence[str], seed: Path | str, at_least: float = 0.6
) -> Classify:
    """Propose a label for `column` of each new row, learned from `seed` and from accepted rows.

    Below the confidence `at_least` (0-1) the cell stays empty and a person labels the row.
    """
    return Classify(column, tuple(text), Path(seed), at_least)
