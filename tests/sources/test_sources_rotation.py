"""A vendor that rotates takes each refresh token once: the newest is kept, and shown nowhere."""

from __future__ import annotations

import json
import logging
import stat
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from urllib.parse import parse_qs

import pytest

from tests.sources.scripted import QUICK, as_json
from wfops_pipelines.errors import SourceRefused
from wfops_pipelines.sandbox import NOW
from wfops_pipelines.sources import SinglePage, Window, oauth2, rest_api

WINDOW = Window(NOW - timedelta(days=1), NOW)
AUTH = oauth2("/oauth/token", grant="refresh_token")
ITEMS = rest_api("my-erp", "/items", records="", paging=SinglePage(), auth=AUTH, retries=QUICK)
FIRST = "refresh-zero-of-the-vendor"


class Rotating:
    """Takes each refresh token once; one that comes again ends all, as RFC 9700 (4.14.2) asks."""

    def __init__(self):
        self.valid, self.n, self.lock = FIRST, 0, threading.Lock()

    def answer(self, script, path):
        if not path.startswith("/oauth"):
            return as_json([{"id": 1}])
        form = parse_qs(script.posted[-1])
        with self.lock:
            if form["refresh_token"] != [self.valid]:
                self.valid = None
                return as_json({"error": f"invalid_grant: {form['refresh_token'][0]}"}, status=400)
            self.n += 1
            self.valid = f"refresh-{self.n}-of-the-vendor"
            return as_json({"access_token": f"access-{self.n}", "refresh_token": self.valid})


@pytest.fixture
def vendor(server, tmp_path):
    rotating = Rotating()
    with server(lambda path: rotating.answer(script, path)) as script:
        rotating.environ = {
            "WFOPS_MY_ERP_URL": script.url,
            "WFOPS_MY_ERP_TOKEN": f"client:secret-of-client:{FIRST}",
            "WFOPS_STATE": str(tmp_path / "state"),
        }
        rotating.file = tmp_path / "state/tokens/my_erp.json"
        yield rotating


def read(vendor, **changes):
    environ = {**vendor.environ, **changes}
    return [r for page in ITEMS.pages(WINDOW, ITEMS.connect(environ)) for r in page]


def test_each_extraction_goes_on_with_the_token_that_the_one_before_was_given(vendor):
    for n in range(1, 4):
        assert read(vendor) == [{"id": 1}]
        assert vendor.n == n
    assert json.loads(vendor.file.read_text())["token"] == vendor.valid


def test_the_file_is_its_owners_alone(vendor):
    read(vendor)
    assert stat.S_IMODE(vendor.file.stat().st_mode) == 0o600
    assert stat.S_IMODE(vendor.file.parent.stat().st_mode) == 0o700
    assert [p.suffix for p in sorted(vendor.file.parent.iterdir())] == [".json", ".lock"]
    assert FIRST not in vendor.file.read_text()


def test_a_new_token_in_the_environment_takes_the_place_of_the_kept_one(vendor):
    read(vendor)
    vendor.valid = "given-by-hand"
    read(vendor, WFOPS_MY_ERP_TOKEN="client:secret-of-client:given-by-hand")
    read(vendor, WFOPS_MY_ERP_TOKEN="client:secret-of-client:given-by-hand")
    assert vendor.n == 3


def test_syncs_at_the_same_time_take_turns(vendor):
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda _: read(vendor), range(16))) == [[{"id": 1}]] * 16
    assert vendor.n == 16


def test_without_a_state_folder_nothing_is_written_and_one_extraction_works(vendor, tmp_path):
    del vendor.environ["WFOPS_STATE"]
    assert read(vendor) == [{"id": 1}]
    assert not (tmp_path / "state").exists()


def test_a_spent_token_is_refused_and_neither_is_shown(vendor, caplog):
    caplog.set_level(logging.DEBUG)
    read(vendor)
    kept, vendor.valid = vendor.valid, None
    with pytest.raises(SourceRefused, match="WFOPS_MY_ERP_TOKEN") as caught:
        read(vendor)
    told = "".join(traceback.format_exception(caught.value)) + json.dumps(caught.value.exchange)
    told += caplog.text + repr(ITEMS.connect(vendor.environ))
    assert caught.value.exchange["status"] == 400
    for secret in (kept, FIRST, "secret-of-client", "access-1"):
        assert secret not in told


@pytest.mark.parametrize("content", ["", "[]", '{"of": 1', "\x00", '{"token": 7}'])
def test_a_kept_token_that_cannot_be_read_is_said_before_an_old_one_is_sent(vendor, content):
    read(vendor)
    vendor.file.write_text(content)
    if content == '{"token": 7}':  # of no known origin: what the environment holds counts
        vendor.valid = FIRST
        assert read(vendor)
        return
    with pytest.raises(SourceRefused, match=r"my_erp.json.*mend or delete that file"):
        read(vendor)
    assert vendor.n == 1


def test_a_folder_that_cannot_be_written_is_said(vendor):
    vendor.file.parent.parent.mkdir()
    vendor.file.parent.write_text("a file in the folder's place")
    with pytest.raises(SourceRefused, match="mend or delete"):
        read(vendor)
    assert vendor.n == 0
