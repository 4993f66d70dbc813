"""What a database says about rows, as a DestinationRefused: without statements and whole rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from wfops_pipelines.core.exchange import without_secrets
from wfops_pipelines.core.redact import secrets_of
from wfops_pipelines.destinations.parcel import Parcel
from wfops_pipelines.destinations.staging import without_values
from wfops_pipelines.errors import DestinationDenied, DestinationRefused, DestinationUnreachable
from wfops_pipelines.postgres.copying import nul_in

if TYPE_CHECKING:
    from sqlalchemy import Engine

_DENIED = ("password authentication failed", "access denied", "permission denied", "no password")


def of_postgresql(
    error: Any, words: str, parcel: Parcel, *, former: bool = False
) -> DestinationRefused:
    """former: about what the rows were, which nobody can mask later, so that it is left out."""
    said = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    said = without_values(error) if former else said
    for column, key in _nul_in(parcel):
        said = (
            f"{column} of row {key!r} holds a NUL character, which PostgreSQL does not keep; "
            "let the sync's function take it out"
        )
        break
    facts = {"table": words.removeprefix("table "), "said": said[:500]}
    if code := getattr(error, "pgcode", None):
        facts["sqlstate"] = str(code)
    return DestinationRefused(
        f"{words} refused the rows: {said}. Repair the table or the sync, then retry.", facts
    )


def _nul_in(parcel: Parcel) -> Iterator[tuple[str, Any]]:
    """(column, row key) of texts with a NUL character."""
    for part in parcel.content.parts():
        for column, at in nul_in(part):
            yield column, part[parcel.key][at].as_py()


def of_any(
    error: Exception, words: str, variable: str, environ: Mapping[str, str], engine: Engine
) -> DestinationRefused:
    """variable: the one that says where the database is."""
    from sqlalchemy.exc import OperationalError

    secrets = [*secrets_of(environ), str(engine.url.password or "")]
    text = str(getattr(error, "orig", None) or error)
    said = without_secrets(" ".join(text.split()), secrets)[:300]
    facts = {"table": words, "dialect": engine.dialect.name, "said": said}
    if any(denied in said.lower() for denied in _DENIED):
        return DestinationDenied(
            f"{words}: {said}. Check user and rights in {variable}; then retry.", facts
        )
    if isinstance(error, OperationalError) and "no such" not in said:
        return DestinationUnreachable(
            f"{words}: {said}. Check that {variable} is right and the database is up; "
            "then retry.", facts
        )  # fmt: skip
    return DestinationRefused(
        f"{words} refused the rows: {said}. Repair the table or the sync; then retry.", facts
    )
