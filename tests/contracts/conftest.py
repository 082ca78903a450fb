"""One document in every shape a channel meets, and a vendor for each channel."""

import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from importlib.metadata import entry_points
from importlib.util import module_from_spec, spec_from_file_location
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname
from uuid import UUID

import pytest
from msgspec.structs import replace

from tidings.channels.check import check_values
from tidings.channels.contract import Channel, Parcel
from tidings.channels.memory import LocalMemory
from tidings.channels.plug_in import GROUP
from tidings.channels.registry import CHANNELS
from tidings.channels.testing.vendor import Vendor
from tidings.kernel.addresses import AddressPolicy
from tidings.kernel.http import Wire
from tidings.messages.document import Document, Fact, Occasion, Reader

HERE = Path(__file__).parent
IDENTITY = UUID("019a9f5c-2f40-7c31-8a6e-3d5b00000001")
NOON = datetime(2026, 11, 23, 10, 0, 5, tzinfo=UTC)
UNSUBSCRIBE_URL = "https://tidings.example.com/unsubscribe/canary-link-of-bo"

OCCASION = Occasion(
    event_id="019a9f5c-2f40-7c31-8a6e-3d5b00000000",
    event_type="data_change.pending_approval",
    tone="action",
    time=datetime(2026, 11, 23, 10, tzinfo=UTC),
    subject_kind="ticket",
    subject_id="88123",
    title="Add index on orders",
    url="https://dms.example.com/tickets/88123?tab=approval&from=mail",
    submitter="Ann Submitter",
    submitter_uid="1673826650150001",
    actor="Ann Submitter",
    approvers=("Bo Approver", "Dan Approver"),
    resources=("rm-orders/orders/orders",),
    details={"risk": "LOW", "environment": "prod", "affected_rows": 120},
    feature_labels={"en": "Data change", "zh-hans": "数据变更"},
    event_labels={"en": "Pending approval", "zh-hans": "待审批"},
)
ENGLISH = Document(
    occasion=OCCASION,
    reader=Reader(
        "bo",
        "Bo Approver",
        "en",
        "Europe/Berlin",
        (("approver", None), ("instance_dba", "rm-orders")),
        "1673826650150002",
    ),
    language="en",
    headline="Data change waits for approval: Add index on orders",
    facts=(
        Fact("subject", "Ticket", "Add index on orders (88123)"),
        Fact("where", "Where", "rm-orders/orders/orders"),
        Fact("who", "Who", "Ann Submitter"),
        Fact("when", "When", "2026-11-23 11:00 (Europe/Berlin)"),
        Fact("risk", "Risk", "Low"),
        Fact("affected_rows", "Affected rows", "120"),
    ),
    todo="Approvers, please check the SQL, the affected rows and the risk, then approve or reject the change.",
    why="You get this because you are one of its approvers, and you are the instance DBA of rm-orders.",
    link_label="View details",
)
CHINESE = Document(
    occasion=replace(OCCASION, title="为订单表添加索引"),
    reader=replace(ENGLISH.reader, language="zh-hans", timezone="Asia/Shanghai"),
    language="zh-hans",
    headline="数据变更正在等待审批：为订单表添加索引",
    facts=(
        Fact("subject", "工单", "为订单表添加索引 (88123)"),
        Fact("where", "涉及资源", "rm-orders/orders/orders"),
        Fact("who", "人员", "Ann Submitter"),
        Fact("when", "时间", "2026-11-23 18:00 (Asia/Shanghai)"),
        Fact("risk", "风险等级", "低"),
        Fact("affected_rows", "影响行数", "120"),
    ),
    todo="请审批人核对 SQL、影响行数和风险等级，然后通过或驳回。",
    why="您收到此消息，是因为您是审批人之一，并且您是 rm-orders 的实例 DBA。",
    link_label="查看详情",
)
DOCUMENTS = {
    "en": ENGLISH,
    "zh-hans": CHINESE,
    "en-earlier": replace(ENGLISH, earlier="Earlier status, 11:00; now: Approved"),
    "zh-hans-earlier": replace(CHINESE, earlier="较早的状态，18:00；当前状态：审批通过"),
}


def _folders() -> dict[str, Path]:
    """Where each channel keeps `vendors/` and `golden/`: here, or in the `tests` of the package that brings it, as long
    as that is installed editable (PEP 610 says so). What comes with any other package was tested by its authors."""
    folders = dict.fromkeys(CHANNELS, HERE)
    for point in entry_points(group=GROUP):
        told = json.loads((point.dist and point.dist.read_text("direct_url.json")) or "{}")
        if told.get("dir_info", {}).get("editable"):
            folders[point.name] = Path(url2pathname(urlsplit(told["url"]).path)) / "tests"
        else:
            del folders[point.name]
    return folders


def _vendors() -> dict[str, Path]:
    """`vendors/<channel>.py`, or one `vendors/<channel>_<vendor>.py` for each vendor of a channel that has several:
    "webhook", "sms (aliyun)", "sms (twilio)"."""
    found: dict[str, Path] = {}
    for code, folder in _folders().items():
        own = folder / "vendors" / f"{code}.py"
        several = [
            path
            for path in sorted((folder / "vendors").glob(f"{code}_*.py"))
            if not any(path.stem.startswith(longer) for longer in CHANNELS if longer.startswith(f"{code}_"))
        ]
        if not own.exists() and not several:
            raise LookupError(f"{own} is missing: every channel shows its vendor there")
        found |= {code: own} if own.exists() else {}
        found |= {f"{code} ({path.stem.removeprefix(f'{code}_')})": path for path in several}
    return found


VENDORS = _vendors()


def channel_of(vendor: str) -> str:
    return vendor.partition(" ")[0].partition("-")[0]


def vendor_of(code: str) -> type[Vendor]:
    """Loaded by hand, since pytest's importlib mode puts no test folder on the path. A vendor that speaks in several
    forms has one for each besides: `webhook-dms`."""
    vendor, _, form = code.partition("-")
    path = VENDORS[vendor]
    name = f"contracts_vendors_{path.stem}"
    if name not in sys.modules:
        spec = spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    kind: type[Vendor] = sys.modules[name].Vendored
    return kind.forms[form] if form else kind


def every_vendor() -> list[str]:
    return [name for code in VENDORS for name in (code, *(f"{code}-{form}" for form in vendor_of(code).forms))]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "row" in metafunc.fixturenames:
        rows = [(code, row) for code in every_vendor() for row in vendor_of(code).rows]
        metafunc.parametrize("code, row", rows, ids=[f"{code}: {row.name}" for code, row in rows])
    elif "code" in metafunc.fixturenames:
        metafunc.parametrize("code", every_vendor())


@pytest.fixture
async def wire() -> AsyncIterator[LocalMemory]:
    """The real one, allowed to call this machine and nothing else."""
    wire = Wire(AddressPolicy((ip_network("127.0.0.0/8"),)))
    yield LocalMemory(wire)
    await wire.aclose()


@pytest.fixture
async def channel(code: str) -> AsyncIterator[Channel]:
    channel = CHANNELS[channel_of(code)]
    yield channel
    await channel.close()


@pytest.fixture
async def vendor(code: str, channel: Channel) -> AsyncIterator[Vendor]:
    async with vendor_of(code)() as vendor:
        yield vendor


@pytest.fixture
def parcel(vendor: Vendor, channel: Channel) -> Callable[..., Parcel]:
    """A parcel for this vendor, its settings and contact checked as those of people are."""

    def make(document: Document = ENGLISH, **changes: Any) -> Parcel:
        return Parcel(
            identity=changes.get("identity", IDENTITY),
            document=document,
            contact=check_values(channel.contact, vendor.contact() | changes.get("contact", {}), {}),
            settings=check_values(channel.settings, vendor.settings() | changes.get("settings", {}), {}),
            now=changes.get("now", datetime.now(UTC)),
            unsubscribe_url=changes.get("unsubscribe_url", UNSUBSCRIBE_URL),
            extra=changes.get("extra", {}),
        )

    return make


@pytest.fixture
def documents() -> dict[str, Document]:
    return DOCUMENTS


@pytest.fixture
def english() -> Document:
    return ENGLISH


@pytest.fixture
def golden(code: str) -> Callable[[str, str], None]:
    """Compare with a file in `golden/`, beside `vendors/`; `TIDINGS_GOLDEN=write` writes it instead."""
    folder = VENDORS[code.partition("-")[0]].parent.parent / "golden"

    def same(name: str, text: str) -> None:
        path = folder / name
        if os.environ.get("TIDINGS_GOLDEN") == "write":
            folder.mkdir(exist_ok=True)
            path.write_text(text + "\n", "utf-8")
        assert path.read_text("utf-8") == text + "\n", (
            "meant? then: TIDINGS_GOLDEN=write make test ARGS=tests/contracts"
        )

    return same
