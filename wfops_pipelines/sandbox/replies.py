"""Replies to customers: each idempotency key is stored once and answered the same way again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from wfops_pipelines.sandbox.state import Comment, StateFile
from wfops_pipelines.sandbox.tickets import Ticket
from wfops_pipelines.sandbox.vendors import Json, iso
from wfops_pipelines.sandbox.zendesk import comment, first_comment


@dataclass(frozen=True, slots=True)
class Reply:
    """A stored reply; `replayed` when the key was known already."""

    comment: Json
    replayed: bool


def accept(state: StateFile, ticket: int, key: str | None, body: Any) -> Reply | str:
    """Store a reply once for each key; a string says why it was refused.

    `body` is `{"comment": {"body": …, "public": true}}` or the inner object alone.
    """
    wanted = body.get("comment", body) if isinstance(body, dict) else {}
    if not isinstance(wanted, dict):
        return "comment must be an object"
    text, public = wanted.get("body"), wanted.get("public", True)
    if not isinstance(text, str) or not text.strip():
        return "comment.body cannot be blank"
    if not isinstance(public, bool):
        return "comment.public must be true or false"
    if known := state.comment_by_key(key) if key else None:
        return _again(known, ticket, text, public)
    at = iso(state.clock.read(), 0)
    return Reply(comment(state.add_comment(ticket, key or None, text, public, at)), replayed=False)


def _again(known: Comment, ticket: int, text: str, public: bool) -> Reply | str:
    if (known.ticket, known.body, known.public) != (ticket, text, public):
        return "this Idempotency-Key was used for another comment"
    return Reply(comment(known), replayed=True)


def thread(state: StateFile, ticket: Ticket) -> list[Json]:
    """Return a ticket's comments: the customer's first, then the replies."""
    return [first_comment(ticket), *(comment(c) for c in state.comments(ticket.id))]
