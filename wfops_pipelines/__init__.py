"""Write-Audit-Publish for SaaS syncs on Dagster, with a person at the gate."""

import os
import sys

from wfops_pipelines.core.policy import Above, Always, NewRow, Policy, Route
from wfops_pipelines.destinations import rest_destination, table
from wfops_pipelines.sources import files, hubspot, rest_api, sql_table, stripe, zendesk
from wfops_pipelines.sync import instant, sync

__all__ = [
    "Above",
    "Always",
    "NewRow",
    "Policy",
    "Route",
    "files",
    "hubspot",
    "instant",
    "rest_api",
    "rest_destination",
    "sql_table",
    "stripe",
    "sync",
    "table",
    "zendesk",
]

if sys.platform == "linux":  # Arrow reads it when first used; its own choice keeps what is freed
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "jemalloc")
