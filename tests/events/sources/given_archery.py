"""What Archery's generic webhook sends: recorded from its own `sql/notify.py` and serializers (commit 94df327) with
tickets of its own models. `senders/tidings-archery/tests` runs that code."""

import json
from datetime import UTC, datetime
from typing import Any

from tidings.events.sources.contract import Push

RECEIVED = datetime(2026, 11, 23, 10, 0, 5, tzinfo=UTC)
SECRET_SQL = "update coupons set amount=5 where user='bob@example.com'"
STATEMENT = {
    "id": 1, "stage": "CHECKED", "errlevel": 0, "stagestatus": "Audit completed", "errormessage": "None",
    "sql": SECRET_SQL, "affected_rows": 120, "sequence": "", "backup_dbname": "", "execute_time": "", "sqlsha1": "",
    "backup_time": "", "actual_affected_rows": "",
}  # fmt: skip
INSTANCE = {
    "id": 1, "instance_name": "rm-orders", "type": "master", "db_type": "mysql", "mode": "", "host": "10.0.0.5",
    "port": 3306, "user": "archery", "is_ssl": False, "verify_ssl": True, "db_name": "", "show_db_name_regex": "",
    "denied_db_name_regex": "", "charset": "", "service_name": None, "sid": None,
    "create_time": "2026-11-23T17:59:59.324409", "update_time": "2026-11-23T17:59:59.324421", "tunnel": None,
    "resource_group": [], "instance_tag": [],
}  # fmt: skip


def audit(**changes: Any) -> dict[str, Any]:
    return {
        "audit_id": 57, "group_name": "orders team", "workflow_type": 2, "workflow_title": "补发 11 月优惠券",
        "audit_auth_groups": "1,2", "current_audit": "1", "current_status": 0, "create_user_display": "Ann",
        "create_time": "2026-11-23T18:00:04.339504",
    } | changes  # fmt: skip


def release(rows: Any = (STATEMENT,), done: Any = (), audit_says: dict[str, Any] | None = None, **changes: Any) -> Any:
    """A SQL ticket. `done`: what its execution left."""
    workflow = {
        "id": 12, "workflow_name": "补发 11 月优惠券", "demand_url": "", "group_id": 1, "group_name": "orders team",
        "db_name": "orders", "syntax_type": 2, "is_backup": True, "engineer": "ann", "engineer_display": "Ann",
        "status": "workflow_manreviewing", "audit_auth_groups": "1,2", "run_date_start": None, "run_date_end": None,
        "create_time": "2026-11-23T18:00:04.327509", "finish_time": None, "is_manual": 0, "is_offline_export": 0,
        "export_format": None, "file_name": None, "instance": 1,
    } | changes  # fmt: skip
    content = {
        "id": 12, "workflow_id": 12, "workflow": workflow, "sql_content": SECRET_SQL,
        "review_content": json.dumps(rows), "execute_result": json.dumps(done) if done else "",
    }  # fmt: skip
    return {"workflow_content": content, "instance": INSTANCE, "audit": audit(**(audit_says or {}))}


def query(audit_says: dict[str, Any] | None = None, **changes: Any) -> Any:
    """A permission to query."""
    content = {
        "apply_id": 3, "group_id": 1, "group_name": "orders team", "title": "查询 orders", "user_name": "ann",
        "user_display": "Ann", "db_list": "orders", "table_list": "orders,refunds", "valid_date": "2026-12-31",
        "limit_num": 100, "priv_type": 2, "status": 0, "audit_auth_groups": "1,2",
        "create_time": "2026-11-23T18:00:04.432276", "sys_time": "2026-11-23T18:00:04.432305", "instance": 1,
    } | changes  # fmt: skip
    says = {"audit_id": 58, "workflow_type": 1, "workflow_title": "查询 orders"} | (audit_says or {})
    return {"workflow_content": content, "audit": audit(**says)}


def archive(audit_says: dict[str, Any] | None = None, **changes: Any) -> Any:
    content = {
        "id": 4, "title": "归档 2024 订单", "audit_auth_groups": "1,2", "src_db_name": "orders",
        "src_table_name": "orders", "dest_db_name": None, "dest_table_name": None,
        "condition": "created < '2025-01-01' and user='bob@example.com'", "mode": "purge", "no_delete": False,
        "sleep": 1, "status": 0, "state": False, "user_name": "ann", "user_display": "Ann",
        "create_time": "2026-11-23T18:00:04.452886", "last_archive_time": None,
        "sys_time": "2026-11-23T18:00:04.452901", "resource_group": 1, "src_instance": 1, "dest_instance": None,
    } | changes  # fmt: skip
    says = {"audit_id": 59, "workflow_type": 3, "workflow_title": "归档 2024 订单"} | (audit_says or {})
    return {"workflow_content": content, "audit": audit(**says)}


def finished(status: str = "workflow_finish", done: Any = (STATEMENT,), **changes: Any) -> Any:
    """A release that was executed."""
    says = {"current_audit": "-1", "current_status": 1}
    time = "2026-11-23T18:30:00.416324"
    return release(done=done, audit_says=says, **({"status": status, "finish_time": time} | changes))


def push(payload: Any, headers: dict[str, str] | None = None) -> Push:
    """As `requests.post(url, json=...)` writes it."""
    return Push({"content-type": "application/json"} | (headers or {}), json.dumps(payload).encode(), RECEIVED)
