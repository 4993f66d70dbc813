"""Each kind of finding is told to the reviewers, whose decisions weigh it."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path
from typing import get_args

from wfops_pipelines.anomaly import _contracts
from wfops_pipelines.anomaly.nouns import Kind

PAGE = (Path(__file__).parents[2] / "docs/reviewing.md").read_text("utf-8")
TOLD = re.findall(r"^\| `(\w+)` \|", PAGE.partition("| kind |")[2], re.M)


def test_the_docs_tell_every_kind_that_a_statistic_can_have() -> None:
    assert sorted(TOLD) == sorted(get_args(Kind))


def test_a_broken_contract_is_of_one_of_these_kinds() -> None:
    calls = [
        node
        for node in ast.walk(ast.parse(inspect.getsource(_contracts)))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "_finding"
    ]
    kinds = {ast.literal_eval(call.args[2]) for call in calls}
    assert {"schema", "duplicates", "volume"} <= kinds <= {*TOLD}
