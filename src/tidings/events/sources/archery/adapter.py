"""Archery's generic webhook, and the signed pushes of our notifier for it: one change of a ticket a push.

The body does not say what happened, only how things stand now; and the ticket in it is read when the push is made, some
time after the audit. So the words are how things stand: `audit` is what happened last to the approval, `status` what
the ticket has become since.

https://github.com/hhyo/Archery/blob/master/sql/notify.py
"""

import hashlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from itertools import islice

from tidings.channels.contract import Field, InvalidField
from tidings.channels.field_words import words_beside
from tidings.channels.webhook.signature import is_signed
from tidings.events.event import MAX_BATCH_BYTES, Event, People, PersonRef, Resource, Subject
from tidings.events.sources.archery.payload import Body, decoder, statements, without_sql
from tidings.events.sources.contract import Adapter, Known, Parked, Push, Reading
from tidings.events.sources.mapping import mapping_beside
from tidings.events.sources.steps import told_beside
from tidings.events.sources.understand import Text, decoded, incomplete, line, moment, page, text, title, unmapped
from tidings.events.sources.zone import checked_zone, zone

WORDS = words_beside(__file__)
# common/utils/const.py: WorkflowType, WorkflowStatus. A SQL ticket's own status is a word already.
QUERY, RELEASE, EXPORT, ARCHIVE = "query", "release", "export", "archive"
TYPES: Mapping[str, str] = {"1": QUERY, "2": RELEASE, "3": ARCHIVE}
AUDITS: Mapping[str, str] = {"0": "waiting", "1": "passed", "2": "rejected", "3": "aborted"}
DML, OFFLINE_EXPORT = "2", "3"
ERROR = 2
"""The `errlevel` of a statement; 1 is a warning."""
ENDED = ("workflow_finish", "workflow_exception")
PASSED = "workflow_review_pass"
NEEDED = ("audit_id", "workflow_type", "current_status")
ZONE = "Asia/Shanghai"
"""archery/settings.py: TIME_ZONE, with USE_TZ off."""
RESOURCES_AT_MOST = 100
DIGITS = 12
"""Of a count: the sum of all statements still has 64 bits."""


def checked_groups(written: str) -> str:
    if read_groups(written) is None:
        raise InvalidField(
            "must be ids of permission groups, each with its logins, such as 1=bo,dan; orders team/2=carol"
        )
    return written


def read_groups(written: str) -> Mapping[str, tuple[str, ...]] | None:
    """The logins of each permission group, by its id; before it, where it is said, the name of the resource group and a
    slash. None: it is not written so."""
    groups = dict[str, tuple[str, ...]]()
    for part in filter(str.strip, written.split(";")):
        key, _, logins = part.partition("=")
        team, slash, group = key.rpartition("/")
        names = _listed(logins)
        if not (group.strip().isdecimal() and names) or "=" in logins or (slash and not team.strip()):
            return None
        groups[f"{team.strip()}{slash}{group.strip()}"] = names
    return groups


class ArcheryAdapter(Adapter):
    code = "archery"
    label = "Archery"
    mapping = mapping_beside(__file__)
    group = "tickets"
    labels, about, steps, sample = told_beside(__file__)
    options = (
        Field("url", "url", WORDS["url"]),
        Field("timezone", "text", WORDS["timezone"], default=ZONE, check=checked_zone),
        Field("approvers", "text", WORDS["approvers"], check=checked_groups),
    )
    # Whoever has both ways switched on is told of each change twice, in other words each time.
    first_holds = True
    # It sends the SQL of a ticket three times over, and does not look whether that was taken.
    at_most = MAX_BATCH_BYTES

    def read(self, push: Push, known: Known) -> Reading:
        body = decoded(decoder, push.body, "Archery")
        if isinstance(body, Parked):
            return body
        words = dict(zip(known.words.parts, _words(body), strict=True))
        if missing := incomplete({f"audit.{name}": getattr(body.audit, name) for name in NEEDED}, words):
            return missing
        row = known.words.meaning(list(words.values()))
        if row is None:
            return unmapped(words, known.words)
        return () if row.type is None else (_event(body, row.type, words, known),)

    def parked_body(self, body: bytes) -> bytes:
        return without_sql(body)

    def signed(self, push: Push, secret: str) -> bool:
        return is_signed(push.headers, push.body, secret, push.received)


def _words(body: Body) -> tuple[str, str, str]:
    audit, release = body.audit, body.workflow_content.workflow
    kind, approval = _said(TYPES, audit.workflow_type), _said(AUDITS, audit.current_status)
    if release is None:
        return kind, approval, _said(AUDITS, body.workflow_content.status)
    if kind == RELEASE and (text(release.is_offline_export) == "1" or text(release.syntax_type) == OFFLINE_EXPORT):
        kind = EXPORT
    # An approval that execution has overtaken was an approval all the same; its end is a push of its own.
    overtaken = text(body.tidings.event_type) == "audit" and approval == "passed"
    return kind, approval, PASSED if overtaken else line(release.status)


def _said(codes: Mapping[str, str], code: Text) -> str:
    return codes.get(text(code)) or line(code)


def _event(body: Body, event_type: str, words: Mapping[str, str], known: Known) -> Event:
    audit, content, step = body.audit, body.workflow_content, body.tidings.step
    release = content.workflow
    name = audit.workflow_title or content.title or (release.workflow_name if release else None)
    key = text(audit.audit_id)
    # Archery leads from there to the page of whichever kind of ticket it is.
    url = page(known.option("url"), "workflow", key)
    return Event(
        id=_identity(body, words),
        type=event_type,
        subject=Subject("ticket", key, title(name), url and f"{url}/"),
        time=_time(body, words, _zone(text(body.tidings.timezone), known.option("timezone"), ZONE)),
        people=People(_submitter(body), approvers=_approvers(body, known)),
        actor=(text(step.audit_user) or None) if step else None,
        resources=[*islice(_resources(body), RESOURCES_AT_MOST)],
        details=_details(body, words),
    )


def _identity(body: Body, words: Mapping[str, str]) -> str:
    """Of what makes it another change of the ticket than the ones before: an audit waits once at each node and is
    decided once, a ticket is executed once. What is pushed twice has one id, however the ticket went on in between."""
    audit = body.audit
    parts = [audit.audit_id, audit.create_time, words["kind"], words["audit"], audit.current_audit]
    if (release := body.workflow_content.workflow) and words["status"] in ENDED:
        parts += [words["status"], release.finish_time]
    return hashlib.blake2b("\n".join(map(text, parts)).encode(errors="replace"), digest_size=16).hexdigest()


def _time(body: Body, words: Mapping[str, str], zone: tzinfo) -> datetime | None:
    """When it happened, where the payload says it; None is when it arrived."""
    audit, release, step = body.audit, body.workflow_content.workflow, body.tidings.step
    if release is not None and words["audit"] == "passed" and words["status"] in ENDED:
        return moment(release.finish_time, zone)
    if step is not None:
        return moment(step.audit_time, zone)
    groups = text(audit.audit_auth_groups)
    submitted = words["audit"] == "waiting" and text(audit.current_audit) == groups.split(",")[0].strip()
    unasked = words["audit"] == "passed" and not groups
    return moment(audit.create_time, zone) if submitted or unasked else None


def _submitter(body: Body) -> PersonRef | None:
    """The login; where it is missing, the name that Archery shows is taken for one."""
    content = body.workflow_content
    login = content.workflow.engineer if content.workflow else content.user_name
    return text(login) or text(body.audit.create_user_display) or None


def _approvers(body: Body, known: Known) -> list[PersonRef]:
    """Those that our notifier names; else, by the source's own list, those of the permission group whose turn it is: as
    far as the list says, in the ticket's resource group. The payload itself has nothing but the id of the one and the
    name of the other."""
    if body.tidings.approvers:
        return [*sorted({login for each in body.tidings.approvers if (login := each.strip())})]
    listed, group = _groups(known.option("approvers")), text(body.audit.current_audit)
    return [*(listed.get(f"{text(body.audit.group_name)}/{group}") or listed.get(group, ()))]


def _resources(body: Body) -> Iterator[Resource]:
    content = body.workflow_content
    instance = text(body.instance.instance_name) if body.instance else ""
    if instance and content.workflow:
        yield Resource(instance, text(content.workflow.db_name))
    elif instance and content.src_db_name is not None:
        yield Resource(instance, text(content.src_db_name), text(content.src_table_name))
        if body.dest_instance and (target := text(body.dest_instance.instance_name)):
            yield Resource(target, text(content.dest_db_name), text(content.dest_table_name))
    elif instance:
        databases, tables = _listed(content.db_list), _listed(content.table_list)
        # Tables are asked for in one database at a time.
        yield from (Resource(instance, database, table) for database in databases for table in tables or ("",))


def _listed(names: Text) -> tuple[str, ...]:
    return tuple(name for each in text(names).split(",") if (name := each.strip()))


def _details(body: Body, words: Mapping[str, str]) -> dict[str, str | int]:
    content, release = body.workflow_content, body.workflow_content.workflow
    details: dict[str, str | int] = {}
    for name, said in (
        ("group", body.audit.group_name),
        ("approval_node", body.tidings.approval_node),
        ("comment", body.tidings.step.remark if body.tidings.step else None),
        ("valid_until", content.valid_date),
    ):
        if line(said):
            details[name] = line(said)
    if (limit := _count(content.limit_num)) is not None:
        details["row_limit"] = limit
    if release is not None:
        ended = words["status"] in ENDED
        rows = statements(content.execute_result if ended else content.review_content)
        if rows:
            details["statements"] = len(rows)
        if ended and (failed := [row for row in rows if _count(row.errlevel) == ERROR]):
            details["failed_statements"] = len(failed)
        counts = [count for row in rows if (count := _count(row.affected_rows)) is not None]
        # Of DDL it is the rows of the tables, whatever the change does to them.
        if text(release.syntax_type) in (DML, OFFLINE_EXPORT) and counts and len(counts) == len(rows):
            details["affected_rows"] = sum(counts)
    return details


def _count(said: str | int | float | None) -> int | None:
    """As a number or a text; None: it is no count."""
    written = str(int(said)) if isinstance(said, float) and said.is_integer() else str(said)
    return int(written) if written.isascii() and written.isdigit() and len(written) <= DIGITS else None


@lru_cache(maxsize=64)
def _groups(written: str) -> Mapping[str, tuple[str, ...]]:
    return read_groups(written) or {}


def _zone(*names: str) -> tzinfo:
    return next((there for name in names if (there := zone(name))), UTC)
