"""What makes two holds one cause: the kinds of all their findings, and nothing of the data."""

from wfops_pipelines.core.causes import cause_of_findings
from wfops_pipelines.core.findings import Finding, Severity


def found(check="anomaly", column=None, sentence="s", keys=(), **details):
    return Finding(check, Severity.CRITICAL, sentence, column, keys=keys, details=details)


def test_figures_keys_and_values_do_not_make_another_cause():
    one = found("critical_changes", "email", "email changes in 1 row", ("7",))
    other = found("critical_changes", "email", "email changes in 30 rows", ("a@b.c", "9"))
    assert cause_of_findings([one]) == cause_of_findings([other, one]) == "critical_changes: email"


def test_every_finding_counts_not_only_the_first_two():
    known = [found(column=c) for c in "abc"]
    assert cause_of_findings(known) == "anomaly: a; anomaly: b; anomaly: c"
    many = [found(column=f"c{n:02}") for n in range(30)]
    assert cause_of_findings(many).startswith("anomaly: c00; anomaly: c01; ")
    assert cause_of_findings(many) != cause_of_findings([*many[:-1], found(column="c99")])
    assert cause_of_findings(many) == cause_of_findings(many[::-1])


def test_rules_fallbacks_and_crashes_are_kinds_of_their_own():
    invoice = found("high_impact", "amount", rule="an invoice above 5,000.00")
    message = found("high_impact", rule="a message to a customer")
    assert cause_of_findings([invoice, message]) == (
        "high_impact: a message to a customer; high_impact: an invoice above 5,000.00"
    )
    assert cause_of_findings([found("expectation:email_is_unique", "email")]) == "email_is_unique"
    fallen = found("drafted", "reply", fallbacks={"it answered 429": 1})
    assert cause_of_findings([fallen]) == "drafted: reply (instead of a provider)"
    assert cause_of_findings([found("drafted", "reply", fallbacks={})]) == "drafted: reply"
    assert cause_of_findings([found("schema", crashed=True)]) == "schema crashed"
