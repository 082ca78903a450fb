"""Two deadlines that are missed while the run goes on: told by the triggerer and by the executor."""

import time
from datetime import timedelta

from airflow.sdk import DAG, AsyncCallback, DeadlineAlert, DeadlineReference, SyncCallback, task

from tidings_airflow.notifier import TidingsNotifier

said = {"owners": ["dan"]}
queued, soon = DeadlineReference.DAGRUN_QUEUED_AT, timedelta(seconds=1)

with DAG(
    "late",
    schedule=None,
    default_args={"owner": "dan"},
    deadline=[
        DeadlineAlert(queued, soon, AsyncCallback(TidingsNotifier, kwargs={**said, "message": "by the triggerer"})),
        DeadlineAlert(queued, soon, SyncCallback(TidingsNotifier, kwargs={**said, "message": "by the executor"})),
    ],
):

    @task
    def load() -> None:
        time.sleep(10)

    load()
