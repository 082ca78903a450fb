"""A notifier for what no listener hears of: a task that fails while its run goes on, a deadline that is missed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from airflow.sdk import BaseNotifier

from tidings_airflow.outbox import guarded, log, put_and_wait
from tidings_airflow.payload import (
    Payload,
    cut,
    dag_said,
    error_line,
    member,
    names_of,
    outlets_of,
    payload,
    run_said,
    task_said,
)
from tidings_airflow.settings import settings

MESSAGE_LENGTH = 500
TASK_EVENTS = {
    "failed": "task.failed",
    "up_for_retry": "task.retry",
    "success": "task.success",
    "skipped": "task.skipped",
}


class TidingsNotifier(BaseNotifier):
    """For `on_failure_callback` and its like, of a task or of a DAG, and for a `DeadlineAlert`:

        @task(on_failure_callback=TidingsNotifier())
        DeadlineAlert(..., callback=AsyncCallback(TidingsNotifier, kwargs={"owners": ["ann"]}))

    `message` goes with it (a template, except of a deadline). `owners`: instead of those of the DAG's tasks, which a
    deadline does not know. `event`: a word of one's own, for the mapping. As a callback of a whole DAG it says nothing
    where the listener tells of that DAG's runs already. Waits for a moment (`patience`) and never raises.
    """

    template_fields: Sequence[str] = ("message",)

    def __init__(
        self,
        message: str = "",
        owners: str | Sequence[str] = (),
        event: str = "",
        context: Any = None,
    ) -> None:
        super().__init__(context=context)
        self.message, self.owners, self.event = message, names_of(owners), event

    def notify(self, context: Any) -> None:
        with guarded("what a notifier was called for"):
            found = settings()
            if found is None:
                log.warning("The notifier of Tidings sends nothing: no url is set in [tidings].")
                return
            said = self.said(context)
            dag_id = said["dag"]["dag_id"]
            if not self.event and said["event"].startswith("dag_run.") and found.watches(dag_id):
                log.info("The listener of Tidings tells of the runs of %s; this callback need not.", dag_id)
                return
            put_and_wait(found, said)

    async def async_notify(self, context: Any) -> None:
        """In the triggerer, whose loop many share."""
        await asyncio.to_thread(self.notify, context)

    def said(self, context: Any) -> Payload:
        run, task = context.get("dag_run"), context.get("ti")
        dag_id = str(member(run, "dag_id") or member(context.get("dag"), "dag_id") or member(task, "dag_id") or "")
        dag = dag_said(dag_id, context.get("dag"), self.owners)
        if "display_name" not in dag and member(run, "dag_display_name"):
            dag["display_name"] = member(run, "dag_display_name")
        dag_run = run_said(run, member(run, "note"))
        dag_run.setdefault("run_id", context.get("run_id"))
        more: dict[str, Any] = {"message": cut(self.message, MESSAGE_LENGTH)}
        if deadline := context.get("deadline"):
            time = member(deadline, "deadline_time")
            more["deadline"] = {"id": str(member(deadline, "id") or ""), "time": _text(time)}
            event = "deadline.missed"
        elif "reason" in context:  # which only the callback of a whole DAG is given (dag_processing/processor.py)
            event, time = ("dag_run.success" if context["reason"] == "success" else "dag_run.failed"), None
            more["reason"] = context["reason"]
        else:
            error = error_line(context.get("exception"))
            more |= {"task": task_said(task, error), "outlets": outlets_of([context.get("task")])}
            event, time = TASK_EVENTS.get(_state(task), "task.failed"), member(task, "end_date")
        return payload(self.event or event, dag=dag, dag_run=dag_run, time=time, **more)


def _text(moment: Any) -> str:
    return moment.isoformat() if hasattr(moment, "isoformat") else str(moment or "")


def _state(task: Any) -> str:
    state = member(task, "state")
    return str(getattr(state, "value", state) or "")
