"""Releases what people decided, in case the run that recorded the decision could not."""

import dagster as dg

from wfops_pipelines.orchestration import approval_gate_requests


@dg.sensor(minimum_interval_seconds=5, default_status=dg.DefaultSensorStatus.RUNNING)
def approval_gate(context: dg.SensorEvaluationContext):
    yield from approval_gate_requests()
