"""What the examiners of a snapshot say: check results and findings."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, TypeAlias

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"


class Severity(Enum):
    """How much a finding weighs in the verdict."""

    INFO = "info"  # shown
    WARNING = "warning"  # shown; holds where the policy says so
    CRITICAL = "critical"  # holds

    @property
    def rank(self) -> int:
        return list(Severity).index(self)


class Outcome(Enum):
    """How one check of a snapshot ended."""

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"  # the examiner could not tell: holds, like a critical failure


@dataclass(frozen=True, slots=True)
class Finding:
    """One observation about a snapshot (`keys` empty) or about some of its rows.

    `check` is `<examiner>` or `<examiner>:<name>`, for example `expectation:email_is_never_empty`
    or `anomaly`. `keys` are the values of the sync's key column, as text; where details say
    `whole`, they are the rows that make it so, and it is about all rows. `measured` and `expected`
    are JSON values or short texts in the column's own units.
    """

    check: str
    severity: Severity
    sentence: str
    column: str | None = None
    measured: Json = None
    expected: Json = None
    keys: tuple[str, ...] = ()
    details: Mapping[str, Json] = field(default_factory=dict)

    @property
    def about_rows(self) -> bool:
        """Whether it is about the rows that it names alone, and not about all of them, too."""
        return bool(self.keys) and not self.details.get("whole")

    @property
    def names_none(self) -> bool:
        """Whether it says that the key names no row, so that no approval can let any of them go.

        Rows that have no key beside others that have one can be left out.
        """
        crashed, some = self.details.get("crashed"), self.details.get("nameless")
        return self.check == "key" and not crashed and not some

    def reasons_of(self, key: str, masked: Collection[str] = ()) -> list[tuple[str, str]]:
        """What is told of one row beside the sentence, as (column, words); often nothing.

        Of columns that are masked, only that there is something.
        """
        of_rows: Any = self.details.get("reasons")
        told = of_rows.get(key, ()) if isinstance(of_rows, dict) else self._repair_of(key)
        return [(c, f"{c} (masked)" if c in masked else words) for c, _, words in told]

    def _repair_of(self, key: str) -> list[tuple[str, str, str]]:
        """The row's own cell of a repair, whose sentence quotes the first row's."""
        changes: Any = self.details.get("changes")
        if self.check != "preparation" or not changes:
            return []
        did = "was tidied" if self.details.get("applied") else "could be tidied"
        return [
            (str(self.column), "", f"{self.column} {did}: “{old}” → “{new}” ({why})")
            for row, old, new, why in changes
            if row == key
        ]

    def as_json(self) -> dict[str, Json]:
        return {
            "check": self.check,
            "severity": self.severity.value,
            "sentence": self.sentence,
            "column": self.column,
            "measured": self.measured,
            "expected": self.expected,
            "keys": list(self.keys),
            "details": dict(self.details),
        }

    @classmethod
    def from_json(cls, body: Mapping[str, Json]) -> Finding:
        keys, details, column = body["keys"], body["details"], body["column"]
        assert isinstance(keys, list)
        assert isinstance(details, dict)
        return cls(
            check=str(body["check"]),
            severity=Severity(body["severity"]),
            sentence=str(body["sentence"]),
            column=None if column is None else str(column),
            measured=body["measured"],
            expected=body["expected"],
            keys=tuple(str(k) for k in keys),
            details=details,
        )


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The outcome of one expectation on one snapshot.

    `name` is a stable identifier (letters, digits, underscores) unique in its suite; `words` say
    what is expected ("email is never empty"). `rows` is the number of rows examined, `failed_keys`
    every failing row's key as text (empty for expectations about the whole snapshot),
    `failed_rows` their count. `error` explains an outcome of ERROR.
    """

    name: str
    words: str
    outcome: Outcome
    severity: Severity
    column: str | None = None
    measured: Json = None
    expected: Json = None
    rows: int = 0
    failed_rows: int = 0
    failed_keys: tuple[str, ...] = ()
    error: str | None = None

    def as_json(self) -> dict[str, Json]:
        return {
            "name": self.name,
            "words": self.words,
            "outcome": self.outcome.value,
            "severity": self.severity.value,
            "column": self.column,
            "measured": self.measured,
            "expected": self.expected,
            "rows": self.rows,
            "failed_rows": self.failed_rows,
            "failed_keys": list(self.failed_keys),
            "error": self.error,
        }

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> CheckResult:
        outcome, severity = Outcome(body["outcome"]), Severity(body["severity"])
        keys = tuple(body["failed_keys"])
        return cls(**{**body, "outcome": outcome, "severity": severity, "failed_keys": keys})


def findings_of(evidence: Mapping[str, Any]) -> list[Finding]:
    """What was found, of the evidence as it is stored."""
    return [Finding.from_json(body) for body in evidence["findings"]]


def counted_rows(n: int) -> str:
    """ "1 row", "2,000 rows"."""
    return counted(n, "row")


def counted(n: int, noun: str) -> str:
    """ "1 day", "2,000 days"."""
    return f"{n:,} {plural(n, noun)}"


def plural(n: int, noun: str) -> str:
    """The noun as it stands after this number."""
    return noun if n == 1 else f"{noun}s"
