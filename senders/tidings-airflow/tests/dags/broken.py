from airflow.sdk import DAG, Asset, task

with DAG("broken", schedule=None, default_args={"owner": "dan"}):

    @task
    def extract() -> None:
        raise ValueError("no column 'email' in the export\nLINE 1: SELECT email FROM people")

    @task(outlets=[Asset("postgres://rm-orders.example.com:5432/orders/public/orders")])
    def load() -> None: ...

    extract() >> load()
