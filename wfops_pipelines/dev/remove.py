"""`python -m wfops_pipelines.dev.remove`: delete the embedded database of `.wfops` here."""

from __future__ import annotations

import sys
from pathlib import Path

from wfops_pipelines.dev.cluster import remove
from wfops_pipelines.dev.locks import StateLock
from wfops_pipelines.errors import WfopsError


def main() -> int:
    """Delete it, unless a living process serves it."""
    state = Path(".wfops").resolve()
    if not state.is_dir():
        return 0
    try:
        with StateLock(state / "postgres.lock"):
            remove(state)
    except WfopsError as problem:
        print(f"clean: {problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
