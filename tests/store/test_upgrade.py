"""A database that an earlier version made goes on under this one."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from wfops_pipelines.store import database

pytestmark = pytest.mark.components


def test_a_database_of_an_earlier_version_gets_the_columns_it_lacks(database_url: str) -> None:
    engine = database.connect(database_url)
    database.set_up(engine)
    with engine.begin() as conn:
        conn.execute(text("insert into wfops.controls values ('crm', 'ada', 'audit', now())"))
        conn.execute(text("alter table wfops.reviews drop column failure"))
        conn.execute(text("alter table wfops.outbox drop column error"))
    database.set_up(engine)
    with engine.connect() as conn:
        conn.execute(text("select failure from wfops.reviews"))
        conn.execute(text("select error from wfops.outbox"))
        kept: str = conn.execute(text("select paused_by from wfops.controls")).scalar_one()
    assert kept == "ada"
    engine.dispose()
