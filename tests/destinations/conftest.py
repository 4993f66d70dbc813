"""What the tests of REST destinations share."""

import pytest

from tests.destinations.contacts_api import contacts_api
from wfops_pipelines.store import database


@pytest.fixture
def engine(database_url):
    engine = database.connect(database_url)
    database.set_up(engine)
    return engine


@pytest.fixture
def api():
    with contacts_api() as found:
        yield found


@pytest.fixture
def quick(monkeypatch):
    """Tries again without waiting."""
    monkeypatch.setattr("wfops_pipelines.destinations.calling.BACKOFF", 0.001)
