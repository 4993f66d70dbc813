"""`python -m wfops_pipelines.sandbox --port 0 --state DIR [--seed N] [--now ISO]`."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path

from wfops_pipelines.sandbox.running import NOW, SEED, serve


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m wfops_pipelines.sandbox",
        description="A CRM, a billing and a support API on 127.0.0.1, with invented data.",
    )
    parser.add_argument("--port", type=int, default=0, help="0 takes a free port")
    parser.add_argument("--state", type=Path, required=True, help="folder of what it remembers")
    parser.add_argument("--seed", type=int, default=SEED, help="counts at the first start")
    parser.add_argument(
        "--now", type=_moment, default=NOW, help="its time at the first start, ISO 8601"
    )
    options = parser.parse_args()
    try:
        serve(options.state, options.seed, options.now, options.port)
    except OSError as error:
        parser.exit(1, f"sandbox: port {options.port}: {error.strerror}. Try --port 0\n")


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


if __name__ == "__main__":
    main()
