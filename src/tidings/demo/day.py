"""What happens that day: lifecycles of all 11 features, every one of the 58 event types among them. Pure data."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any


@dataclass(frozen=True, slots=True)
class Ticket:
    """A ticket or a task flow; `statuses` in the order it goes through them."""

    feature: str
    number: str
    title: str
    submitter: str
    approvers: tuple[str, ...]
    resource: tuple[str, ...]
    statuses: tuple[str, ...]
    related: tuple[str, ...] = ()
    risk: str = "LOW"
    rows: int | None = None

    @property
    def kind(self) -> str:
        return "task_flow" if self.feature in ("task_orchestration", "data_warehouse_development") else "ticket"


TICKETS = (
    Ticket("data_change", "88123", "Add an index on orders for the nightly report", "ann.fischer", ("bo.larsen", "dan.moreau"), ("rm-orders", "orders", "orders"), ("to_be_submitted", "pending_approval", "approved", "pending_scheduling", "successful"), ("li.na",), rows=120),
    Ticket("data_change", "88124", "把历史订单的状态改为已归档", "zhang.wei", ("li.na",), ("rm-orders", "orders", "order_items"), ("precheck_failed", "to_be_submitted", "pending_approval", "rejected"), risk="HIGH", rows=2_400_000),
    Ticket("data_change", "88131", "Correct the currency of refunds since 1 November", "aisha.khan", ("ivan.petrov", "huang.tao"), ("rm-payments", "ledger", "refunds"), ("to_be_submitted", "pending_approval", "approved", "failed", "timed_out"), ("zhou.ying",), "MIDDLE", 3_180),
    Ticket("data_export", "88140", "Export of EU customers for the annual audit", "julia.rossi", ("eve.lindqvist",), ("rm-users", "accounts", "customers"), ("precheck_failed", "to_be_submitted", "pending_approval", "approved", "successful"), rows=48_210),
    Ticket("data_export", "88141", "导出十月份的支付流水", "zhou.ying", ("huang.tao",), ("rm-payments", "ledger"), ("pending_approval", "rejected"), rows=912_000),
    Ticket("data_export", "88142", "Orders of week 46 for the forecast", "noor.jansen", ("dan.moreau",), ("rm-orders", "orders"), ("pending_approval", "approved", "failed"), rows=70_300),
    Ticket("permission_application", "88150", "Query access to rm-users/accounts for 30 days", "priya.nair", ("yang.fan", "hannah.cole"), ("rm-users", "accounts"), ("pending_approval", "approved")),
    Ticket("permission_application", "88151", "申请 rm-payments 的修改权限", "sun.li", ("liu.yan", "somebody.unknown"), ("rm-payments",), ("pending_approval", "rejected")),
    Ticket("data_tracking", "88160", "Who deleted the coupons of 20 November?", "omar.haddad", ("carol.reyes",), ("rm-orders", "orders", "coupons"), ("retrieval_failed", "to_be_submitted", "pending_approval", "approved", "parsed")),
    Ticket("data_tracking", "88161", "追踪 accounts 表的误更新", "yang.fan", ("wang.lei",), ("rm-users", "accounts"), ("pending_approval", "rejected", "parsing_failed")),
    Ticket("database_clone", "88170", "Clone accounts into the staging instance", "lucas.silva", ("hannah.cole",), ("rm-users", "accounts"), ("pending_approval", "approved", "copied")),
    Ticket("database_clone", "88171", "克隆 ledger 用于压测", "huang.tao", ("kate.dunn",), ("rm-payments", "ledger"), ("pending_approval", "rejected", "copy_failed")),
    Ticket("test_data_generation", "88180", "A million synthetic orders for the load test", "emma.wright", ("bo.larsen",), ("rm-orders", "archive"), ("pending_approval", "approved", "generated"), rows=1_000_000),
    Ticket("test_data_generation", "88181", "生成账户测试数据", "guo.peng", ("yang.fan",), ("rm-users", "accounts"), ("pending_approval", "rejected", "generation_failed"), rows=50_000),
    Ticket("schema_design", "88190", "Split the address out of customers", "mei.tan", ("wang.lei",), ("rm-users", "accounts"), ("pending_approval", "approved", "schema_changed", "successful"), risk="MIDDLE"),
    Ticket("schema_design", "88191", "订单表增加渠道字段", "zhao.min", ("li.na",), ("rm-orders", "orders"), ("pending_approval", "rejected", "failed")),
    Ticket("table_synchronization", "88200", "Bring staging up to production's schema", "tom.becker", ("carol.reyes",), ("rm-orders", "orders"), ("precheck_failed", "to_be_submitted", "pending_approval", "approved", "synchronized")),
    Ticket("table_synchronization", "88201", "同步 marts 的表结构", "he.qian", ("ma.chao",), ("pc-warehouse", "marts"), ("pending_approval", "rejected", "synchronization_failed")),
    Ticket("sql_review", "88210", "Queries of the new checkout service", "ann.fischer", ("carol.reyes",), ("rm-orders", "orders"), ("pending_analysis", "failed", "decided", "passed")),
    Ticket("sql_review", "88211", "报表服务的 SQL", "robin.meyer", ("wang.lei",), ("pc-warehouse", "marts"), ("parsing_exception",)),
    Ticket("task_orchestration", "flow-311", "Nightly orders to warehouse", "sara.olsen", (), ("pc-warehouse", "marts"), ("tasks_failed", "tasks_run")),
    Ticket("task_orchestration", "flow-312", "Cleanup of expired sessions", "oscar.vega", (), ("rm-users", "accounts"), ("tasks_run",)),
    Ticket("data_warehouse_development", "flow-410", "客户主题宽表", "he.qian", (), ("pc-warehouse", "marts"), ("tasks_run", "tasks_failed"), ("julia.rossi",)),
)  # fmt: skip


def events(day: datetime) -> Iterator[dict[str, Any]]:
    """The day's events, tickets interleaved as they would be; `day` is its first moment."""
    moment = day
    for place in range(max(len(ticket.statuses) for ticket in TICKETS)):
        for ticket in TICKETS:
            if place < len(ticket.statuses):
                moment += timedelta(minutes=7)
                yield event(ticket, place, moment)


def event(ticket: Ticket, place: int, moment: datetime) -> dict[str, Any]:
    status = ticket.statuses[place]
    details: dict[str, Any] = {"risk": ticket.risk, "environment": "prod"}
    if ticket.rows is not None:
        details["affected_rows"] = ticket.rows
    names = ("instance", "database", "table")
    decides = status in ("approved", "rejected", "decided") and ticket.approvers
    return {
        "id": f"{ticket.number}-{place + 1}",
        "source": "dms-prod",
        "type": f"{ticket.feature}.{status}",
        "time": moment.isoformat(),
        "subject": {
            "kind": ticket.kind,
            "id": ticket.number,
            "title": ticket.title,
            "url": f"https://dms.meridian.example.com/{ticket.kind}s/{ticket.number}",
        },
        "people": {
            "submitter": ticket.submitter,
            "approvers": list(ticket.approvers),
            "related": list(ticket.related),
        },
        "actor": ticket.approvers[0] if decides else ticket.submitter,
        "resources": [dict(zip(names, ticket.resource, strict=False))],
        "details": details,
    }
