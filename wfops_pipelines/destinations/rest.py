"""A SaaS REST API as destination: one request a row, with a ledger that survives a crash."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote as url_quote

from wfops_pipelines.core.snapshot import Diff
from wfops_pipelines.destinations.parcel import Existing, Parcel, Written
from wfops_pipelines.errors import DestinationRefused, SettingsError

if TYPE_CHECKING:
    import requests
    from sqlalchemy import Connection, Engine

TRIES = 4
TIMEOUT = (5.0, 30.0)  # seconds to connect, and between two bytes of the answer
_LEDGER = """
insert into wfops.deliveries (sync, seq, key, idempotency_key, state, remote_id, error, at)
values (%(sync)s, %(seq)s, %(key)s, %(idem)s, %(state)s, %(remote)s, %(error)s, %(at)s)
on conflict (sync, seq, key) do update
set state = excluded.state, remote_id = excluded.remote_id, error = excluded.error, at = excluded.at
"""


@dataclass(frozen=True, slots=True)
class RestDestination:
    """`POST <path>` for each row. `{column}` in path and body texts is filled from the row.

    Every request carries an Idempotency-Key made of sync, snapshot and row, so that a row that
    was under way when something crashed can be sent again without happening twice.
    """

    system: str
    path: str
    body: tuple[tuple[str, Any], ...]

    @property
    def words(self) -> str:
        return f"{self.system} API, POST {self.path}"

    def existing(self, conn: Connection, parcel: Parcel, columns: Sequence[str]) -> Existing:  # noqa: ARG002
        return Existing({key: {} for key in self._delivered(conn, parcel)})

    def diff(self, conn: Connection, parcel: Parcel, critical: Sequence[str]) -> Diff:  # noqa: ARG002
        done = len(self._delivered(conn, parcel))
        return Diff(inserted=parcel.rows.num_rows - done, unchanged=done)

    def publish(self, conn: Connection, side: Engine, parcel: Parcel) -> Written:
        """Send what was not delivered yet; the ledger is committed row by row."""
        done = self._delivered(conn, parcel)
        todo = [r for r in parcel.rows.to_pylist() if str(r[parcel.key]) not in done]
        with side.connect().execution_options(isolation_level="AUTOCOMMIT") as ledger:
            for row in todo:
                self._deliver(ledger, parcel, row)
        return Written(inserted=len(todo))

    def _delivered(self, conn: Connection, parcel: Parcel) -> set[str]:
        query = (
            "select key from wfops.deliveries "
            "where sync = %(sync)s and seq = %(seq)s and state = 'delivered'"
        )
        found = conn.exec_driver_sql(query, {"sync": parcel.sync, "seq": parcel.seq})
        return {str(row[0]) for row in found}

    def _deliver(self, ledger: Connection, parcel: Parcel, row: Mapping[str, Any]) -> None:
        key = str(row[parcel.key])
        idem = hashlib.sha256(f"{parcel.sync}/{parcel.seq}/{key}".encode()).hexdigest()[:32]
        entry = {"sync": parcel.sync, "seq": parcel.seq, "key": key, "idem": idem}
        note = {"remote": None, "error": None}
        _note(ledger, {**entry, **note, "state": "sending"})
        try:
            remote = self._send(parcel.environ, row, idem)
        except DestinationRefused as error:
            _note(ledger, {**entry, **note, "state": "failed", "error": str(error)})
            raise
        _note(ledger, {**entry, **note, "state": "delivered", "remote": remote})

    def _send(self, environ: Mapping[str, str], row: Mapping[str, Any], idem: str) -> str | None:
        import requests

        base, token = _connection(self.system, environ)
        path = self.path.format_map({k: url_quote(str(v), safe="") for k, v in row.items()})
        headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": idem}
        try:
            with _session() as session:
                answer = session.post(
                    base + path, json=self._filled(row), headers=headers, timeout=TIMEOUT
                )
        except requests.RequestException as error:
            raise DestinationRefused(
                f"{self.system}: POST {path} did not get through ({type(error).__name__}). "
                "Check that the system is up, then approve again."
            ) from error
        if not answer.ok:
            raise DestinationRefused(
                f"{self.system}: POST {path} was refused with {answer.status_code}. "
                f"Check WFOPS_{self.system.upper()}_TOKEN and the row, then approve again."
            )
        return _remote_id(answer)

    def _filled(self, row: Mapping[str, Any]) -> dict[str, Any]:
        return {name: _fill(value, row) for name, value in self.body}


def rest_destination(system: str, path: str, *, body: Mapping[str, Any]) -> RestDestination:
    """A SaaS API to write to. Columns stand in braces: `path="/tickets/{ticket_id}/comments"`,
    `body={"comment": {"body": "{reply}"}}`; a text that is only one column keeps its type."""
    return RestDestination(system, path, tuple(body.items()))


def _fill(value: Any, row: Mapping[str, Any]) -> Any:
    match value:
        case str() if value[:1] == "{" and value[-1:] == "}" and value[1:-1] in row:
            return row[value[1:-1]]
        case str():
            return value.format_map(row)
        case Mapping():
            return {k: _fill(v, row) for k, v in value.items()}
        case _:
            return value


def _session() -> requests.Session:
    import requests
    from requests.adapters import HTTPAdapter
    from urllib3.util import Retry

    retry = Retry(
        TRIES,
        status_forcelist=(429, 500, 502, 503, 504),
        allowed_methods=None,  # any: the Idempotency-Key makes repeating a POST safe
        backoff_factor=0.2,
        raise_on_status=False,
    )
    session = requests.Session()
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(max_retries=retry))
    return session


def _connection(system: str, environ: Mapping[str, str]) -> tuple[str, str]:
    names = [f"WFOPS_{system.upper()}_URL", f"WFOPS_{system.upper()}_TOKEN"]
    for name in names:
        if not environ.get(name):
            raise SettingsError(f"{name} is not set: the destination {system!r} needs it.")
    return environ[names[0]].rstrip("/"), environ[names[1]]


def _remote_id(answer: requests.Response) -> str | None:
    return next(_ids(_json(answer)), None)


def _json(answer: requests.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        return None


def _ids(body: Any) -> Iterator[str]:
    if isinstance(body, dict):
        if "id" in body:
            yield str(body["id"])
        for value in body.values():
            yield from _ids(value)


def _note(ledger: Connection, entry: Mapping[str, Any]) -> None:
    ledger.exec_driver_sql(_LEDGER, {**entry, "at": datetime.now(UTC)})
