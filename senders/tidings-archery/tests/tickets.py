"""Tickets, made and decided as Archery's views do it."""

from datetime import date, datetime
from typing import Any

from common.config import SysConfig
from common.utils.const import WorkflowAction, WorkflowStatus
from django.contrib.auth.models import Group
from sql.engines.models import ReviewResult, ReviewSet
from sql.models import (
    ArchiveConfig,
    Instance,
    QueryPrivilegesApply,
    ResourceGroup,
    SqlWorkflow,
    SqlWorkflowContent,
    Users,
    WorkflowAuditSetting,
)
from sql.notify import notify_for_audit, notify_for_execute
from sql.utils.workflow_audit import get_auditor

SQL = "update coupons set amount=5 where user='bob@example.com'"
CONDITION = "user='bob@example.com'"


class Ticket:
    """`audit`: of the approval; `workflow`: of the ticket itself."""

    def __init__(self, workflow: Any, **more: Any) -> None:
        self.workflow = workflow
        self.auditor = get_auditor(workflow=workflow, **more)
        self.auditor.create_audit()
        notify_for_audit(self.auditor.audit)

    @property
    def number(self) -> str:
        return str(self.auditor.audit.audit_id)

    def decide(self, action: WorkflowAction, who: Users, remark: str, *, becomes: Any = None) -> None:
        step = self.auditor.operate(action, who, remark)
        if becomes is not None:
            self.become(becomes)
        notify_for_audit(self.auditor.audit, step)

    def become(self, status: Any, **more: Any) -> None:
        for name, value in {"status": status, **more}.items():
            setattr(self.workflow, name, value)
        self.workflow.save()

    def end(self, status: str, rows: list[ReviewResult]) -> None:
        """As `sql/utils/execute_sql.py` (execute_callback) does."""
        self.workflow.sqlworkflowcontent.execute_result = ReviewSet(rows=rows).json()
        self.workflow.sqlworkflowcontent.save()
        self.become(status, finish_time=datetime.now())  # noqa: DTZ005 - as Archery writes it
        notify_for_execute(self.workflow)


class Archery:
    def __init__(self) -> None:
        self.settings = SysConfig()
        self.team = ResourceGroup.objects.create(group_name="orders team")
        self.owners, self.dbas = Group.objects.create(name="Owner"), Group.objects.create(name="DBA")
        self.ann = self.person("ann")
        self.bo, self.dan = self.person("bo", self.owners), self.person("dan", self.owners)
        self.carol = self.person("carol", self.dbas)
        self.person("gone", self.owners, is_active=False)
        self.person("mallory", self.owners, team=None)
        for kind in (1, 2, 3):
            WorkflowAuditSetting.objects.create(
                group_id=self.team.group_id,
                group_name=self.team.group_name,
                workflow_type=kind,
                audit_auth_groups=f"{self.owners.id},{self.dbas.id}",
            )
        self.instance = Instance.objects.create(
            instance_name="rm-orders", type="master", db_type="mysql", host="10.0.0.5", port=3306, user="archery",
            password="s3cret",
        )  # fmt: skip

    def person(self, login: str, *groups: Group, team: Any = True, **more: Any) -> Users:
        reviews = {"is_superuser": login != "ann"} | more
        person = Users.objects.create(username=login, display=login.title(), **reviews)
        person.groups.add(*groups)
        if team:
            person.resource_group.add(self.team)
        return person

    def release(self, **changes: Any) -> Ticket:
        about = {
            "workflow_name": "Pay out coupons", "group_id": self.team.group_id, "group_name": self.team.group_name,
            "engineer": "ann", "engineer_display": "Ann", "audit_auth_groups": "", "status": "workflow_manreviewing",
            "is_backup": True, "instance": self.instance, "db_name": "orders", "syntax_type": 2,
        } | changes  # fmt: skip
        workflow = SqlWorkflow.objects.create(**about)
        review = ReviewSet(rows=[statement()]).json()
        SqlWorkflowContent.objects.create(workflow=workflow, sql_content=SQL, review_content=review)
        return Ticket(workflow)

    def query(self) -> Ticket:
        return Ticket(
            QueryPrivilegesApply(
                title="Read orders", group_id=self.team.group_id, group_name=self.team.group_name, user_name="ann",
                user_display="Ann", instance=self.instance, priv_type=2, valid_date=date(2026, 12, 31), limit_num=100,
                status=WorkflowStatus.WAITING, db_list="orders", table_list="orders,refunds",
            )
        )  # fmt: skip

    def archive(self) -> Ticket:
        ticket = ArchiveConfig(
            title="Archive 2024", resource_group=self.team, src_instance=self.instance, src_db_name="orders",
            src_table_name="orders", dest_instance=self.instance, dest_db_name="cold", dest_table_name="orders_2024",
            mode="dest", condition=CONDITION, no_delete=False, status=WorkflowStatus.WAITING, state=False,
            user_name="ann", user_display="Ann",
        )  # fmt: skip
        return Ticket(ticket, resource_group=self.team.group_name)


def statement(**changes: Any) -> ReviewResult:
    about = {"id": 1, "stage": "CHECKED", "errlevel": 0, "errormessage": "None", "sql": SQL, "affected_rows": 120}
    return ReviewResult(**(about | changes))
