"""Great Expectations, and nothing else of ours imports it (inside functions, it is heavy)."""

from wfops_pipelines.checks.gx.run import run_suite

__all__ = ["run_suite"]
