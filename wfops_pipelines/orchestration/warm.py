"""What every run needs, imported once, in the process that runs are forked from.

Dagster starts each run in a new interpreter, which imports for seconds before it does anything.
`fork_runs` lets the code server fork them from a process that has imported all of this already.
Nothing of the project is in it: assets, suites and policies are read anew by each run.
"""

import multiprocessing
import multiprocessing.forkserver
import os
import sys
from multiprocessing.context import ForkServerProcess, SpawnContext

WARM = "WFOPS_WARM_RUNS"
_LIBRARIES = (
    "dagster",
    "dagster._cli",
    "dagster._grpc.impl",
    "dagster._grpc.server",
    "dagster_postgres",
    "pandas",
    "psycopg2",
    "pyarrow.compute",
    "pyarrow.csv",
    "pyarrow.parquet",
    "wfops_pipelines.orchestration",
    "wfops_pipelines.reports",
)


def fork_runs() -> None:
    """In a code server that was asked for it: start that process, and fork runs from it.

    The code server makes its run processes by a spawn context; its class is replaced here, in that
    process alone, by the one that forks from a clean, single-threaded server (Python's own
    `forkserver`, which ends with the code server).
    """
    is_server = "grpc" in sys.argv and multiprocessing.parent_process() is None
    if not (os.environ.get(WARM) and is_server):
        return
    multiprocessing.set_forkserver_preload(list(_LIBRARIES))
    multiprocessing.forkserver.ensure_running()
    SpawnContext.Process = ForkServerProcess  # type: ignore[assignment]
