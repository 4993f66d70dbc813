"""Escalates, notes or rejects what nobody answered in time; see `Policy`."""

import dagster as dg

from wfops_pipelines.orchestration import review_deadline_acts


@dg.sensor(minimum_interval_seconds=60, default_status=dg.DefaultSensorStatus.RUNNING)
def review_deadlines(context: dg.SensorEvaluationContext):
    return review_deadline_acts()
