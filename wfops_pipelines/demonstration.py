"""`wfops demo`: the whole product against the sandbox SaaS, from months of history to the gate."""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from textwrap import shorten

from wfops_pipelines import flow, publishing
from wfops_pipelines.core import links
from wfops_pipelines.core.findings import counted, plural
from wfops_pipelines.core.reviews import OUTCOME_OF, Actor, Decision, Review, Verb
from wfops_pipelines.core.snapshot import SnapshotState
from wfops_pipelines.dagster_client import DagsterClient, LaunchRefused
from wfops_pipelines.deciding import gate
from wfops_pipelines.dev.ports import free_port
from wfops_pipelines.dev.service import Service
from wfops_pipelines.failing import GATE
from wfops_pipelines.identity import developer
from wfops_pipelines.ledger import publications_of
from wfops_pipelines.project import Project, load_project
from wfops_pipelines.sandbox.client import SandboxClient
from wfops_pipelines.sandbox.running import Sandbox
from wfops_pipelines.serve import HOST, Serving, serve
from wfops_pipelines.services import Services, open_services
from wfops_pipelines.settings import Settings
from wfops_pipelines.store import reviews, snapshots

_SANDBOX = re.compile(r"WFOPS_[A-Z]+_(URL|TOKEN)$(?<!POSTGRES_URL)")
TODAY = datetime(2026, 6, 9, 18, tzinfo=UTC)  # fixed, so that every demo tells the same story
DAYS = 21
_SHOWN = 300  # characters of why a snapshot waits
HISTORY = {"crm_contacts": DAYS, "billing_invoices": DAYS, "support_replies": 1}


def run_demo(settings: Settings, port: int, *, once: bool) -> int:
    """Serve the demo; with `once`, stop after the summary. Returns the exit code."""
    sandbox = Sandbox(f"http://{HOST}:{free_port(8099)}")
    service = Service(
        "sandbox",
        [
            sys.executable, "-m", "wfops_pipelines.sandbox",
            "--port", sandbox.url.rpartition(":")[2], "--state", settings.state / "sandbox",
        ],
        {**settings.environ},
        ready=f"{sandbox.url}/_sandbox",
    )  # fmt: skip
    serve(
        settings,
        port,
        extra=[service],
        environ=sandbox.environ(),
        task=lambda running: _Demo(running, sandbox.client, once=once).run(),
        keep_serving=not once,
    )
    return 0


def ending(*, once: bool) -> str:
    """What becomes of what was shown."""
    if once:
        return "It stops now (ONCE=1), and these links with it; `make demo` goes on from here."
    return "Ctrl-C stops everything; `make demo` goes on from here."


class _Demo:
    """One showing: it goes on where an earlier one, or a crash, left off."""

    def __init__(self, running: Serving, sandbox: SandboxClient, *, once: bool) -> None:
        self.running = running
        self.sandbox = sandbox
        self.once = once
        self.project: Project = load_project(running.settings.root)
        self.services: Services = open_services(running.settings, self.project.people)
        self.dagster = DagsterClient(running.ui, links.LOCATION)

    def run(self) -> None:
        if any(self._newest(name) for name in HISTORY):
            _say("goes on where the last one stopped; `make clean` starts afresh")
        self.sandbox.clear_faults()
        for name, days in HISTORY.items():
            self._history(name, days)
        self.sandbox.set_clock(TODAY)
        for name, days in HISTORY.items():
            self._run_until(name, days + 1)
        self._anomaly()
        self._note_environment()
        print(self._summary(), flush=True)

    def _note_environment(self) -> None:
        """So that `wfops run` in another shell finds the sandbox."""
        found = {k: v for k, v in self.running.settings.environ.items() if v and _SANDBOX.match(k)}
        lines = [f"export {name}={value}\n" for name, value in sorted(found.items())]
        self._environment.write_text("".join(lines), "utf-8")

    @property
    def _environment(self) -> Path:
        return self.running.settings.state / "sandbox.env"

    def _history(self, name: str, days: int) -> None:
        """A snapshot a day, as if the sync had been running for that long."""
        done = self._newest(name)
        if done >= days:
            return
        _say(f"{counted(days, 'day')} of history for {name}; what they hold, the demo decides")
        for day in range(done, days):
            self.sandbox.set_clock(TODAY - timedelta(days=days - day))
            self._pass(name)

    def _pass(self, name: str) -> None:
        """One sync in this process; what the past holds back is decided, and recorded as such."""
        run = flow.Run(Actor("demo", "machine"))
        passed = flow.run_sync(self.project, self.project.syncs[name], self.services, run)
        for judged in passed.judged:
            if judged.review is not None:
                self._decide(judged.review)

    def _decide(self, review: Review) -> None:
        """Rows of the past go out; messages to customers about old tickets do not."""
        old_messages = review.sync == "support_replies"
        verb = Verb.REJECT if old_messages else Verb.APPROVE
        reason = f"history of the demo, {OUTCOME_OF[verb].value} by its script"
        asked = Decision(
            review.id, review.evidence_hash, verb, reason, developer(self.services.environ)
        )
        taken = gate.decide(asked, self.project, self.services, "demo")
        sync = self.project.syncs[review.sync]
        publishing.release(sync, taken.id, self.services, GATE)

    def _run_until(self, name: str, seq: int, words: str = "") -> None:
        """Real runs in Dagster, as by the button Materialize, until snapshot `seq` is judged."""
        if self._newest(name) < seq or self._unjudged(name):
            self._launch(name, words)

    def _unjudged(self, name: str) -> bool:
        """Whether a killed run left a snapshot that nobody has examined."""
        with self.services.engine.connect() as conn:
            return bool(snapshots.in_state(conn, name, SnapshotState.STAGED))

    def _anomaly(self) -> None:
        """The next day, billing answers with amounts in another unit."""
        self.sandbox.set_clock(TODAY + timedelta(days=1))
        self.sandbox.set_fault("billing", "unit_change")
        try:
            self._run_until("billing_invoices", DAYS + 2, " (billing now sends amounts ×100)")
        finally:
            self.sandbox.clear_faults()

    def _launch(self, name: str, words: str = "") -> None:
        _say(f"Dagster runs {name}{words}")
        try:
            self.dagster.wait(self.dagster.launch(name))
        except LaunchRefused:
            load_project(self.running.settings.root)  # what broke meanwhile is told in one line
            raise

    def _newest(self, name: str) -> int:
        with self.services.engine.connect() as conn:
            return snapshots.head(conn, name).seq

    def _summary(self) -> str:
        ui = self.running.ui
        published = [self._published(name) for name in self.project.syncs]
        with self.services.engine.connect() as conn:
            pending = reviews.listed(conn)
        held = [self._held(review) for review in pending] or ["  nothing"]
        lines = ["", "Published", *published, "", "Held for a person", *held, ""]
        where = [f"Dagster UI   {ui}", f"Review inbox {ui}/wfops"]
        where.append(f"In a shell   . {self._environment}   # the sandbox, for `wfops run`")
        return "\n".join([*lines, *where, "", ending(once=self.once)])

    def _published(self, name: str) -> str:
        sync = self.project.syncs[name]
        with self.services.engine.connect() as conn:
            newest = snapshots.latest(conn, name, DAYS * 4)
            parts = [p for s in newest for p in publications_of(conn, name, s.seq)]
        rows, count = sum(p.rows for p in parts), len({p.seq for p in parts})
        of = f"{rows:>7,} {plural(rows, 'row')} from {counted(count, 'snapshot')}"
        done = of if count else "nothing yet"
        return f"  {name:17} {done} → {sync.destination.words}"

    def _held(self, review: Review) -> str:
        page = f"{self.running.ui}{links.review_page(review.id)}"
        what = f"{review.sync} #{review.seq}" if review.seq else review.sync
        why = shorten(review.summary, _SHOWN, placeholder=" …")
        return f"  {what}: {why}\n    approve or reject: {page}"


def _say(words: str) -> None:
    print(f"  demo       {words}", flush=True)
