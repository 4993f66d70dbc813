"""Great Expectations, and nothing else of ours imports it (inside functions, it is heavy)."""

from wfops_pipelines.checks.gx.run import run_suite
from wfops_pipelines.checks.gx.sql import run_suite_by_sql

__all__ = ["run_suite", "run_suite_by_sql"]
