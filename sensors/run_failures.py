"""Opens a review request for a sync's run that died without a word."""

import dagster as dg

from wfops_pipelines.orchestration import review_crashed_run


@dg.run_failure_sensor(default_status=dg.DefaultSensorStatus.RUNNING, minimum_interval_seconds=15)
def run_failures(context: dg.RunFailureSensorContext):
    review_crashed_run(context)
