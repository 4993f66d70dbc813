"""Examiners of a snapshot: its suite of expectations and its schema.

Read a suite with `suite.read_suite`, run it with `gx.run_suite`, turn the answers into findings
with `examine.findings_of`, and compare schemas with `examine.schema_drift`.
"""
