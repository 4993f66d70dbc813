"""Who is told what, once, by real mail and a real webhook; and what happens when one is down."""

import logging
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from tests.notify.receivers import mailbox, webhook
from wfops_pipelines import Policy, notifying
from wfops_pipelines.core.people import People
from wfops_pipelines.core.reviews import Actor, Verb
from wfops_pipelines.deciding import deadlines
from wfops_pipelines.errors import SettingsError
from wfops_pipelines.notify import Item, compose
from wfops_pipelines.store import audit

pytestmark = pytest.mark.components

START = datetime(2026, 5, 1, tzinfo=UTC)


def row(id, amount=-5, name="n"):
    return {"id": id, "name": name, "amount": amount, "updated_at": START}


@pytest.fixture
def mail():
    with mailbox() as box:
        yield box


@pytest.fixture
def hook():
    with webhook() as found:
        yield found


def told_to(bench, *addresses, group="WFOPS_NOTIFY_TEAM", **environ):
    """The bench with these addresses for its group."""
    services = bench.services
    env = {**services.environ, group: " ".join(addresses), **environ}
    return replace(bench, services=replace(services, environ=env))


def tell(bench):
    return notifying.tell(bench.services)


def rows_of(bench):
    with bench.services.engine.connect() as conn:
        query = "select news, done_at is not null, attempts, error from wfops.notifications"
        return [tuple(r) for r in conn.execute(sa.text(f"{query} order by created_at, news"))]


def test_a_hold_is_told_once_by_mail_and_webhook_with_a_link(bench, mail, hook):
    bench = told_to(bench, mail.address, hook.address, WFOPS_PUBLIC_URL="https://data.example.com")
    review = bench.held([row("1")])
    assert tell(bench) == ["team: 1 told"]
    assert tell(bench) == []
    ((recipients, sent),) = mail.mails
    assert recipients == ["team@example.com"]
    assert "1 review request for team" in sent["subject"]
    text = sent.get_body(("plain", "html")).get_content()
    assert f"https://data.example.com/wfops/r/{review.id}" in text
    assert "amount is at least 0" in text
    (body,) = hook.bodies
    assert f"/wfops/r/{review.id}" in body["message"]
    with bench.services.engine.connect() as conn:
        events = audit.trail(conn, "team")
    assert [(e["action"], e["details"]["kind"]) for e in events] == [
        ("people.notified", "mailto"),
        ("people.notified", "json"),
    ]


def test_several_holds_are_one_message(bench, hook):
    bench = told_to(bench, hook.address)
    for i in range(30):
        bench.held([{**row(str(i)), "updated_at": START.replace(minute=i)}])
    assert tell(bench) == ["team: 30 told"]
    (body,) = hook.bodies
    assert body["title"] == "30 review requests for team"
    assert body["message"].count("/wfops/r/") == 20
    assert "and 10 more" in body["message"]


def test_who_took_it_gets_it_no_second_time_while_another_is_tried_again(bench, mail, hook):
    bench = told_to(bench, mail.address, hook.address)
    hook.status = 503
    bench.held([row("1")])
    assert tell(bench) == ["team: json: refused, or not reached"]
    assert tell(bench) == []
    bench.clock.advance(seconds=31)
    assert tell(bench) == ["team: json: refused, or not reached"]
    hook.status = 200
    bench.clock.advance(seconds=61)
    assert tell(bench) == ["team: 1 told"]
    assert (len(mail.mails), len(hook.bodies)) == (1, 1)


def test_a_mail_server_that_refuses_is_asked_again(bench, mail):
    bench = told_to(bench, mail.address)
    mail.refuse = True
    bench.held([row("1")])
    assert tell(bench) == ["team: mailto: refused, or not reached"]
    mail.refuse = False
    bench.clock.advance(hours=1)
    assert tell(bench) == ["team: 1 told"]


def test_what_was_decided_meanwhile_is_no_news(bench, hook):
    bench = told_to(bench, hook.address)
    bench.decide(bench.held([row("1")]), Verb.REJECT)
    assert tell(bench) == []
    assert hook.bodies == []
    assert rows_of(bench) == [("opened", True, 0, "moot")]


def test_a_group_without_an_address_is_left_in_peace_later_too(bench, hook):
    bench.held([row("1")])
    assert tell(bench) == []
    assert tell(told_to(bench, hook.address)) == []
    assert hook.bodies == []


def test_groups_have_addresses_of_their_own_and_a_common_one_for_the_rest(make_bench, hook):
    bench = make_bench(Policy(reviewers="data-ops"))
    people = People({"data-ops": frozenset({"ana"})}, {})
    bench.services = replace(bench.services, people=people)
    env = {"WFOPS_NOTIFY": hook.address, "WFOPS_NOTIFY_DATA_OPS": "json://127.0.0.1:9/none"}
    own = replace(
        bench, services=replace(bench.services, environ={**bench.services.environ, **env})
    )
    own.held([row("1")])
    assert tell(own) == ["data-ops: json: refused, or not reached"]
    common = told_to(bench, hook.address, group="WFOPS_NOTIFY")
    common.clock.advance(hours=1)
    assert tell(common) == ["data-ops: 1 told"]


def test_reminded_once_then_handed_on_then_rejected_each_group_told_of_its_own(make_bench, hook):
    policy = Policy(reviewers="team", remind_hours=2, escalate_hours=4, escalate_to="chiefs",
                    deadline_hours=8, at_deadline="reject")  # fmt: skip
    bench = make_bench(policy)
    people = People({"team": frozenset({"ana"}), "chiefs": frozenset({"zoe"})}, {})
    bench.services = replace(bench.services, people=people)
    bench = told_to(bench, hook.address, group="WFOPS_NOTIFY")
    bench.held([row("1")])
    for _ in range(9):
        deadlines.act(bench.project, bench.services)
        tell(bench)
        bench.clock.advance(hours=1)
    said = [(b["title"], b["message"].splitlines()[0]) for b in hook.bodies]
    assert said == [
        ("1 review request for team", "Waits for you: things #1"),
        ("1 review request for team", "Still waits: things #1"),
        ("1 review request for chiefs", "Handed on to you: things #1"),
        ("1 review request for chiefs", "Rejected, nobody answered: things #1"),
    ]


def test_a_reopened_request_is_news_again(bench, hook):
    bench = told_to(bench, hook.address)
    review = bench.held([row("1")])
    tell(bench)
    bench.release(bench.decide(review, Verb.REJECT))
    bench.reopen(review, Actor("bob"))
    assert tell(bench) == ["team: 1 told"]


def test_one_process_at_a_time_sends(bench, hook):
    bench = told_to(bench, hook.address)
    bench.held([row("1")])
    with bench.services.engine.connect() as other:
        other.execute(sa.text("select pg_advisory_lock(7364012)"))
        assert tell(bench) == []
    assert tell(bench) == ["team: 1 told"]


def test_secrets_are_in_no_log_word_row_or_trail(bench, hook, caplog):
    bench = told_to(bench, hook.address, "nonsense", "slack://bad", WFOPS_X="1")
    hook.status = 500
    bench.held([row("1")])
    with caplog.at_level(logging.DEBUG):
        said = tell(bench)
    assert "s3cret-token" not in f"{said}{caplog.text}{rows_of(bench)}"
    with bench.services.engine.connect() as conn:
        assert "s3cret-token" not in str(conn.execute(sa.text("select * from wfops.audit")).all())


def test_a_masked_column_stays_masked(make_bench, hook):
    policy = Policy(reviewers="team", masked=("amount",), hold_rows_up_to=0.9)
    bench = told_to(make_bench(policy), hook.address)
    bench.held([row("1", -98765), row("2", 3), row("3", 4)])
    tell(bench)
    assert "98765" not in str(hook.bodies)


EVIL = (
    "@channel <!everyone> <script>x</script> `|\x1b[31m\u202egnp.exe\n\nhttp://evil.example {{7*7}}"
)


def test_what_the_data_says_is_one_tame_line():
    item = Item("Waits for you", "things #1", EVIL, "/wfops/r/1")
    message = compose("team", [item], base="http://x")
    line = message.body.splitlines()[1]
    assert not set("<>`|\x1b\u202e\n") & set(line)
    assert "@channel" not in line
    assert "{{7*7}}" in line
    assert message.title == "1 review request for team"


def test_a_template_of_the_projects_own(tmp_path):
    file = tmp_path / "text.txt"
    file.write_text("Hallo {{ group }}\n{% for i in items %}{{ i.url }}{% endfor %}")
    item = Item("Waits", "things #1", "why", "/wfops/r/1")
    message = compose("team", [item], base="http://x/", template=file)
    assert (message.title, message.body) == ("Hallo team", "http://x/wfops/r/1")


@pytest.mark.parametrize(
    "text", ["{{ nothing }}", "{% for %}", "{{ items.__class__.__mro__ }}", "{{ 1/0 }}"]
)
def test_a_broken_or_hostile_template_is_refused_with_its_repair(tmp_path, text):
    file = tmp_path / "text.txt"
    file.write_text(text)
    with pytest.raises(SettingsError, match=r"WFOPS_NOTIFY_TEMPLATE=.*Mend it"):
        compose("team", [Item("a", "b", "c", "/d")], base="http://x", template=file)
