"""What the installed Great Expectations knows: written to `catalogue.json`, read without it.

`python -m wfops_pipelines.checks.gx.catalogue` writes the file anew after an upgrade.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from wfops_pipelines.checks.gx.quiet import quiet_gx

FILE = Path(__file__).parents[1] / "catalogue.json"
IGNORED = {"batch_id", "library_metadata"}


def installed_catalogue() -> dict[str, Any]:
    """The version, base classes and expectation types of the installed Great Expectations.

    Each base and each type has `class`, `base`, `required` and `optional` (names of kwargs).
    """
    great_expectations = quiet_gx()
    from great_expectations.expectations import expectation as gx_bases
    from great_expectations.expectations import registry

    names = [t for t in registry.list_registered_expectation_implementations() if _is_core(t)]
    types = {name: _described(registry.get_expectation_impl(name)) for name in sorted(names)}
    bases = {
        entry["base"]: _described(getattr(gx_bases, entry["base"])) for entry in types.values()
    }
    return {
        "great_expectations": great_expectations.__version__,
        "bases": dict(sorted(bases.items())),
        "types": types,
    }


def _is_core(name: str) -> bool:
    from great_expectations.expectations import registry

    return bool(registry.get_expectation_impl(name).__module__.startswith("great_expectations."))


def _described(cls: Any) -> dict[str, Any]:
    from great_expectations.expectations.expectation import Expectation

    fields = {
        name: field
        for name, field in cls.__fields__.items()
        if name not in Expectation.__fields__ and name not in IGNORED
    }
    return {
        "class": cls.__name__,
        "base": cls.__mro__[1].__name__,
        "required": [name for name, field in fields.items() if field.required],
        "optional": [name for name, field in fields.items() if not field.required],
    }


if __name__ == "__main__":
    FILE.write_text(json.dumps(installed_catalogue(), indent=1) + "\n")
