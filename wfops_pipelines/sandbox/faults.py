"""The faults that the sandbox can be asked for: what each is called and what it takes."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

SYSTEMS = ("crm", "billing", "support")

_WIRE: dict[str, Any] = {"on": "read", "when": "before"}
KINDS: dict[str, dict[str, Any]] = {
    # on the wire; `on` read|write|any, `when` before|after the work is done (the answer is lost)
    "rate_limit": {"retry_after": 1, **_WIRE},
    "server_error": {"status": 500, **_WIRE},
    "timeout": {"seconds": 30.0, **_WIRE},
    "redirect": {"origin": "http://127.0.0.1:9"},
    # in the paging
    "truncated_page": {"variant": "rows", "share": 0.3},  # variant rows|body|json
    "repeated_page": {},
    "no_envelope": {},
    "evil_next_link": {"origin": "http://127.0.0.1:9"},
    # in the data; `share` of the rows, always the same ones
    "changed_enum": {"field": None, "from": None, "to": None, "share": 1.0},
    "unit_change": {"fields": None, "factor": 100, "share": 1.0},
    "volume_drop": {"share": 0.5},
    "schema_change": {"rename": None, "retype": None},
    "late_rows": {"share": 0.05, "delay_seconds": 7200},
}

# What the data faults do to each system when the request does not say.
_USUAL: dict[tuple[str, str], dict[str, Any]] = {
    ("crm", "changed_enum"): {"field": "lifecyclestage", "from": "customer", "to": "client"},
    ("billing", "changed_enum"): {"field": "status", "from": "paid", "to": "settled"},
    ("support", "changed_enum"): {"field": "status", "from": "open", "to": "in_progress"},
    ("billing", "unit_change"): {"fields": ["amount_due", "amount_paid", "amount_remaining"]},
    ("crm", "schema_change"): {
        "rename": {"lifecyclestage": "lifecycle_stage"},
        "retype": {"hubspot_owner_id": "integer"},
    },
    ("billing", "schema_change"): {
        "rename": {"customer_email": "email"},
        "retype": {"amount_due": "string"},
    },
    ("support", "schema_change"): {
        "rename": {"priority": "urgency"},
        "retype": {"tags": "string"},
    },
}
_CHOICES = {
    "on": ("read", "write", "any"),
    "when": ("before", "after"),
    "variant": ("rows", "body", "json"),
}


def _number(low: float, high: float) -> Callable[[Any], bool]:
    return lambda value: type(value) in (int, float) and low <= value <= high


def _names(value: Any) -> bool:
    return value is None or (isinstance(value, list) and all(isinstance(n, str) for n in value))


def _name_pairs(value: Any) -> bool:
    return value is None or (isinstance(value, dict) and _names(list(value.values())))


def _origin(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"https?://[\w.:-]+", value) is not None


_LIMITS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "share": ("a number from 0 to 1", _number(0, 1)),
    "seconds": ("a number of seconds, 0 to 3600", _number(0, 3600)),
    "delay_seconds": ("a number of seconds", _number(0, 1e9)),
    "retry_after": ("a number of seconds", _number(0, 1e9)),
    "status": ("an error status, 400 to 599", _number(400, 599)),
    "factor": ("a number from -10000 to 10000", _number(-10_000, 10_000)),
    "field": ("a name", lambda value: isinstance(value, str)),
    "fields": ("a list of names", _names),
    "rename": ("an object of old and new names", _name_pairs),
    "retype": ("an object of names and types", _name_pairs),
    "origin": ("an origin such as http://127.0.0.1:9", _origin),
}


class BadFault(ValueError):
    """A fault that the sandbox cannot do; the message says what it can."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault on one system: `times` requests long, or until deleted when None."""

    system: str
    kind: str
    times: int | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    id: int = 0

    @classmethod
    def asked(cls, body: Mapping[str, Any]) -> Fault:
        """Read a request's body and fill in what it leaves out.

        Raises:
            BadFault: an unknown system, fault, parameter or choice.
        """
        system, kind, times = body.get("system"), body.get("fault"), body.get("times")
        _require(system in SYSTEMS, f"system must be one of {', '.join(SYSTEMS)}")
        _require(kind in list(KINDS), f"fault must be one of {', '.join(KINDS)}")
        known = times is None or (type(times) is int and 0 < times < 10**9)
        _require(known, "times must be a positive whole number or null")
        _require(isinstance(body.get("params"), dict | None), "params must be an object")
        extra = {k: v for k, v in body.items() if k not in ("system", "fault", "times", "params")}
        return cls(str(system), str(kind), times, _filled(str(system), str(kind), body, extra))

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "system": self.system,
            "fault": self.kind,
            "times": self.times,
            "params": dict(self.params),
        }


def _filled(
    system: str, kind: str, body: Mapping[str, Any], extra: Mapping[str, Any]
) -> dict[str, Any]:
    given = {**(body.get("params") or {}), **extra}
    usual = {**KINDS[kind], **_USUAL.get((system, kind), {})}
    unknown = sorted(set(given) - set(usual))
    _require(not unknown, f"{kind} takes {', '.join(usual) or 'no parameters'}, not {unknown}")
    filled = {**usual, **given}
    for name, choices in _CHOICES.items():
        good = name not in filled or filled[name] in choices
        _require(good, f"{name} must be one of {', '.join(choices)}")
    for name, (words, good_value) in _LIMITS.items():
        _require(name not in filled or good_value(filled[name]), f"{name} must be {words}")
    _require(kind != "unit_change" or filled["fields"], f"{system} has no amounts: name `fields`")
    billing_link = kind == "evil_next_link" and system == "billing"
    _require(not billing_link, "billing has no next links: it pages by starting_after")
    return filled


def _require(good: object, message: str) -> None:
    if not good:
        raise BadFault(message)


def struck(row_id: int | str, share: float, salt: str = "") -> bool:
    """Return whether a row is among the `share` that a fault strikes: the same ones each time."""
    return zlib.crc32(f"{salt}{row_id}".encode()) % 100_000 < share * 100_000


def spoil(record: dict[str, Any], row_id: int | str, fault: Fault) -> None:
    """Change one rendered record in place, as a data fault asks."""
    params = fault.params
    if not struck(row_id, float(params.get("share", 1.0)), fault.kind):
        return
    match fault.kind:
        case "changed_enum" if record.get(params["field"]) == params["from"]:
            record[params["field"]] = params["to"]
        case "unit_change":
            for name in params["fields"]:
                if isinstance(record.get(name), int | float):
                    record[name] = record[name] * params["factor"]
        case "schema_change":
            _retype(record, params["retype"] or {})
            for old, new in (params["rename"] or {}).items():
                if old in record:
                    record[new] = record.pop(old)


def _retype(record: dict[str, Any], types: Mapping[str, str]) -> None:
    for name, kind in types.items():
        was = record.get(name)
        if was is None:
            continue
        match kind:
            case "string":
                record[name] = " ".join(was) if isinstance(was, list) else str(was)
            case "integer":
                record[name] = int(was) if str(was).lstrip("-").isdigit() else 0
            case "object":
                record[name] = {"value": was}
            case "list":
                record[name] = [was]
            case _:
                record[name] = None
