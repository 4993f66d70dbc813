"""Signs the head of the audit trail, where the run that wrote to it could not."""

import dagster as dg

from wfops_pipelines.orchestration import sign_audit_head


@dg.sensor(minimum_interval_seconds=15, default_status=dg.DefaultSensorStatus.RUNNING)
def audit_heads(context: dg.SensorEvaluationContext):
    return sign_audit_head(context)
