"""Who works there: about 40 people, what they answer for, and how each wants to be told. Pure data."""

from dataclasses import dataclass
from typing import Any

SHANGHAI, LONDON, SINGAPORE, BERLIN, NEW_YORK = (
    "Asia/Shanghai", "Europe/London", "Asia/Singapore", "Europe/Berlin", "America/New_York",
)  # fmt: skip
ZH, EN = "zh-hans", "en"
DOMAIN = "meridian.example.com"


@dataclass(frozen=True, slots=True)
class Someone:
    """`methods` as they chose them; an empty tuple: they never did."""

    login: str
    name: str
    language: str
    timezone: str
    methods: tuple[str, ...] = ("email",)
    roles: tuple[str, ...] = ()
    active: bool = True

    @property
    def email(self) -> str:
        return f"{self.login}@{DOMAIN}"


BOTH = ("email", "webhook")
PEOPLE = (
    # Database administration
    Someone("carol.reyes", "Carol Reyes", EN, SINGAPORE, BOTH, ("dba",)),
    Someone("wang.lei", "王磊", ZH, SHANGHAI, BOTH, ("dba", "administrator")),
    Someone("liu.yan", "刘燕", ZH, SHANGHAI, ("email",), ("dba",)),
    # Platform and security
    Someone("grace.okafor", "Grace Okafor", EN, LONDON, ("email",), ("administrator",)),
    Someone("eve.lindqvist", "Eve Lindqvist", EN, BERLIN, BOTH, ("security_administrator",)),
    Someone("chen.jing", "陈静", ZH, SHANGHAI, ("email",), ("security_administrator",)),
    # Orders
    Someone("ann.fischer", "Ann Fischer", EN, BERLIN, BOTH),
    Someone("bo.larsen", "Bo Larsen", EN, BERLIN, BOTH),
    Someone("dan.moreau", "Dan Moreau", EN, LONDON),
    Someone("zhang.wei", "张伟", ZH, SHANGHAI),
    Someone("li.na", "李娜", ZH, SHANGHAI, BOTH),
    Someone("priya.nair", "Priya Nair", EN, SINGAPORE),
    Someone("tom.becker", "Tom Becker", EN, BERLIN, ("webhook",)),
    Someone("zhao.min", "赵敏", ZH, SHANGHAI),
    # Users and accounts
    Someone("hannah.cole", "Hannah Cole", EN, NEW_YORK),
    Someone("yang.fan", "杨帆", ZH, SHANGHAI, BOTH),
    Someone("omar.haddad", "Omar Haddad", EN, LONDON),
    Someone("sun.li", "孙丽", ZH, SHANGHAI),
    Someone("lucas.silva", "Lucas Silva", EN, NEW_YORK, ("webhook", "email")),
    Someone("mei.tan", "Mei Tan", EN, SINGAPORE),
    # Payments
    Someone("ivan.petrov", "Ivan Petrov", EN, BERLIN),
    Someone("huang.tao", "黄涛", ZH, SHANGHAI, BOTH),
    Someone("aisha.khan", "Aisha Khan", EN, LONDON),
    Someone("zhou.ying", "周颖", ZH, SHANGHAI),
    Someone("noor.jansen", "Noor Jansen", EN, BERLIN, ("webhook",)),
    # Big data: the team that wants to hear of every schema change
    Someone("xu.kai", "徐凯", ZH, SHANGHAI, BOTH),
    Someone("maria.santos", "Maria Santos", EN, LONDON, BOTH),
    Someone("gao.yuan", "高远", ZH, SHANGHAI),
    Someone("felix.braun", "Felix Braun", EN, BERLIN, ("webhook",)),
    Someone("lin.xiao", "林晓", ZH, SHANGHAI),
    # Warehouse and analytics
    Someone("sara.olsen", "Sara Olsen", EN, BERLIN),
    Someone("ma.chao", "马超", ZH, SHANGHAI, BOTH),
    Someone("ben.archer", "Ben Archer", EN, NEW_YORK),
    Someone("he.qian", "何倩", ZH, SHANGHAI),
    Someone("julia.rossi", "Julia Rossi", EN, LONDON, ("email",)),
    # Testing
    Someone("guo.peng", "郭鹏", ZH, SHANGHAI),
    Someone("emma.wright", "Emma Wright", EN, LONDON),
    # Never chose how to be told; and somebody on leave whose account is disabled
    Someone("robin.meyer", "Robin Meyer", EN, BERLIN, ()),
    Someone("kate.dunn", "Kate Dunn", EN, LONDON, ("email",), active=False),
    # Left the company last week, and the mailbox with them
    Someone("oscar.vega", "Oscar Vega", EN, NEW_YORK, ("email",)),
)
BIG_DATA = ("xu.kai", "maria.santos", "gao.yuan", "felix.braun", "lin.xiao")

# Path of the API: what stands there.
RESOURCES: dict[str, dict[str, Any]] = {
    "/instances/rm-orders": {"dba": "carol.reyes", "owners": ["bo.larsen"]},
    "/instances/rm-orders/databases/orders": {"owners": ["dan.moreau", "li.na"]},
    "/instances/rm-orders/databases/orders/tables/order_items": {"owners": ["zhang.wei"]},
    "/instances/rm-orders/databases/archive": {},
    "/instances/rm-users": {"dba": "wang.lei", "owners": ["hannah.cole", "yang.fan"]},
    "/instances/rm-users/databases/accounts": {"owners": ["yang.fan"]},
    "/instances/rm-payments": {"dba": "liu.yan", "owners": ["ivan.petrov"]},
    "/instances/rm-payments/databases/ledger": {"owners": ["huang.tao", "kate.dunn"]},
    "/instances/pc-warehouse": {"dba": "wang.lei", "owners": ["sara.olsen"]},
    "/instances/pc-warehouse/databases/marts": {"owners": ["ma.chao"]},
}

# Besides every default recipient.
RULES: dict[str, dict[str, Any]] = {
    # The documentation's own case: big-data developers hear of every schema change at once.
    "schema_design.schema_changed": {"additional_users": list(BIG_DATA), "optional_roles": ["data_owner"]},
    "data_change.pending_approval": {"optional_roles": ["instance_dba"]},
    "data_change.failed": {"optional_roles": ["instance_dba", "related_person"]},
    "data_export.pending_approval": {"optional_roles": ["data_owner", "security_administrator"]},
    "data_export.successful": {"optional_roles": ["security_administrator"]},
    "permission_application.pending_approval": {"optional_roles": ["data_owner"]},
    "data_tracking.approved": {"optional_roles": ["dba"]},
    "data_warehouse_development.tasks_failed": {"optional_roles": ["related_person"], "additional_users": ["ma.chao"]},
    # Nobody wanted to hear that an analysis waits.
    "sql_review.pending_analysis": {"enabled": False},
}
