"""The GitHub preset against Prism, serving GitHub's own OpenAPI file: `make test-peers`.

Not among the tests of `make test`: it needs Node.js and npm. The file is cut down to a few lists
with all that they refer to; Prism takes a minute for the whole.
"""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from wfops_pipelines.errors import SourceMalformed
from wfops_pipelines.sources import Connection, HeaderLinkPaging, Window, flatten, github
from wfops_pipelines.store.rows import to_table

ROOT = Path(__file__).resolve().parents[2]
HERE = ROOT / ".peers/prism/node_modules"
LISTS = {
    "/repos/{owner}/{repo}/issues": "/repos/o/r/issues",
    "/repos/{owner}/{repo}/commits": "/repos/o/r/commits",
    "/gists": "/gists",
}
NOW = datetime.now(UTC)
WINDOW = Window(NOW - timedelta(days=3), NOW)


def cut(whole: dict[str, Any], links: bool) -> dict[str, Any]:
    """The lists of `whole` and what they refer to; without Link headers unless `links`."""
    paths = {p: {"get": whole["paths"][p]["get"]} for p in LISTS}
    small: dict[str, Any] = {"openapi": whole["openapi"], "info": whole["info"], "paths": paths}
    if not links:
        for path in paths.values():
            path["get"]["responses"]["200"].pop("headers", None)
    waiting: list[Any] = [paths]
    while waiting:
        match waiting.pop():
            case {"$ref": str(ref)}:
                kind, name = ref.split("/")[2:]
                there = small.setdefault("components", {}).setdefault(kind, {})
                if name not in there:
                    there[name] = whole["components"][kind][name]
                    waiting.append(there[name])
            case dict() as inner:
                waiting.extend(inner.values())
            case list() as inner:
                waiting.extend(inner)
    return small


@pytest.fixture(scope="module")
def whole() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        (HERE / "@octokit/openapi/generated/api.github.com.json").read_text("utf-8")
    )
    return found


@pytest.fixture(scope="module", params=["examples", "generated", "links"])
def prism(request: Any, whole: Any, tmp_path_factory: Any) -> Iterator[tuple[str, str]]:
    """(what it answers, its address)"""
    file = tmp_path_factory.mktemp("api") / "github.json"
    file.write_text(json.dumps(cut(json.loads(json.dumps(whole)), request.param == "links")))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [HERE / ".bin/prism", "mock", "-h", "127.0.0.1", "-p", str(port), "--errors", file]
    if request.param == "generated":
        command.append("--dynamic")
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        told = []
        for line in process.stdout:
            told.append(line)
            if "is listening" in line:
                break
        else:
            pytest.fail("Prism did not come up:\n" + "".join(told))
        yield request.param, f"http://127.0.0.1:{port}"
        process.terminate()


@pytest.mark.parametrize("path", LISTS.values())
def test_the_presets_requests_are_what_the_vendors_file_asks_for(prism, path):
    kind, url = prism
    source = github("code", path)
    if kind == "links":  # the file's own example leads to the vendor's real address
        with pytest.raises(SourceMalformed, match="another origin"):
            list(source.pages(WINDOW, Connection(url, "t0ken")))
        return
    found = [r for page in source.pages(WINDOW, Connection(url, "t0ken")) for r in page]
    assert found
    # repository_url stands beside repository.url: another separator than the usual one
    assert to_table([flatten(r, sep="__") for r in found]).num_rows == len(found)


def test_a_request_that_the_vendors_file_forbids_is_refused_and_classified(prism):
    _, url = prism
    wrong = github("code", "/repos/o/r/issues", params={"direction": "sideways"})
    with pytest.raises(SourceMalformed, match="422") as caught:
        list(wrong.pages(WINDOW, Connection(url, "t0ken")))
    assert "direction=sideways" in caught.value.exchange["url"]
    gone = replace(github("code", "/nothing"), paging=HeaderLinkPaging())
    with pytest.raises(SourceMalformed, match="404"):
        list(gone.pages(WINDOW, Connection(url, "t0ken")))
