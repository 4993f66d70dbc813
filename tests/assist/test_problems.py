"""A sync's assistants are judged before they run: file, field and repair."""

import json
from pathlib import Path

import pytest

from wfops_pipelines.assist import classify, draft, rows_of
from wfops_pipelines.assist.problems import problems


@pytest.fixture
def template(tmp_path: Path) -> Path:
    file = tmp_path / "reply.jinja"
    file.write_text("Hello", "utf-8")
    return file


def seed(folder: Path, *lines: object) -> Path:
    file = folder / "seed.jsonl"
    file.write_text("\n".join(x if isinstance(x, str) else json.dumps(x) for x in lines), "utf-8")
    return file


def said(*assistants: object, masked: dict[str, tuple[str, ...]] | None = None) -> list[str]:
    found = problems(assistants, ["id", "updated_at"], masked or {})
    return [f"{field}: {words}" for field, words, _ in found]


GOOD = [{"text": f"t{i}", "label": "ab"[i % 2]} for i in range(10)]


def test_sound_assistants_have_none(template, tmp_path):
    topic = classify("topic", text=("note",), seed=seed(tmp_path, *GOOD))
    assert said(topic, draft("reply", template=template)) == []


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["nonsense"], "line 1 is not"),
        ([*GOOD, {"text": "", "label": "a"}], "line 11 is not"),
        ([{"text": "x", "label": "a"}] * 9, "has only one label"),
        ([*GOOD, {"text": "x", "label": "rare"}], "label 'rare' has fewer than 5"),
    ],
)
def test_a_bad_seed_file_is_named_with_its_line(tmp_path, lines, words):
    (found,) = said(classify("topic", text=("note",), seed=seed(tmp_path, *lines)))
    assert found.startswith("assist.seed: ")
    assert words in found
    assert "seed.jsonl" in found


def test_other_mistakes_are_named(template, tmp_path):
    gone = tmp_path / "none.jinja"
    hidden = rows_of("crm.people", match={"a": "b"}, columns=("name", "salary"))
    assert said(draft("id", template=template))[0].startswith("assist: the column 'id'")
    assert "another assistant's" in said(*[draft("reply", template=template)] * 2)[0]
    assert said(draft("reply", template=gone)) == [f"assist.template: there is no file {gone}"]
    assert said(object())[0].endswith("is no assistant")
    shows = draft("reply", template=template, context={"people": hidden})
    assert (
        "shows 'salary', which the sync of crm.people masks"
        in (said(shows, masked={"crm.people": ("salary",)})[0])
    )
    high = classify("topic", text=("n",), seed=seed(tmp_path, *GOOD), at_least=60)
    assert said(high) == ["assist.at_least: 60 is no confidence"]
