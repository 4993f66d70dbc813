"""A process that is killed around its commit: `database_child.py [SCHEMA,NAME] before|after`."""

import json
import os
import signal
import sys

from sqlalchemy import event
from sqlalchemy.engine import Engine

from tests.destinations.model import parcel
from wfops_pipelines.destinations import DatabaseTable


def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    schema, name = json.loads(sys.argv[1])
    commits = []

    @event.listens_for(Engine, "commit")
    def before(conn):
        commits.append(conn)
        if sys.argv[2] == "before" and len(commits) == 2:  # the first one makes the tables
            die()

    rows = parcel({f"k{i}": i for i in range(5)}, 2, environ=os.environ)
    DatabaseTable("erp", schema, name).publish(None, None, rows)
    die()
