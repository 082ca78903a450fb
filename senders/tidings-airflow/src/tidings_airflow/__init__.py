"""Apache Airflow tells Tidings how DAG runs end, which tasks failed and which deadlines were missed."""

__version__ = "0.1.0"
