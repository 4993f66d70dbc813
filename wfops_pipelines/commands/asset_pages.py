"""What was done in a shell, on the asset pages of the Dagster that serves the same project."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from wfops_pipelines.store.database import has_table

if TYPE_CHECKING:
    from wfops_pipelines.flow import Judged
    from wfops_pipelines.project import Project
    from wfops_pipelines.services import Services
    from wfops_pipelines.sync import Sync

_EVENTS = "orchestrator.event_logs"  # where ProjectStorage keeps what Dagster is told


@contextmanager
def told(project: Project, sync: Sync, services: Services) -> Iterator[list[Judged]]:
    """Tell at the end what was published meanwhile, what waits, and what the caller adds as judged.

    Where no Dagster has ever run there is nobody to tell. What cannot be told stops nothing.
    """
    judged: list[Judged] = []
    began = services.clock()
    try:
        yield judged
    finally:
        tell(project, sync, services, began, judged)


def tell(
    project: Project,
    sync: Sync,
    services: Services,
    since: datetime | None = None,
    judged: Sequence[Judged] = (),
) -> None:
    """Tell now what waits, what was judged, and what was published since then."""
    from wfops_pipelines.ledger import publications_since

    named = services.environ.get("DAGSTER_HOME")
    home = Path(named or project.root)
    try:
        if not (home / "dagster.yaml").exists():
            return
        with services.engine.connect() as conn:
            if not (named or has_table(conn, _EVENTS)):
                return
            published = publications_since(conn, sync.name, since) if since else []
        from wfops_pipelines.orchestration import elsewhere

        elsewhere.tell(home, sync, services, judged, published)
    except Exception as error:
        said = f"{sync.name}: Dagster's asset page tells of this with the next run only: {error}"
        typer.echo(said, err=True)
