"""What Dagster loads: the definitions of the project around the current folder."""

from wfops_pipelines import workbench
from wfops_pipelines.orchestration.assemble import assemble
from wfops_pipelines.orchestration.warm import fork_runs

fork_runs()
workbench.reload()
defs = assemble(workbench.project())
