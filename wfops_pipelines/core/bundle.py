"""An exported audit trail and the program that verifies it: `python3 audit.zip`.

The bundle is a zip file that Python runs; it holds this module and the two that it needs, and
works with Python's standard library alone.
"""

from __future__ import annotations

import argparse
import json
import sys
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from wfops_pipelines.core import ed25519, verifier
from wfops_pipelines.core.verifier import Event, Head, Report, check, compare_digests, digest_claims

MOST_SHOWN = 50
START = "import sys\nfrom wfops_pipelines.core.bundle import main\nsys.exit(main())\n"
README = """This file is an exported audit trail and the program that verifies it. Run

    python3 audit.zip --key KEY

with the public key that you were given by another way than this file. The program is only as good
as whoever gave it to you: read it first (it is short), or run the one of the published package,

    python3 -m wfops_pipelines.core.bundle audit.zip --key KEY

events.jsonl    every event: number, canonical JSON, hash (SHA-256 of the hash before and the JSON)
heads.jsonl     signed heads: the chain as it was at an event, signed with Ed25519
keys.json       the public keys that signed them
snapshots.json  each snapshot: its digest in the store, and the SHA-256 of its file at the export
"""


def write_bundle(
    path: Path,
    events: Iterable[Event],
    heads: Sequence[Head],
    keys: Sequence[str],
    snapshots: Mapping[str, tuple[str, str | None]],
) -> None:
    """A file that `main` verifies. Raises FileExistsError rather than overwrite another."""
    with zipfile.ZipFile(path, "x", zipfile.ZIP_DEFLATED) as bundle:
        bundle.writestr("README.txt", README)
        bundle.writestr("__main__.py", START)
        for package in ("wfops_pipelines", "wfops_pipelines/core"):
            bundle.writestr(f"{package}/__init__.py", "")
        for source in (ed25519.__file__, verifier.__file__, __file__):
            bundle.write(source, f"wfops_pipelines/core/{Path(source).name}")
        _write_lines(bundle, "events.jsonl", events)
        _write_lines(bundle, "heads.jsonl", heads)
        bundle.writestr("keys.json", json.dumps(list(keys)))
        bundle.writestr("snapshots.json", json.dumps(dict(snapshots), indent=1))


def _write_lines(bundle: zipfile.ZipFile, name: str, things: Iterable[Event | Head]) -> None:
    with bundle.open(name, "w", force_zip64=True) as file:
        for thing in things:
            file.write(json.dumps(asdict(thing)).encode("ascii") + b"\n")


def check_bundle(path: Path, pinned: str | None) -> tuple[Report, list[str]]:
    """The report on an exported bundle, and the keys that it was held against."""
    with zipfile.ZipFile(path) as bundle:
        events = (Event(**json.loads(line)) for line in _lines(bundle, "events.jsonl"))
        heads = [Head(**json.loads(line)) for line in _lines(bundle, "heads.jsonl")]
        keys: list[str] = [pinned] if pinned else json.loads(bundle.read("keys.json"))
        found = json.loads(bundle.read("snapshots.json"))
        claims: dict[str, tuple[int, str]] = {}
        report = check(digest_claims(events, claims), heads, keys)
        report.problems += compare_digests(claims, found)
    return report, keys


def _lines(bundle: zipfile.ZipFile, name: str) -> Iterator[bytes]:
    with bundle.open(name) as file:
        yield from file


def printable(text: str) -> str:
    """Data from elsewhere must not steer the terminal."""
    return "".join(c if c.isprintable() or c == "\n" else f"\\x{ord(c):02x}" for c in text)


def summary(report: Report) -> Iterator[str]:
    """The report in lines for a person."""
    for problem in report.problems[:MOST_SHOWN]:
        yield printable(f"✗ {problem}")
    if len(report.problems) > MOST_SHOWN:
        yield f"… and {len(report.problems) - MOST_SHOWN:,} more"
    state = f"{len(report.problems):,} problems" if report.problems else "unbroken"
    yield f"{report.events:,} events, {state}; {report.heads:,} signed heads"
    if report.unsigned and report.heads:
        yield f"{report.unsigned:,} events since the last signed head (event {report.signed:,})"


def main(argv: Sequence[str] | None = None) -> int:
    """Verify a bundle; 0 when nothing is wrong, 1 when something is, 2 when it cannot be read."""
    parser = argparse.ArgumentParser(description="Verify an exported audit trail, offline.")
    parser.add_argument("bundle", type=Path, nargs="?", default=Path(sys.argv[0]))
    parser.add_argument("--key", help="the public key you were given by another way (64 digits)")
    asked = parser.parse_args(argv)
    try:
        report, keys = check_bundle(asked.bundle, asked.key)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        print(f"✗ {asked.bundle} is no bundle that can be read: {error!r}", file=sys.stderr)
        return 2
    print("\n".join(summary(report)))
    for key in keys:
        print(f"signed by {printable(key)}" + ("" if asked.key else ": compare it with --key"))
    return 1 if report.problems else 0


if __name__ == "__main__":
    sys.exit(main())
