"""Tells the reviewer groups what waits for them; where, WFOPS_NOTIFY_<GROUP> says."""

import dagster as dg

from wfops_pipelines.orchestration import notifications_sent


@dg.sensor(minimum_interval_seconds=30, default_status=dg.DefaultSensorStatus.RUNNING)
def notifications(context: dg.SensorEvaluationContext):
    return notifications_sent()
