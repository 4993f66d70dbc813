"""Load the project's own expectation classes: only here, and only when a suite runs."""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

_LOADED: dict[Path, str] = {}
_LOCK = threading.Lock()


def load_custom(files: Iterable[Path]) -> None:
    """Run each file that has not run yet, or has changed since.

    Raises whatever a file raises: the caller turns it into errors of the suite.
    """
    with _LOCK:
        for file in files:
            digest = sha256(file.read_bytes()).hexdigest()
            if _LOADED.get(file) != digest:
                _run(file, f"wfops_expectations_{digest[:16]}")
                _LOADED[file] = digest


def _run(file: Path, name: str) -> None:
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
