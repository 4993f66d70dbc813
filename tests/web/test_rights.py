"""What each person may do in the Dagster UI."""

from dagster._core.workspace.permissions import EDITOR_PERMISSIONS, Permissions

from wfops_pipelines.core.people import People, Role
from wfops_pipelines.core.reviews import Actor
from wfops_pipelines.web.rights import FORGETS, LAUNCH, PersonalContext, rights_of

PEOPLE = People(
    {"team": frozenset({"rita"}), "money": frozenset({"mona"})},
    {Role.ENGINEER: frozenset({"eve"}), Role.ADMIN: frozenset({"ada"})},
)


def allowed(name):
    return {p for p, r in rights_of(Actor(name, verified=True), PEOPLE).items() if r.enabled}


class _Request:
    def __init__(self, name):
        self.headers = {"X-Forwarded-User": name, "X-Wfops-Proxy-Secret": "s"}


class _Context(PersonalContext):
    """The rights need no workspace."""

    def __init__(self, name):
        self._source = None if name is None else _Request(name)
        self._read_only = False
        self._checked_permissions = set()


def context(monkeypatch, name, tmp_path):
    from wfops_pipelines import workbench
    from wfops_pipelines.settings import Settings

    settings = Settings(tmp_path, tmp_path, None, {"WFOPS_PROXY_SECRET": "s"})
    monkeypatch.setattr(workbench, "settings", lambda: settings)
    monkeypatch.setattr(workbench, "people", lambda: PEOPLE)
    monkeypatch.setattr(workbench, "secret", lambda: b"k" * 32)
    return _Context(name)


def test_an_admin_may_everything_that_dagster_lets_anyone_do():
    assert allowed("ada") == {p for p, may in EDITOR_PERMISSIONS.items() if may}


def test_an_engineer_may_take_nothing_out_of_the_history():
    assert Permissions.LAUNCH_PIPELINE_EXECUTION in allowed("eve")
    assert not allowed("eve") & set(FORGETS)


def test_who_is_nothing_but_a_reviewer_or_unknown_changes_nothing_by_default():
    assert allowed("rita") == allowed("stranger") == set()


def test_a_reviewer_launches_the_jobs_of_their_own_group_only(monkeypatch, tmp_path):
    rita = context(monkeypatch, "rita", tmp_path)
    assert not rita.has_permission(LAUNCH[0])
    assert not rita.has_permission_for_location(LAUNCH[0], "wfops")
    assert rita.viewer_has_any_owner_definition_permissions()
    assert rita.has_permission_for_owners(LAUNCH[0], ["team:reviewers-team"])
    assert not rita.has_permission_for_owners(
        LAUNCH[0], ["team:reviewers-money", "team:team", "team", "rita"]
    )
    assert not rita.has_permission_for_owners(Permissions.WIPE_ASSETS, ["team:reviewers-team"])
    shown = rita.permissions_for_location(location_name="wfops")
    assert shown[LAUNCH[0]].enabled
    assert not shown[Permissions.START_SCHEDULE].enabled


def test_a_stranger_sees_grey_buttons_only(monkeypatch, tmp_path):
    stranger = context(monkeypatch, "stranger", tmp_path)
    assert not any(r.enabled for r in stranger.permissions.values())
    shown = stranger.permissions_for_location(location_name="wfops")
    assert not any(r.enabled for r in shown.values())
    assert not stranger.viewer_has_any_owner_definition_permissions()


def test_a_backfill_is_stamped_over_whatever_it_claimed(monkeypatch, tmp_path):
    from wfops_pipelines.orchestration.identity import BACKFILL_TAG

    tags = context(monkeypatch, "rita", tmp_path).get_viewer_tags()
    assert tags["user"] == "rita"
    assert tags[BACKFILL_TAG].startswith("rita|1|")
    assert context(monkeypatch, None, tmp_path).get_viewer_tags() == {}
