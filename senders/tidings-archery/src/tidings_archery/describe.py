"""A ticket in Archery's own words: what its generic webhook says of it, by the same serializers, but for the SQL; and
what that leaves out: the event, the people, the time.

https://github.com/hhyo/Archery/blob/master/sql_api/serializers.py, sql/models.py, sql/utils/workflow_audit.py
"""

import json
from collections.abc import Iterable
from typing import Any

from common.utils.const import WorkflowStatus
from django.conf import settings
from django.contrib.auth.models import Group
from sql.models import ArchiveConfig, QueryPrivilegesApply, SqlWorkflow, SqlWorkflowContent
from sql.utils.resource_group import auth_group_users
from sql_api.serializers import (
    ArchiveConfigSerializer,
    QueryPrivilegesApplySerializer,
    WorkflowAuditListSerializer,
    WorkflowSerializer,
)

Json = dict[str, Any]


def described(workflow: Any, audit: Any, step: Any, event: Any, sys_config: Any) -> Json:
    """`audit` and `step` as they were when it happened, `workflow` as it is now. Raises ValueError for what is no
    ticket."""
    groups = _groups_of(audit)
    return {
        **_content(workflow),
        "audit": dict(WorkflowAuditListSerializer(audit).data),
        "tidings": {
            "event_type": event.value,
            "approvers": _approvers(groups, audit, sys_config),
            "approval_node": groups[0].name if groups and _waits(audit) else "",
            "step": _step(step) if step else None,
            "timezone": settings.TIME_ZONE,
        },
    }


def _step(step: Any) -> Json:
    return {"audit_user": step.audit_user, "audit_time": _written(step.audit_time), "remark": step.remark}


def _content(workflow: Any) -> Json:
    if isinstance(workflow, SqlWorkflow):
        content = SqlWorkflowContent.objects.get(workflow=workflow)
        counts = {name: _counts(getattr(content, name)) for name in ("review_content", "execute_result")}
        about = {"workflow": dict(WorkflowSerializer(workflow).data), **counts}
        return {"workflow_content": about, "instance": _instance(workflow.instance)}
    if isinstance(workflow, QueryPrivilegesApply):
        about = dict(QueryPrivilegesApplySerializer(workflow).data)
        return {"workflow_content": about, "instance": _instance(workflow.instance)}
    if isinstance(workflow, ArchiveConfig):
        about = dict(ArchiveConfigSerializer(workflow).data)
        about.pop("condition", None)  # a WHERE clause, with the values in it
        target = {"dest_instance": _instance(workflow.dest_instance)} if workflow.dest_instance else {}
        return {"workflow_content": about, "instance": _instance(workflow.src_instance), **target}
    raise ValueError(f"{type(workflow)} is no ticket that Tidings knows")


def _instance(instance: Any) -> Json:
    """Nothing of how it is reached."""
    return {"id": instance.id, "instance_name": instance.instance_name, "db_type": instance.db_type}


def _counts(written: str) -> str:
    """Of each statement whether it failed and how many rows it touches; neither the SQL nor what the database said."""
    try:
        rows = json.loads(written or "[]")
        return json.dumps([{name: row.get(name) for name in ("errlevel", "affected_rows")} for row in rows])
    except (ValueError, AttributeError, TypeError):
        return "[]"


def _waits(audit: Any) -> bool:
    return bool(audit.current_status == WorkflowStatus.WAITING)


def _groups_of(audit: Any) -> list[Any]:
    """The permission group whose turn it is; when all is decided, those of the whole flow, as Archery itself tells all
    of them when a ticket is withdrawn."""
    said = audit.current_audit if _waits(audit) else audit.audit_auth_groups
    ids = [int(each) for each in str(said).split(",") if each.strip().isdigit()]
    found = Group.objects.in_bulk(ids)
    return [found[each] for each in ids if each in found]


def _approvers(groups: Iterable[Any], audit: Any, sys_config: Any) -> list[str]:
    """By login: who is in one of these groups and in the ticket's resource group. Without who asks, where Archery is
    set not to let them decide (`ban_self_audit`)."""
    names = [group.name for group in groups]
    people = auth_group_users(names, audit.group_id) if names else ()
    banned = audit.create_user if sys_config.get("ban_self_audit") else ""
    return sorted({each.username for each in people if each.username != banned or each.is_superuser})


def _written(moment: Any) -> str:
    return moment if isinstance(moment, str) else str(moment.isoformat())
