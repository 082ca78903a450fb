from pathlib import Path

from airflow.sdk import DAG, task

with DAG("broken", schedule=None, default_args={"owner": "dan"}):

    @task
    def extract() -> None:
        if not Path(__file__).with_name("mended").exists():
            raise ValueError("no column 'email' in the export\nLINE 1: SELECT email FROM people")

    @task
    def load() -> None: ...

    extract() >> load()
