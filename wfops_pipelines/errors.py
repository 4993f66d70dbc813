"""The error tree. Every message says what is wrong, where, and how to repair it.

WfopsError
├── ProjectError                a file of the project is wrong
├── SettingsError               the environment is wrong
├── SyncFailure                 a step of a sync failed; classified for the reviewer
│   ├── SourceRefused           auth: the source refused the credentials
│   ├── SourceRateLimited       rate_limit: still limited after all retries
│   ├── SourceUnreachable       network: time-outs, 5xx, broken connections after all retries
│   ├── SourceMalformed         bad_data: an answer that is not what the API promises
│   ├── SchemaRefused           schema: rows that cannot be staged as a table
│   ├── SnapshotDamaged         our_bug: a staged file is missing or not what its digest says
│   ├── StateUnwritable         our_bug: the disk of the state folder is full
│   └── DestinationRefused      destination_refused: the destination said no
│       ├── RowRefused              it refused this very row, and will refuse it again
│       ├── DestinationDenied       auth: it refused the credentials
│       ├── DestinationRateLimited  rate_limit: still limited after all retries
│       └── DestinationUnreachable  network: time-outs, 5xx, broken connections after all retries
└── DecisionRefused             a decision was not taken; nothing changed
    ├── AlreadyDecided          somebody else was first
    ├── EvidenceChanged         the decision was about other evidence than the current one
    ├── NotAllowed              this person may not take it
    └── BadDecision             the decision itself is malformed
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar, TypeAlias


class FailureKind(Enum):
    """The class of a failure: who can act on it."""

    AUTH = "auth"  # renew the credentials
    RATE_LIMIT = "rate_limit"  # wait, or ask the vendor for more
    NETWORK = "network"  # the other side is down or unreachable
    SCHEMA = "schema"  # the source changed its shape
    BAD_DATA = "bad_data"  # the answer is not what the API promises
    DESTINATION_REFUSED = "destination_refused"  # the destination said no
    OUR_BUG = "our_bug"  # none of the above


class WfopsError(Exception):
    """Any error that this package raises on purpose."""


class ProjectError(WfopsError):
    """A file of the project is wrong: names the file, the field and the repair."""

    def __init__(self, file: object, field: str, problem: str, repair: str) -> None:
        self.file, self.field, self.problem, self.repair = str(file), field, problem, repair
        super().__init__(f"{file}: {field}: {problem}. Repair: {repair}")


Tell: TypeAlias = Callable[[ProjectError], None]
"""What becomes of a problem of the project: it is raised, or written down."""


def refuse(problem: ProjectError) -> None:
    raise problem


class SettingsError(WfopsError):
    """The environment is wrong: names the variable and the repair."""


class SyncFailure(WfopsError):
    """A step of a sync failed. `transient` failures may pass when tried again later.

    `exchange` is the request and the answer that it is about, as `core.exchange` keeps them.
    """

    kind: ClassVar[FailureKind] = FailureKind.OUR_BUG
    transient: ClassVar[bool] = False

    def __init__(self, message: str = "", exchange: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.exchange = exchange


class SourceRefused(SyncFailure):
    kind = FailureKind.AUTH


class SourceRateLimited(SyncFailure):
    kind = FailureKind.RATE_LIMIT
    transient = True


class SourceUnreachable(SyncFailure):
    kind = FailureKind.NETWORK
    transient = True


class SourceMalformed(SyncFailure):
    kind = FailureKind.BAD_DATA


class SchemaRefused(SyncFailure):
    kind = FailureKind.SCHEMA


class SnapshotDamaged(SyncFailure):
    kind = FailureKind.OUR_BUG


class StateUnwritable(SyncFailure):
    kind = FailureKind.OUR_BUG
    transient = True


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A row that a destination refused for good, and does not have.

    `seq` is the snapshot's number, `act` what was tried (create, update, delete), `said` why not.
    """

    seq: int
    key: str
    act: str
    said: str


class DestinationRefused(SyncFailure):
    """`rows` are those that were refused for good; a person may leave them out.

    `perhaps`: an earlier try of the same request may have been done all the same.
    """

    kind = FailureKind.DESTINATION_REFUSED

    def __init__(
        self,
        message: str = "",
        exchange: Mapping[str, Any] | None = None,
        rows: Sequence[RefusedRow] = (),
    ) -> None:
        super().__init__(message, exchange)
        self.rows, self.perhaps = tuple(rows), False


class RowRefused(DestinationRefused):
    """Asked again, the destination would say the same of this row."""


class DestinationDenied(DestinationRefused):
    kind = FailureKind.AUTH


class DestinationRateLimited(DestinationRefused):
    kind = FailureKind.RATE_LIMIT
    transient = True


class DestinationUnreachable(DestinationRefused):
    kind = FailureKind.NETWORK
    transient = True


class DecisionRefused(WfopsError):
    """A decision was not taken; nothing changed."""


class AlreadyDecided(DecisionRefused):
    pass


class EvidenceChanged(DecisionRefused):
    pass


class NotAllowed(DecisionRefused):
    pass


class BadDecision(DecisionRefused):
    pass
