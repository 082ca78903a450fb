"""What Archery's generic webhook sends, as its serializers write it, and what the notifier of `tidings-archery` adds.

https://github.com/hhyo/Archery/blob/master/sql/notify.py (GenericWebhookNotifier)
https://github.com/hhyo/Archery/blob/master/sql_api/serializers.py, sql/models.py
"""

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from tidings.events.sources.understand import Text


class Release(Struct):
    """A SQL ticket (`SqlWorkflow`): a release, or an export."""

    workflow_name: Text = None
    instance: Text = None
    db_name: Text = None
    syntax_type: Text = None
    is_offline_export: Text = None
    engineer: Text = None
    status: Text = None
    finish_time: Text = None


class Content(Struct):
    """`SqlWorkflowContent` of a SQL ticket; all columns of `QueryPrivilegesApply` or `ArchiveConfig` of the others."""

    workflow: Release | None = None
    review_content: str | None = None
    execute_result: str | None = None
    title: Text = None
    user_name: Text = None
    status: Text = None
    db_list: Text = None
    table_list: Text = None
    valid_date: Text = None
    limit_num: Text = None
    src_db_name: Text = None
    src_table_name: Text = None
    dest_db_name: Text = None
    dest_table_name: Text = None


class Audit(Struct):
    audit_id: Text = None
    group_name: Text = None
    workflow_type: Text = None
    workflow_title: Text = None
    audit_auth_groups: Text = None
    current_audit: Text = None
    current_status: Text = None
    create_user_display: Text = None
    create_time: Text = None


class Instance(Struct):
    instance_name: Text = None


class Step(Struct):
    """Who did what to the audit last (`WorkflowAuditDetail`)."""

    audit_user: Text = None
    audit_time: Text = None
    remark: Text = None


class Tidings(Struct):
    """What our notifier knows beside: the event, which the generic webhook leaves out; approvers by login; the name of
    the permission group whose turn it is; in which zone the times are."""

    event_type: Text = None
    approvers: list[str] = []
    approval_node: Text = None
    step: Step | None = None
    timezone: Text = None


class Body(Struct):
    audit: Audit
    workflow_content: Content = msgspec.field(default_factory=Content)
    instance: Instance | None = None
    dest_instance: Instance | None = None
    tidings: Tidings = msgspec.field(default_factory=Tidings)


class Statement(Struct):
    """One of a SQL ticket, as it was reviewed or executed. The SQL and what the database said to it stay where they
    are: both hold people's data."""

    errlevel: str | int | float | None = None
    affected_rows: str | int | float | None = None


decoder = msgspec.json.Decoder(Body)
_statements = msgspec.json.Decoder(list[Statement])
_open = msgspec.json.Decoder(dict[str, msgspec.Raw])
# Of the SQL, its literals and what was answered to it nothing is kept, nor how an instance is reached.
_NOT_KEPT = ("sql_content", "condition")
_COUNTED = ("review_content", "execute_result")
_KEPT_OF_INSTANCE = ("id", "instance_name", "db_type")


def statements(written: str | None) -> Sequence[Statement]:
    """A list of rows as a text; after a failure of Archery itself it may be anything."""
    try:
        return _statements.decode(written or "[]")
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return ()


def without_sql(body: bytes) -> bytes:
    """As it came, but for SQL and connections: of each statement only the counts. Never raises."""
    members = _members(body)
    if members is None:
        return body
    for name, cleaned in (("workflow_content", _content), ("instance", _instance), ("dest_instance", _instance)):
        if inner := _members(members.get(name, b"null")):
            members[name] = msgspec.Raw(msgspec.json.encode(cleaned(inner)))
    return msgspec.json.encode(members)


def _members(raw: bytes | msgspec.Raw) -> dict[str, msgspec.Raw] | None:
    try:
        return _open.decode(raw)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None


def _content(members: dict[str, msgspec.Raw]) -> dict[str, msgspec.Raw]:
    kept = {name: value for name, value in members.items() if name not in (*_NOT_KEPT, *_COUNTED)}
    for name in _COUNTED:
        try:
            rows = statements(msgspec.json.decode(members.get(name, b"null"), type=str | None))
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            continue
        kept[name] = msgspec.Raw(msgspec.json.encode(msgspec.json.encode(rows).decode()))
    return kept


def _instance(members: dict[str, msgspec.Raw]) -> dict[str, msgspec.Raw]:
    return {name: value for name, value in members.items() if name in _KEPT_OF_INSTANCE}
