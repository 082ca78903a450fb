from datetime import UTC, datetime

from airflow.sdk import DAG, task

with DAG(
    "daily",
    schedule="@once",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    default_args={"owner": "dan"},
    is_paused_upon_creation=True,
):

    @task
    def load() -> None: ...

    load()
