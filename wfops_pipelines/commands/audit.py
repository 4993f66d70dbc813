"""The command line of the audit trail: `wfops audit --help`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wfops_pipelines.core.bundle import printable, summary
from wfops_pipelines.errors import WfopsError
from wfops_pipelines.settings import Settings, read_settings

if TYPE_CHECKING:
    from wfops_pipelines.core.verifier import Head
    from wfops_pipelines.services import Services

audit_app = typer.Typer(help="The tamper-evident audit trail.", no_args_is_help=True)


@audit_app.command("verify")
def verify() -> None:
    """Find what was changed: events, signed heads, snapshots and their files."""
    from wfops_pipelines import auditing

    settings, services = _open()
    report = auditing.verify(services, _recorded(settings))
    for line in summary(report):
        typer.secho(line, fg="red" if line.startswith("✗") else None)
    for key in auditing.keys(services):
        typer.echo(f"signed by {key}")
    if report.problems:
        raise typer.Exit(1)


@audit_app.command("log")
def log(
    subject: Annotated[
        str | None,
        typer.Argument(metavar="[SUBJECT]", help="a sync, or one snapshot as 'crm_contacts #3'"),
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="one JSON object a line")] = False,
    last: Annotated[int, typer.Option(min=1, help="how many of the newest events")] = 100,
) -> None:
    """Print the trail, oldest first: who did what to what, when and why.

    A row's key is shown as sha256:… where the sync's policy masks it, or the sync is not loaded.
    """
    from wfops_pipelines.store import audit

    settings, services = _open()
    with services.engine.connect() as conn:
        found = audit.newest(conn, subject, last)
    if not found and not json_:
        typer.echo(f"no event is about {subject!r}" if subject else "no event yet")
    shown = _shown(settings.root)
    for event in map(shown, found):
        typer.echo(json.dumps(event) if json_ else printable(_line(event)))


@audit_app.command("export")
def export(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="to be written, as audit.zip")],
) -> None:
    """Write a bundle that anybody verifies, offline: `python3 FILE`."""
    from wfops_pipelines import auditing

    settings, services = _open()
    try:
        heads = auditing.export(services, file, _recorded(settings))
    except OSError as error:
        raise WfopsError(f"{file}: cannot be written ({error.strerror}). Name another.") from error
    typer.echo(f"{file}: the trail with {heads:,} signed heads. Verify it anywhere:\n")
    key = next(iter(auditing.keys(services)), "")
    typer.echo(f"    python3 {file}" + (f" --key {key}" if key else ""))


@audit_app.command("sign")
def sign() -> None:
    """Sign the head of the trail now; runs and the sensor `audit_heads` do so by themselves."""
    from wfops_pipelines import auditing

    _, services = _open()
    head = auditing.seal(services)
    typer.echo("nothing new to sign" if head is None else f"signed up to event {head.n:,}")


def _open() -> tuple[Settings, Services]:
    """No project is loaded: a broken one does not stand in the way of looking into its history."""
    from wfops_pipelines.core.people import People
    from wfops_pipelines.services import open_services

    settings = read_settings()
    return settings, open_services(settings, People({}, {}))


def _shown(root: Path) -> Callable[[Mapping[str, Any]], Mapping[str, Any]]:
    """An event as it may be shown. Of which sync nobody knows the policy, the keys are veiled."""
    from wfops_pipelines.masking import told
    from wfops_pipelines.project import open_project

    try:
        syncs = open_project(root, lenient=True, tell=lambda _: None).syncs
    except Exception:  # whatever is wrong with the project, its history can be looked at
        syncs = {}
    open_ = {s.name for s in syncs.values() if s.key not in s.policy.masked}

    def shown(event: Mapping[str, Any]) -> Mapping[str, Any]:
        known = str(event["subject"]).partition(" #")[0] in open_
        return event if known else {**event, "details": told(event["details"])}

    return shown


def _recorded(settings: Settings) -> list[Head]:
    from wfops_pipelines.orchestration.audit_heads import recorded_at

    home = Path(settings.environ.get("DAGSTER_HOME") or settings.root)
    return recorded_at(home) if (home / "dagster.yaml").exists() else []


def _line(event: Mapping[str, Any]) -> str:
    who = event["actor"] if event["verified"] else f"{event['actor']} (unverified)"
    actor = f"machine:{event['actor']}" if event["actor_kind"] == "machine" else who
    words = " ".join([*event["reason"].split(), *_details(event["details"])])
    at = f"{event['at'][:19].replace('T', ' ')}Z"
    return f"{event['n']:>6}  {at}  {event['action']:17} {event['subject']:24} {actor}  {words}"


def _details(details: Mapping[str, Any]) -> Iterator[str]:
    for name, value in details.items():
        if value is not None:
            text = value if isinstance(value, str) else json.dumps(value)
            yield f"{name}={text[:12]}…" if name in ("digest", "evidence") else f"{name}={text}"
