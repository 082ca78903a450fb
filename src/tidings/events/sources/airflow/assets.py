"""The databases and tables that a DAG says it makes, by the URIs of its assets. Airflow's providers document how these
are written: `postgres://host:port/database/schema/table`, `mysql://host:port/database/table`,
`snowflake://account/database/schema/table`, `bigquery://project/dataset/table`.

https://airflow.apache.org/docs/apache-airflow-providers-postgres/stable/_modules/airflow/providers/postgres/assets/postgres.html
"""

from collections.abc import Iterable
from urllib.parse import SplitResult, unquote, urlsplit

from tidings.channels.words import one_line
from tidings.events.event import Resource
from tidings.events.sources.understand import Text, text

RESOURCES_AT_MOST = 100
PART_LENGTH = 200
# What else is named by a URI is a file, an object, a topic or a page.
_OF_DATABASES = frozenset(
    {
        *("postgres", "postgresql", "polardb", "redshift", "hologres", "mysql", "mariadb", "tidb", "oceanbase"),
        *("doris", "starrocks", "clickhouse", "oracle", "mssql", "sqlserver", "db2", "snowflake", "bigquery"),
        *("trino", "presto", "hive", "impala", "maxcompute", "odps", "vertica"),
    }
)


def resources_of(uris: Iterable[Text]) -> list[Resource]:
    """Each once, in their order."""
    found = dict.fromkeys(resource for uri in uris if (resource := _resource(text(uri))))
    return list(found)[:RESOURCES_AT_MOST]


def _resource(uri: str) -> Resource | None:
    """The instance is the host's name without its domain; in a table's name `public` goes without saying."""
    try:
        parts = urlsplit(uri)
        steps = [one_line(unquote(step)) for step in parts.path.split("/") if step]
        instance = _instance(parts)
    except ValueError:
        return None
    if parts.scheme not in _OF_DATABASES or not instance or len(steps) > 3:
        return None
    database, *names = steps or [""]
    table = ".".join(names[1:] if names[:1] == ["public"] and len(names) > 1 else names)
    resource = Resource(instance, database, table)
    return resource if all(len(part) <= PART_LENGTH for part in (instance, database, table)) else None


def _instance(parts: SplitResult) -> str:
    host = one_line(parts.netloc.rpartition("@")[2])
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    host = host.partition(":")[0]
    return host if host.replace(".", "").isdigit() else host.partition(".")[0]
