"""A task that fails while its run goes on, and says so."""

from airflow.sdk import DAG, task

from tidings_airflow.notifier import TidingsNotifier

with DAG("watched", schedule=None, default_args={"owner": "dan"}, on_success_callback=TidingsNotifier()):

    @task(on_failure_callback=TidingsNotifier(message="{{ ti.task_id }} of {{ dag.dag_id }}"))
    def check() -> None:
        raise RuntimeError("too few rows")

    @task(trigger_rule="all_done")
    def report() -> None: ...

    check() >> report()
