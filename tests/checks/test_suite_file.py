"""A suite file is read whole, named and put in words, or refused with its repair."""

import json
import re

import pytest

from wfops_pipelines.checks.suite import check_columns, read_suite
from wfops_pipelines.core.findings import Severity
from wfops_pipelines.errors import ProjectError


@pytest.fixture
def write(tmp_path):
    def write(*entries, **head):
        path = tmp_path / "contacts.json"
        body = {"name": "contacts", "expectations": list(entries), **head}
        path.write_text(json.dumps(body), encoding="utf-8")
        return path

    return write


def expect(type_, severity=None, meta=None, **kwargs):
    entry = {"type": f"expect_{type_}", "kwargs": kwargs}
    return entry | ({"severity": severity} if severity else {}) | ({"meta": meta} if meta else {})


NOT_NULL = expect("column_values_to_not_be_null", column="email")
AMOUNT = expect(
    "column_values_to_be_between", column="amount_due", min_value=0, max_value=5_000_000
)

WORDS = {
    "email is never empty": NOT_NULL,
    "email is filled in at least 99 % of rows": expect(
        "column_values_to_not_be_null", column="email", mostly=0.99
    ),
    "amount_due is between 0 and 5,000,000": AMOUNT,
    "amount_due is more than 0 and at most 10": expect(
        "column_values_to_be_between",
        column="amount_due",
        min_value=0,
        max_value=10,
        strict_min=True,
    ),
    "status is one of draft, open, paid": expect(
        "column_values_to_be_in_set", column="status", value_set=["draft", "open", "paid"]
    ),
    "status is one of draft in at least 99.5 % of rows": expect(
        "column_values_to_be_in_set", column="status", value_set=["draft"], mostly=0.995
    ),
    "n is one of 30 values (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, …)": expect(
        "column_values_to_be_in_set", column="n", value_set=list(range(30))
    ),
    "between 50 and 5,000 rows": expect(
        "table_row_count_to_be_between", min_value=50, max_value=5000
    ),
    "at least $least rows": expect(
        "table_row_count_to_be_between", min_value={"$PARAMETER": "least"}
    ),
    "paid_at is never empty, where status is 'paid'": expect(
        "column_values_to_not_be_null",
        column="paid_at",
        row_condition='col("status") == "paid"',
        condition_parser="great_expectations",
    ),
    "paid_at is never empty, where status is one of 'paid', 'late' and due is not empty": expect(
        "column_values_to_not_be_null",
        column="paid_at",
        row_condition={
            "type": "and",
            "conditions": [
                {
                    "type": "comparison",
                    "column": {"name": "status"},
                    "operator": "IN",
                    "parameter": ["paid", "late"],
                },
                {"type": "nullity", "column": {"name": "due"}, "is_null": False},
            ],
        },
    ),
    "end is at least start": expect(
        "column_pair_values_a_to_be_greater_than_b", column_A="end", column_B="start", or_equal=True
    ),
    "country, vat_id are unique together": expect(
        "compound_columns_to_be_unique", column_list=["country", "vat_id"]
    ),
}


@pytest.mark.parametrize(("words", "entry"), WORDS.items(), ids=lambda x: str(x)[:40])
def test_an_expectation_is_put_in_words(write, words, entry):
    assert read_suite(write(entry)).expectations[0].words == words


def test_the_words_of_the_author_win(write):
    entry = NOT_NULL | {"description": "we can write to everyone"}
    assert read_suite(write(entry)).expectations[0].words == "we can write to everyone"


def test_every_core_type_has_words_without_leftovers():
    from wfops_pipelines.checks.known import core_types
    from wfops_pipelines.checks.words import in_words, short_name

    for known in core_types().values():
        kwargs = dict.fromkeys(known.required | known.optional - {"row_condition", "mostly"}, "x")
        words, name = in_words(known.type, kwargs), short_name(known.type, kwargs)
        assert not re.search(r"[{}|]|expect_|None", words), words
        assert re.fullmatch(r"[A-Za-z0-9_]+", name), name


def test_names_are_identifiers_derived_from_column_and_type(write):
    suite = read_suite(write(NOT_NULL, AMOUNT))
    assert [e.name for e in suite.expectations] == [
        "email_is_never_empty",
        "amount_due_is_in_range",
    ]


def test_names_do_not_depend_on_the_order_of_the_file(write):
    twin = expect("column_values_to_be_between", column="amount_due", max_value=9)
    entries = [NOT_NULL, AMOUNT, twin]
    forth = {e.words: e.name for e in read_suite(write(*entries)).expectations}
    back = {e.words: e.name for e in read_suite(write(*entries[::-1])).expectations}
    assert forth == back
    assert len(set(forth.values())) == 3


def test_columns_in_other_scripts_keep_names_apart(write):
    entries = [
        expect("column_values_to_be_unique", column=c) for c in ("größe", "gröse", "客户", "顾客")
    ]
    names = [e.name for e in read_suite(write(*entries)).expectations]
    assert len(set(names)) == 4
    assert all(re.fullmatch(r"[A-Za-z0-9_]+", name) for name in names)


def test_an_author_may_choose_the_name(write):
    entry = expect("column_values_to_be_unique", column="id", meta={"name": "ids_differ"})
    assert read_suite(write(entry)).expectations[0].name == "ids_differ"


def test_severity_columns_and_kind_are_read(write):
    entry = expect(
        "column_values_to_be_unique",
        "warning",
        column="id",
        row_condition='col("status") == "open"',
        condition_parser="great_expectations",
    )
    rows = expect("table_row_count_to_equal", value=3)
    first, second = read_suite(write(entry, rows)).expectations
    assert (first.severity, first.column, first.columns) == (
        Severity.WARNING,
        "id",
        ("id", "status"),
    )
    assert (second.severity, second.column, second.columns) == (Severity.CRITICAL, None, ())
    assert (first.about_rows, second.about_rows) == (True, False)


def test_what_the_examiner_decides_is_left_out_of_the_kwargs(write):
    entry = expect("column_values_to_be_unique", column="id", result_format="BASIC", batch_id="b")
    assert read_suite(write(entry)).expectations[0].kwargs == {"column": "id"}


def test_the_digest_changes_with_any_byte_and_with_custom_code(write, tmp_path):
    custom = tmp_path / "vat.py"
    custom.write_text(CUSTOM)
    entry = expect("column_values_to_be_known_vat_ids", column="vat")
    first = read_suite(write(entry))
    assert first.digest == read_suite(write(entry)).digest
    custom.write_text(CUSTOM + "# other\n")
    assert first.digest != read_suite(write(entry)).digest
    assert first.digest != read_suite(write(entry, notes="x")).digest


CUSTOM = """
import great_expectations.expectations as gxe
from great_expectations.expectations.expectation import ColumnMapExpectation

class ExpectColumnValuesToBeKnownVatIds(ColumnMapExpectation):
    map_metric = "column_values.known_vat_ids"
    country: str = "DE"

class ExpectSmallAmounts(gxe.ExpectColumnValuesToBeBetween):
    column: str = "amount"
    max_value: float = 10

class NotAnExpectation:
    pass

raise RuntimeError("reading a suite must not run this")
"""


def test_custom_expectations_are_known_without_running_their_file(write, tmp_path):
    (tmp_path / "vat.py").write_text(CUSTOM)
    vat = expect("column_values_to_be_known_vat_ids", column="vat", country="FR")
    small = expect("small_amounts")
    first, second = read_suite(write(vat, small)).expectations
    assert (first.name, first.words) == (
        "vat_values_to_be_known_vat_ids",
        "vat: values to be known vat ids",
    )
    assert first.about_rows
    assert second.about_rows


def entry_with(**changes):
    return NOT_NULL | changes


REFUSED = {
    "unknown type": (
        [expect("column_values_to_not_be_nul", column="email")],
        ["expectations[0].type", "did you mean 'expect_column_values_to_not_be_null'?"],
    ),
    "type for SQL only": (
        [expect("column_values_to_match_like_pattern", column="email", like_pattern="%@%")],
        ["runs on SQL only", "use a regex"],
    ),
    "unknown key": ([entry_with(severty="info")], ["expectations[0].severty", "'severity'"]),
    "old key": (
        [{"expectation_type": "expect_column_values_to_be_null", "kwargs": {}}],
        ["before Great Expectations 1.0", "call it 'type'"],
    ),
    "unknown severity": (
        [entry_with(severity="fatal")],
        ["'fatal' is no severity", "info, warning, critical"],
    ),
    "missing kwarg": ([entry_with(kwargs={})], ["kwargs.column", "it is missing"]),
    "unknown kwarg": (
        [expect("column_values_to_not_be_null", column="email", mostl=0.9)],
        ["kwargs.mostl", "did you mean 'mostly'?"],
    ),
    "mostly as per cent": (
        [expect("column_values_to_not_be_null", column="email", mostly=99)],
        ["kwargs.mostly", "0.99 means 99 %"],
    ),
    "no bounds": (
        [expect("column_values_to_be_between", column="n")],
        ["everything passes", "'min_value' or 'max_value'"],
    ),
    "bounds the wrong way": (
        [expect("column_values_to_be_between", column="n", min_value=2, max_value=1)],
        ["min_value 2 is above max_value 1", "swap"],
    ),
    "a bound beyond exact floats": (
        [expect("column_values_to_be_between", column="n", max_value=2**53 + 1)],
        ["kwargs.max_value", "too large to be compared exactly"],
    ),
    "half a character": (
        [expect("column_values_to_be_in_set", column="n", value_set=["\ud800"])],
        ["half a character"],
    ),
    "empty set": (
        [expect("column_values_to_be_in_set", column="n", value_set=[])],
        ["kwargs.value_set", "a list with something in it"],
    ),
    "bad regex": (
        [expect("column_values_to_match_regex", column="n", regex="(")],
        ["kwargs.regex", "not a regular expression"],
    ),
    "no regex": (
        [expect("column_values_to_match_regex", column="n")],
        ["regex", "it is missing"],
    ),
    "twins": (
        [NOT_NULL, AMOUNT, entry_with(severity="info", notes="again")],
        ["expectations[2]", "the same as expectations[0]"],
    ),
    "id that is no UUID": ([entry_with(id="e-1")], ["'e-1' is not a UUID", "remove the id"]),
    "column that is no text": ([entry_with(kwargs={"column": 3})], ["a column's name"]),
    "an entry that is no object": (["email"], ["expectations[0]", "object"]),
}


@pytest.mark.parametrize(("entries", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_a_wrong_expectation_is_refused_with_its_repair(write, entries, said):
    with pytest.raises(ProjectError) as refused:
        read_suite(write(*entries))
    assert all(part in str(refused.value) for part in ["contacts.json", *said]), refused.value


def test_a_wrong_name_is_refused(write):
    with pytest.raises(ProjectError, match=r'write "name": "contacts"'):
        read_suite(write(NOT_NULL, name="contact"))


def test_an_unknown_key_of_the_suite_is_refused(write):
    with pytest.raises(ProjectError, match=r"expectation: this key.*did you mean 'expectations'"):
        read_suite(write(expectation=[]))


def test_a_missing_file_is_refused_with_a_first_suite_to_write(tmp_path):
    with pytest.raises(ProjectError, match=r'"name": "contacts", "expectations": \[\]'):
        read_suite(tmp_path / "contacts.json")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"name": "contacts",}', "line 1, column"),
        ('{"name": "contacts", "expectations": [], "meta": {"n": NaN}}', "NaN is not JSON"),
        ('{"name": "contacts", "name": "contacts"}', "written twice"),
        ("[]", "a suite is a JSON object"),
        ("[" * 100_000, "JSON"),
    ],
)
def test_bad_json_is_refused_with_its_place(tmp_path, text, said):
    path = tmp_path / "contacts.json"
    path.write_text(text)
    with pytest.raises(ProjectError, match=said):
        read_suite(path)


def test_a_file_in_another_encoding_is_refused(tmp_path):
    path = tmp_path / "contacts.json"
    path.write_bytes('{"name": "größe"}'.encode("latin-1"))
    with pytest.raises(ProjectError, match="UTF-8"):
        read_suite(path)


def test_a_custom_class_cannot_take_a_core_name(write, tmp_path):
    (tmp_path / "own.py").write_text(
        "class ExpectColumnValuesToBeUnique(ColumnMapExpectation): pass"
    )
    with pytest.raises(ProjectError, match="Great Expectations has this name too"):
        read_suite(write(NOT_NULL))


def test_a_custom_file_that_is_not_python_is_refused(write, tmp_path):
    (tmp_path / "own.py").write_text("class (")
    with pytest.raises(ProjectError, match=r"own\.py"):
        read_suite(write(NOT_NULL))


def test_a_dangling_column_is_refused_with_the_closest(write):
    suite = read_suite(write(NOT_NULL))
    check_columns(suite, ["id", "email"])
    with pytest.raises(ProjectError, match=r"no column 'email'.*did you mean 'e_mail'"):
        check_columns(suite, ["id", "e_mail"])


def test_a_dangling_column_in_a_row_condition_is_refused(write):
    entry = expect(
        "column_values_to_not_be_null", column="email", row_condition='col("state") == "open"'
    )
    with pytest.raises(ProjectError, match="no column 'state'"):
        check_columns(read_suite(write(entry)), ["email"])
