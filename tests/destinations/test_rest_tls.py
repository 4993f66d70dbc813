"""A SaaS API behind TLS: trusted, trickling, or not to be trusted."""

import pytest

from tests.certificates import certificate
from tests.destinations.contacts_api import TOKEN, contacts_api
from tests.destinations.delivery_child import contacts, many, people, publish
from wfops_pipelines.destinations import Written
from wfops_pipelines.destinations.deliveries import of_snapshot
from wfops_pipelines.errors import DestinationUnreachable, FailureKind

pytestmark = [pytest.mark.components, pytest.mark.usefixtures("quick")]


@pytest.fixture
def tls(tmp_path):
    return certificate(tmp_path)


def states(engine):
    with engine.connect() as conn:
        return {k: d.state.value for k, d in of_snapshot(conn, "people", 1).items()}


def test_an_answer_that_trickles_over_tls_is_given_up_repeated_and_happens_once(engine, tls):
    trusted, context = tls
    with contacts_api(tls=context) as api:
        api.faults = ["trickle"]
        environ = {**api.environ, "REQUESTS_CA_BUNDLE": str(trusted)}
        to = contacts(keys=True, deadline=0.3)
        assert publish(engine, to, people(many(2), environ)) == Written(inserted=2)
        assert (len(api.asked), len(api.records)) == (3, 2)


@pytest.mark.parametrize("keys", [True, False])
def test_a_certificate_that_nobody_trusts_gets_neither_token_nor_rows(engine, tls, keys):
    with contacts_api(tls=tls[1]) as api:
        with pytest.raises(DestinationUnreachable) as refused:
            publish(engine, contacts(keys=keys), people(many(2), api.environ))
        assert api.headers == []
    said = str(refused.value)
    assert "POST /contacts its certificate is not trusted (self-signed certificate)" in said
    assert "REQUESTS_CA_BUNDLE" in said
    assert TOKEN not in said
    assert refused.value.kind is FailureKind.NETWORK
    assert states(engine) == {"k0": "failed"}  # nothing was sent, so nothing is unknown
