"""Tell Dagster what was done without a run of it, so that its asset pages show what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import dagster as dg

from wfops_pipelines.flow import Judged
from wfops_pipelines.ledger import Publication
from wfops_pipelines.orchestration import reporting
from wfops_pipelines.services import Services
from wfops_pipelines.sync import Sync


def tell(
    home: Path,
    sync: Sync,
    services: Services,
    judged: Sequence[Judged],
    published: Sequence[Publication],
) -> None:
    """Put what was staged and published, and what waits, on the pages of the sync's assets.

    Of the instance that `home`/dagster.yaml describes.
    """
    with dg.DagsterInstance.from_config(str(home)) as instance:
        for one in judged:
            for event in reporting.staged_apart(sync, one):
                instance.report_runless_asset_event(event)
        for event in reporting.gate_events(sync, services, published):
            instance.report_runless_asset_event(event)
