"""What Dagster loads: the definitions of the project around the current folder."""

from wfops_pipelines import workbench
from wfops_pipelines.orchestration.assemble import assemble

workbench.reload()
defs = assemble(workbench.project())
