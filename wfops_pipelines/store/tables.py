"""The tables of the product, in a schema of their own."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

SCHEMA = "wfops"
metadata = MetaData(schema=SCHEMA)


def _time(name: str, nullable: bool = True) -> Column[datetime]:
    return Column(name, DateTime(timezone=True), nullable=nullable)


streams = Table(
    "streams",
    metadata,
    Column("sync", Text, primary_key=True),
    _time("cursor"),
    Column("seq", BigInteger, nullable=False),
    Column(
        "schema_json", JSONB(none_as_null=True)
    ),  # the column types that were inferred once and are held since
)

controls = Table(  # a row named "*" pauses everything
    "controls",
    metadata,
    Column("sync", Text, primary_key=True),
    Column("paused_by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    _time("paused_at", nullable=False),
)

snapshots = Table(
    "snapshots",
    metadata,
    Column("sync", Text, primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("digest", Text, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("duplicates", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    _time("staged_at", nullable=False),
    Column("run_id", Text),
    _time("cursor_from"),
    _time("cursor_to"),
    Column("origin", BigInteger),  # an edited snapshot, or one asked again: whose rows it holds
    Column("edited_by", Text),
    Column("edits", JSONB(none_as_null=True)),
    Column("doubted", JSONB(none_as_null=True)),  # [key, cursor of what came before] of rows
    Column("contradicted", JSONB(none_as_null=True)),  # [key, column, what went, what stays]
    Column("reread_by", Text),  # who had the source read from a date
    Column("reopened_by", Text),  # who asked again about rows that had been put away
    Column("overtaken", BigInteger),  # rows that a newer one of the same key left out
    Column("partition", Text),
    _time("asked_after"),  # the stretch of the cursor that was new to this extraction
    _time("asked_upto"),
    Column("dated_by", Text),  # the sync's cursor by then, "" where it had none
    _time("dated_upto"),  # the latest time of its rows, where it lies ahead of the extraction
)

staged_rows = Table(  # (key, version) pairs inside the overlap window, to drop re-read rows
    "staged_rows",
    metadata,
    Column("sync", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("version", Text, primary_key=True),
    _time("cursor"),
    Column("seq", BigInteger),  # the snapshot that holds it; null: staged before this was noted
    Column("passed_by", BigInteger),  # put away, and then another version came in this snapshot
)
Index("staged_rows_by_cursor", staged_rows.c.sync, staged_rows.c.cursor)

evidence = Table(  # the exact text whose hash the reviewer is shown
    "evidence",
    metadata,
    Column("sync", Text, primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("hash", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column(
        "held_keys", JSONB(none_as_null=True)
    ),  # null: the whole snapshot is held, or nothing is
    Column("named_by", Text),  # the sync's key by then, which named rows in findings and decisions
    ForeignKeyConstraint(["sync", "seq"], [snapshots.c.sync, snapshots.c.seq]),
)

profiles = Table(
    "profiles",
    metadata,
    Column("sync", Text, primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("body", Text, nullable=False),
    ForeignKeyConstraint(["sync", "seq"], [snapshots.c.sync, snapshots.c.seq]),
)

row_models = Table(
    "row_models",
    metadata,
    Column("sync", Text, primary_key=True),
    Column("seq", BigInteger, nullable=False),  # of the newest publication learned from
    Column("version", BigInteger, nullable=False),
    Column("sources", Text, nullable=False),
    Column("body", Text, nullable=False),
    ForeignKeyConstraint(["sync", "seq"], [snapshots.c.sync, snapshots.c.seq]),
)

reviews = Table(
    "reviews",
    metadata,
    Column("id", Text, primary_key=True),
    Column("sync", Text, nullable=False),
    Column("seq", BigInteger),
    Column("kind", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("evidence_hash", Text, nullable=False),
    Column("summary", Text, nullable=False),
    Column("reviewer_group", Text, nullable=False),
    Column("approvals_needed", Integer, nullable=False),
    Column("keys", JSONB(none_as_null=True), nullable=False),
    Column("requested_by", Text, nullable=False),
    _time("opened_at", nullable=False),
    _time("decided_at"),
    Column("decided_by", Text),
    Column("run_id", Text),
    Column("fingerprint", Text),  # one pending failure review for each cause
    Column("failure", Text),  # the exact text whose hash the reviewer of a failure is shown
    Column("assigned_to", Text),
    Column("reopened_by", Text),
    Column("reopens", Text),  # the request whose rejected rows it holds again
    _time("escalated_at"),
    _time("overdue_at"),
    _time("reminded_at"),
    Column("routed", Text),  # why this group is asked, where it is not simply the policy's
    Column("cause", Text),  # the kinds of its findings, without figures
    Column("label", Text),  # the cause that a person gave to a failure
)
Index(
    "reviews_one_pending_failure",
    reviews.c.sync,
    reviews.c.fingerprint,
    unique=True,
    postgresql_where=reviews.c.state == "pending",
)
Index("reviews_by_state", reviews.c.state, reviews.c.opened_at)

decisions = Table(
    "decisions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("review", Text, nullable=False),
    Column("verb", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("verified", Boolean, nullable=False),
    Column("evidence_hash", Text, nullable=False),
    Column("final", Boolean, nullable=False),  # false: a vote that more approvals must join
    Column("channel", Text, nullable=False),
    _time("at", nullable=False),
    Column("exclude", JSONB(none_as_null=True)),  # keys that an approval leaves in quarantine
    Column("override", JSONB(none_as_null=True)),  # the failed critical checks it overrode
)
Index("decisions_by_review", decisions.c.review, decisions.c.actor, unique=True)

outbox = Table(  # what a decision set in motion; done exactly once
    "outbox",
    metadata,
    Column("decision", Text, primary_key=True),
    Column("review", Text, nullable=False),
    Column("sync", Text, nullable=False),
    Column("seq", BigInteger),
    Column("verb", Text, nullable=False),
    _time("created_at", nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("error", Text),
    _time("done_at"),
)

publications = Table(  # the ledger: each part of a snapshot at most once
    "publications",
    metadata,
    Column("sync", Text, primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("part", Text, primary_key=True),  # clean, held
    Column("digest", Text, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("inserted", BigInteger, nullable=False),
    Column("updated", BigInteger, nullable=False),
    Column("stale", BigInteger, nullable=False),
    Column("deleted", BigInteger),
    Column("decision", Text),
    Column("named_by", Text),  # the sync's key by then, which names its rows at the destination
    _time("published_at", nullable=False),
    _time("reverted_at"),
    Column("reverted_by", Text),  # the decision
    ForeignKeyConstraint(["sync", "seq"], [snapshots.c.sync, snapshots.c.seq]),
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("sync", Text, primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("part", Text, primary_key=True),  # as in publications, or "clean reverted"
    Column("rows", BigInteger, nullable=False),
    Column("keys", JSONB(none_as_null=True)),  # null: every row of the snapshot
    Column("decision", Text, nullable=False),
    _time("at", nullable=False),
)

replaced = Table(  # records of an API before a publication, until nobody may revert it
    "replaced",
    metadata,
    Column("sync", Text, primary_key=True),
    Column("key", Text, primary_key=True),  # before seq: one index serves all that is asked
    Column("seq", BigInteger, primary_key=True),
    Column("before", JSONB(none_as_null=True), nullable=False),
    _time("at", nullable=False),
)

replaced_parts = Table(  # publications whose replaced rows are kept; `names` of their columns
    "replaced_parts",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("sync", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("names", ARRAY(Text), nullable=False),
    _time("at", nullable=False),
    Column("part", Text),  # as of publications
)
Index("replaced_parts_by_sync", replaced_parts.c.sync, replaced_parts.c.seq)

replaced_rows = Table(  # rows of a table as they were: `before` as texts, `rest` of other columns
    "replaced_rows",
    metadata,
    Column("part", BigInteger, nullable=False),  # in replaced_parts
    Column("key", Text, nullable=False),
    Column("was", BigInteger, nullable=False),  # the snapshot that had written it
    Column("before", ARRAY(Text), nullable=False),
    Column("rest", JSONB(none_as_null=True)),
)
Index(  # they come by the million and are rarely asked for
    "replaced_rows_by_part", replaced_rows.c.part, postgresql_using="brin"
)

deliveries = Table(  # one row for each row sent to a SaaS destination
    "deliveries",
    metadata,
    Column("sync", Text, primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("idempotency_key", Text, nullable=False),
    Column("state", Text, nullable=False),  # see destinations/deliveries.py
    Column("remote_id", Text),
    Column("error", Text),
    _time("at", nullable=False),
    Column("act", Text),  # create, update, delete; null: of a version that only created
)
Index("deliveries_by_key", deliveries.c.sync, deliveries.c.key)

delivered_to = Table(  # the system in which the remote ids of a sync's deliveries name records
    "delivered_to",
    metadata,
    Column("sync", Text, primary_key=True),
    Column("system", Text, nullable=False),
)

owners = Table(  # the sync that the numbers of snapshots in a destination's rows are of
    "owners",
    metadata,
    Column("destination", Text, primary_key=True),
    Column("sync", Text, nullable=False),
)

reversals = Table(  # one row for each row that was taken back from a SaaS destination
    "reversals",
    metadata,
    Column("sync", Text, primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("idempotency_key", Text, nullable=False),
    Column("state", Text, nullable=False),  # as of deliveries
    Column("remote_id", Text),
    Column("error", Text),
    _time("at", nullable=False),
    Column("act", Text, nullable=False),  # what takes it back
)

anomaly_resets = Table(  # decisions up to `at` no longer teach the anomaly scorer
    "anomaly_resets",
    metadata,
    Column("sync", Text, primary_key=True),
    _time("at", nullable=False),
)

notifications = Table(  # what a group is to be told, written where the reason for it is
    "notifications",
    metadata,
    Column("review", Text, primary_key=True),
    Column("news", Text, primary_key=True),  # opened, reminder, escalated, routed, …
    Column("reviewer_group", Text, primary_key=True),
    _time("created_at", nullable=False),
    Column("told", JSONB(none_as_null=True)),  # digests of the addresses that have been told
    Column("attempts", Integer, nullable=False),
    _time("next_at", nullable=False),
    Column("error", Text),
    _time("done_at"),
)
Index(
    "notifications_due",
    notifications.c.next_at,
    postgresql_where=notifications.c.done_at.is_(None),
)

waivers = Table(  # an expectation that does not hold some rows, for a while
    "waivers",
    metadata,
    Column("id", Text, primary_key=True),
    Column("sync", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("expectation", Text, nullable=False),
    Column("words", Text, nullable=False),
    Column("keys", JSONB(none_as_null=True), nullable=False),
    Column("severity", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("verified", Boolean, nullable=False),
    _time("at", nullable=False),
    _time("expires_at", nullable=False),
    Column("review", Text),  # null: it needed nobody else
    _time("ended_at"),
    Column("ended_by", Text),
    ForeignKeyConstraint(["sync", "seq"], [snapshots.c.sync, snapshots.c.seq]),
)
Index("waivers_by_sync", waivers.c.sync, waivers.c.expires_at)

drafts = Table(  # what a model or template proposed for a cell, and what became of it
    "drafts",
    metadata,
    Column("sync", Text, primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("column", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("body", JSONB(none_as_null=True), nullable=False),
    Column("state", Text, nullable=False),
    _time("at", nullable=False),
    ForeignKeyConstraint(["sync", "seq"], [snapshots.c.sync, snapshots.c.seq]),
)

row_outcomes = Table(  # what a person's decision made of flagged rows, by their findings
    "row_outcomes",
    metadata,
    Column("review", Text, primary_key=True),
    Column("cause", Text, primary_key=True),
    Column("sync", Text, nullable=False),
    Column("let_go", BigInteger, nullable=False),
    Column("kept", BigInteger, nullable=False),
    _time("at", nullable=False),
)
Index("row_outcomes_by_sync", row_outcomes.c.sync, row_outcomes.c.at)

audit = Table(
    "audit",
    metadata,
    Column("n", BigInteger, primary_key=True, autoincrement=False),
    Column("body", Text, nullable=False),
    Column("hash", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
)
Index("audit_by_subject", audit.c.subject, audit.c.n)

audit_head = Table(
    "audit_head",
    metadata,
    Column("one", Integer, primary_key=True),
    Column("n", BigInteger, nullable=False),
    Column("hash", Text, nullable=False),
)
