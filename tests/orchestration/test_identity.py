"""Who launched a run is signed for that run and never believed otherwise."""

from wfops_pipelines.core.reviews import Actor
from wfops_pipelines.orchestration.identity import IDENTITY_TAG, _stamps, read_identity, sign

SECRET = b"k" * 32


def tags(actor, run="run-1", secret=SECRET):
    return {IDENTITY_TAG: sign(actor, run, secret)}


def test_a_signed_identity_is_read_back():
    for actor in (Actor("ana", verified=True), Actor("developer"), Actor("a|b|1")):
        assert read_identity(tags(actor), "run-1", SECRET) == actor


def test_an_identity_copied_from_another_run_is_nobody():
    assert read_identity(tags(Actor("ana")), "run-2", SECRET) is None


def test_an_identity_signed_with_another_key_is_nobody():
    assert read_identity(tags(Actor("ana"), secret=b"x" * 32), "run-1", SECRET) is None


def test_a_changed_name_or_a_raised_claim_is_nobody():
    good = tags(Actor("ana"))[IDENTITY_TAG]
    for forged in (good.replace("ana", "eve"), good.replace("|0|", "|1|"), "", "|", "a|1|", "||"):
        assert read_identity({IDENTITY_TAG: forged}, "run-1", SECRET) is None


def test_a_run_that_no_person_launched_loses_whatever_its_tags_claimed():
    assert _stamps(None, "run-1") == {IDENTITY_TAG: ""}
