"""What Airflow tells its listeners, and in which process: the end of a run in the scheduler, or in the API server when
somebody sets its state by hand; the failure of a task in the process that ran it.

The scheduler calls us within its loop and before it commits: what is told here is on disk in milliseconds, and should
the transaction fail, it is told again when the run ends again.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from airflow.listeners import hookimpl

from tidings_airflow.outbox import guarded, outbox, put
from tidings_airflow.payload import ERROR_KEY, Payload, dag_said, error_line, outlets_of, payload, run_said
from tidings_airflow.settings import settings

# A run that had ended and is then set to another state by hand keeps the end it had.
SET_LATER = timedelta(minutes=1)


class Listener:
    @hookimpl
    def on_starting(self, component: Any) -> None:
        """Whoever lives long sends what others leave: the scheduler, the triggerer and the DAG processor, each of them
        a `Job`, of a kind that it does not know yet. A task is none."""
        if type(component).__name__ == "Job":
            with guarded("what others have left"):
                found = settings()
                if found:
                    outbox(found).deliver()

    @hookimpl
    def on_dag_run_success(self, dag_run: Any, msg: str) -> None:
        with guarded("the success of a run"):
            _tell("dag_run.success", dag_run, msg)

    @hookimpl
    def on_dag_run_failed(self, dag_run: Any, msg: str) -> None:
        with guarded("the failure of a run"):
            _tell("dag_run.failed", dag_run, msg)

    @hookimpl
    def on_task_instance_failed(self, previous_state: Any, task_instance: Any, error: Any) -> None:
        """Leaves the error where the scheduler finds it when the run fails. In the API server, where a state is set by
        hand, there is no error."""
        if type(task_instance).__name__ != "RuntimeTaskInstance":
            return
        with guarded("the error of a task"):
            found = settings()
            if found and found.errors and found.watches(task_instance.dag_id) and (line := error_line(error)):
                task_instance.xcom_push(key=ERROR_KEY, value=line)


def _tell(event: str, run: Any, reason: str) -> None:
    found = settings()
    if found and found.watches(run.dag_id):
        put(found, run_ended(event, run, reason))


def run_ended(event: str, run: Any, reason: str) -> Payload:
    """What is told of it."""
    more: dict[str, Any] = {"reason": reason}
    note = None
    if event == "dag_run.failed":
        with guarded("which tasks failed"):
            from tidings_airflow.failures import failures_of

            more["failed_tasks"], more["failed_task_count"], note = failures_of(run)
    return payload(
        event,
        dag=dag_said(run.dag_id, getattr(run, "dag", None)),
        dag_run=run_said(run, note),
        time=_when(run.end_date),
        outlets=outlets_of(getattr(getattr(run, "dag", None), "tasks", None) or ()),
        **more,
    )


def _when(ended: datetime | None) -> datetime:
    now = datetime.now(timezone.utc)
    return now if ended is None or now - ended > SET_LATER else ended
