"""What Airflow finds by the entry point `airflow.plugins`."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin

from tidings_airflow.listen import Listener


class TidingsPlugin(AirflowPlugin):
    name = "tidings"
    listeners = [Listener()]  # noqa: RUF012 - as Airflow has it
