"""A process that publishes to an API and is killed: `delivery_child.py DATABASE KEYS ROWS`."""

import os
import sys

import pyarrow as pa

from wfops_pipelines.destinations import Parcel, rest_destination
from wfops_pipelines.store import database


def contacts(*, keys, read=None, **more):
    return rest_destination(
        "crm", "POST /contacts", update="PATCH /contacts/{remote_id}",
        delete="DELETE /contacts/{remote_id}", read=read,
        body={"email": "{email}", "ref": "{id}"}, record="contact", idempotency=keys, **more,
    )  # fmt: skip


def people(emails, environ, seq=1):
    """A parcel of {key: e-mail, or None for a tombstone}."""
    rows = {"id": list(emails), "email": pa.array(list(emails.values()), pa.string())}
    if None in emails.values():
        rows["_deleted"] = [e is None for e in emails.values()]
    return Parcel("people", seq, "id", pa.table(rows), environ)


def publish(engine, destination, parcel):
    with engine.begin() as conn:
        return destination.publish(conn, engine, parcel)


def many(count):
    return {f"k{i}": f"k{i}@example.org" for i in range(count)}


if __name__ == "__main__":
    engine = database.connect(sys.argv[1])
    destination = contacts(keys=sys.argv[2] == "keys")
    publish(engine, destination, people(many(int(sys.argv[3])), os.environ))
