"""The classifier: what teaches it, what does not, and what it says of itself."""

import pytest

from wfops_pipelines.assist import classify, labels

pytestmark = pytest.mark.slow
WORDS = {
    "cash": ("the invoice was paid twice", "a wrong price on the bill", "money was taken again",
             "the bill has no tax number", "paid but still overdue", "charge on my card"),
    "door": ("the password is refused", "login asks again and again", "my account is locked",
             "the reset mail never came", "signing in fails", "two factor code is wrong"),
}  # fmt: skip
SEED = [(text, label) for label, texts in WORDS.items() for text in texts]


def test_the_same_training_has_the_same_name_and_the_same_answers():
    one, again = labels.fit(SEED), labels.fit(list(SEED))
    assert one.name == again.name
    assert one.predict(["my bill"]) == again.predict(["my bill"])


def test_a_flood_of_copies_teaches_as_much_as_one():
    flood = [("zebra crossing", "cash")] * 500 + [(" Zebra crossing", "door")]
    assert labels.fit(SEED, flood).name == labels.fit(SEED, [(" Zebra crossing", "door")]).name


def test_accepted_labels_that_contradict_the_seeds_are_set_aside_and_it_says_so():
    wrong = {"cash": "door", "door": "cash"}
    poison = [(f"{text} {n}", wrong[label]) for n in range(8) for text, label in SEED]
    model = labels.fit(SEED, poison)
    assert "96 accepted rows contradict the seeds and were set aside" in model.name
    assert model.predict(["the password is refused today"])[0][0][0] == "door"
    fine = [(f"{text} {n}", label) for n in range(2) for text, label in SEED]
    assert "24 accepted rows" in labels.fit(SEED, fine).name


def test_confidence_falls_with_what_it_has_never_seen():
    (known, strange) = labels.fit(SEED).predict(["the bill is wrong", "qqq xxx 123"])
    assert known[0][0] == "cash"
    assert known[0][1] > strange[0][1]


@pytest.mark.parametrize("text", ["", "\x00", "\ud800", "a" * 100_000, "\U0001f600" * 50])
def test_no_text_breaks_it(tmp_path, text):
    file = tmp_path / "seed.jsonl"
    import json

    file.write_text("\n".join(json.dumps({"text": t, "label": s}) for t, s in SEED), "utf-8")
    (draft,) = labels.propose(classify("topic", text=("note",), seed=file), [{"note": text}], ())
    assert draft.value in ("cash", "door", None)
    assert 0 <= draft.confidence <= 1
