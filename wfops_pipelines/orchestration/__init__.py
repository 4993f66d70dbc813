"""The thin shell around Dagster: assets, checks, jobs, sensors, identity."""

from wfops_pipelines.orchestration.audit_heads import sign_audit_head
from wfops_pipelines.orchestration.gate_sensors import (
    approval_gate_requests,
    notifications_sent,
    review_crashed_run,
    review_deadline_acts,
)

__all__ = [
    "approval_gate_requests",
    "notifications_sent",
    "review_crashed_run",
    "review_deadline_acts",
    "sign_audit_head",
]
