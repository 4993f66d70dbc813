"""The key that signs who launched a run: never half, never empty, one for all processes."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from wfops_pipelines.errors import SettingsError
from wfops_pipelines.services import identity_secret
from wfops_pipelines.settings import Settings


@pytest.fixture
def settings(tmp_path):
    return Settings(tmp_path, tmp_path / "state", None, {})


def test_processes_that_start_at_once_have_one_key_and_nothing_is_left_over(settings):
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: identity_secret(settings), range(32)))
    assert [len(key) for key in found] == [32]
    assert [p.name for p in settings.identity_key.parent.iterdir()] == [settings.identity_key.name]
    assert settings.identity_key.stat().st_mode & 0o777 == 0o600


def test_one_that_is_killed_while_it_makes_the_key_leaves_none(settings, monkeypatch):
    def die(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as killed:
        killed.setattr(os, "link", die)
        with pytest.raises(KeyboardInterrupt):
            identity_secret(settings)
    assert not settings.identity_key.exists()
    assert len(identity_secret(settings)) == 32


def test_an_empty_key_signs_nothing(settings):
    settings.identity_key.parent.mkdir(parents=True)
    settings.identity_key.write_bytes(b"")
    with pytest.raises(SettingsError, match=r"cut off. Remove the file"):
        identity_secret(settings)
