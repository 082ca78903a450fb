"""Apache Airflow: what the plug-in `tidings-airflow` sends of DAG runs, tasks and deadlines."""
