"""A process that is killed while it writes a file, or just after: `files_child.py WHEN`."""

import os
import signal
import sys

from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem

from tests.destinations.model import parcel
from wfops_pipelines.destinations import file_table


def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    if sys.argv[1] == "writing":
        LocalFileSystem.mv = AbstractFileSystem.mv = die
    rows = parcel({"a": 1, "b": 2, "c": 3}, 1, environ=os.environ)
    file_table("lake", "crm/contacts").publish(None, None, rows)
    die()
