from airflow.sdk import DAG, task

with DAG("orders", schedule=None, default_args={"owner": "dan, bo"}, tags=["dwh", "orders"]):

    @task
    def load() -> None: ...

    load()
