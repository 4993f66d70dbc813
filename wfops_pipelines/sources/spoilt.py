"""What went wrong with a file, in words that name the file, the place in it and the repair."""

from __future__ import annotations

import lzma
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from wfops_pipelines.apis.connection import variables
from wfops_pipelines.apis.stores import credentials
from wfops_pipelines.core.exchange import exchange
from wfops_pipelines.errors import (
    SchemaRefused,
    SourceMalformed,
    SourceRateLimited,
    SourceRefused,
    SourceUnreachable,
    SyncFailure,
)
from wfops_pipelines.sources.cells import Broken

_DAMAGED = (EOFError, zlib.error, lzma.LZMAError)
_OURS = ("builtins", "wfops_pipelines", "pyarrow")


@contextmanager
def explained(system: str, name: str) -> Iterator[None]:
    """Turn what readers and stores raise into the failures of `FileSource.pages`."""
    try:
        yield
    except (SyncFailure, ImportError):
        raise
    except Broken as broken:
        raise _broken(system, name, broken) from None
    except _DAMAGED:
        again = "have it written again, whole; then retry"
        raise malformed(system, name, "is compressed, and cut off or damaged", again) from None
    except Exception as error:
        if not isinstance(error, OSError | TimeoutError) and _ours(error):
            raise
        raise _failed(system, name, error) from None


def malformed(system: str, name: str, problem: str, repair: str) -> SyncFailure:
    """Return the failure for a file as a whole."""
    return _broken(system, name, Broken(problem, repair))


def passing(system: str, name: str, problem: str) -> SourceUnreachable:
    """Return the failure for a file that will be readable later."""
    return SourceUnreachable(
        f"{system}: {name}: {problem}. Repair: retry; let writers put whole files in place by "
        "renaming",
        exchange("READ", name),
    )


def _broken(system: str, name: str, broken: Broken) -> SyncFailure:
    where = [name, broken.place, f"field {broken.field}" if broken.field else ""]
    said = f"{system}: {', '.join(filter(None, where))}: {broken.problem}"
    kind = SchemaRefused if broken.schema else SourceMalformed
    return kind(f"{said}. Repair: {broken.repair}", exchange("READ", name))


def _failed(system: str, name: str, error: Exception) -> SyncFailure:
    status = next((s for e in _chain(error) for s in [_status(e)] if s), None)
    told = exchange("READ", name, status=status)
    url = variables(system)[0]
    said = f"{system}: {name}: {type(error).__name__}" + (f" ({status})" if status else "")
    unsigned = "Credentials" in type(error).__name__  # botocore's, when it finds none
    if isinstance(error, PermissionError) or status in (401, 403) or unsigned:
        repair = f"check that {credentials(system)} (or this user) may read it; then retry"
        return SourceRefused(f"{said}. Repair: {repair}", told)
    if status == 429:
        return SourceRateLimited(f"{said}. Repair: sync less often; then retry", told)
    repair = f"check that {url} is right and the store is up; then retry"
    return SourceUnreachable(f"{said}. Repair: {repair}", told)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _status(error: BaseException) -> int | None:
    """The HTTP status in an error of aiohttp's or botocore's."""
    found: Any = getattr(error, "status", None)
    answer = getattr(error, "response", None)
    if isinstance(answer, Mapping):
        found = answer.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return found if isinstance(found, int) else None


def _ours(error: Exception) -> bool:
    return type(error).__module__.split(".")[0] in _OURS
