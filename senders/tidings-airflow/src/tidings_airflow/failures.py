"""Which tasks of a run failed, with a line of the error of each.

Only the process that ran a task knows its error; only the scheduler knows that the run has failed; the two may be on
different machines, and the task's process has no database. An XCom is what Airflow has for that: written when a task
fails (its failure is not reported before its process ends, so the run cannot fail earlier), cleared with the task,
deleted with the run.
"""

from __future__ import annotations

from typing import Any

from airflow.models.dagrun import DagRunNote
from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XComModel
from airflow.utils.session import create_session
from airflow.utils.state import TaskInstanceState
from sqlalchemy import func, select, tuple_

from tidings_airflow.payload import ERROR_KEY, ERROR_LENGTH, Payload, cut, task_said

AT_MOST = 20


def failures_of(run: Any) -> tuple[list[Payload], int, str | None]:
    """The first tasks that failed, how many there are, and the note that somebody has written on the run.

    In a session of its own, and not in the way that every guide shows: `create_session()` gives this thread's session,
    which in the scheduler is the scheduler's, and leaving it ends the scheduler's transaction and then the scheduler.
    Nor with the run's own session: a statement that fails there would make PostgreSQL refuse all that comes after it.
    """
    failed = (
        TaskInstance.dag_id == run.dag_id,
        TaskInstance.run_id == run.run_id,
        TaskInstance.state == TaskInstanceState.FAILED,
    )
    with create_session(scoped=False) as session:
        tasks = session.execute(
            select(TaskInstance.task_id, TaskInstance.map_index, TaskInstance.try_number)
            .where(*failed)
            .order_by(TaskInstance.end_date, TaskInstance.task_id, TaskInstance.map_index)
            .limit(AT_MOST)
        ).all()
        count = len(tasks)
        if count == AT_MOST:
            count = session.scalar(select(func.count()).select_from(TaskInstance).where(*failed)) or count
        errors = {
            (task_id, map_index): value
            for task_id, map_index, value in session.execute(
                select(XComModel.task_id, XComModel.map_index, XComModel.value).where(
                    XComModel.dag_id == run.dag_id,
                    XComModel.run_id == run.run_id,
                    XComModel.key == ERROR_KEY,
                    tuple_(XComModel.task_id, XComModel.map_index).in_([(one.task_id, one.map_index) for one in tasks]),
                )
            )
        }
        note = session.scalar(select(DagRunNote.content).where(DagRunNote.dag_run_id == run.id))
    return [task_said(task, _line(errors.get((task.task_id, task.map_index)))) for task in tasks], count, note


def _line(value: Any) -> str:
    """An XCom backend may have put anything there."""
    return cut(value, ERROR_LENGTH) if isinstance(value, str) else ""
