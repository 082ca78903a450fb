"""Rules: who hears of what."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Field, Query, Router, Schema
from pydantic import ConfigDict

from tidings.api.authenticate import caller
from tidings.api.etag import if_match, set_etag
from tidings.api.events import BecauseShown, RecipientShown, SkipShown, SubjectNamed
from tidings.api.pages import Listed, Paging, Text
from tidings.audit.models import Change
from tidings.kernel.clock import now
from tidings.kernel.ids import made_at
from tidings.kernel.pages import page_of
from tidings.kernel.versions import Expected
from tidings.planning.compare import Warned
from tidings.planning.preview import LAST, LAST_AT_MOST, Tried, preview_rule
from tidings.planning.record import comparison_json
from tidings.rules.change import USERS_AT_MOST, Wanted, change_rule, switch_rules
from tidings.rules.history import history
from tidings.rules.restore import Restored, restore_rule, undo_changes
from tidings.rules.show import ShownRule, Which, rule_of, rules_of

router = Router(tags=["rules"])


class RuleFilters(Schema):
    feature: Text | None = None
    enabled: bool | None = None
    changed: bool | None = Field(None, description="differs from how every rule starts")
    role: Text | None = Field(None, description="told by default, or as an optional role")
    user: Text | None = Field(None, description="the login of an additional user")
    q: Text = Field("", description="parts of what the event type or its feature is called, in any language")


class RuleShown(Schema):
    event_type: str
    labels: dict[str, str]
    feature: str
    feature_labels: dict[str, str]
    default_role: str
    offered_roles: list[str]
    enabled: bool
    optional_roles: list[str]
    additional_users: list[str]
    changed: bool
    version: int


class RuleChange(Schema):
    """What is missing stays as it is."""

    model_config = ConfigDict(extra="forbid")
    enabled: bool | None = None
    optional_roles: list[Text] | None = Field(None, max_length=20)
    additional_users: list[Text] | None = Field(None, description="logins")
    version: int = Field(description="the version you saw; 409 when it is no longer the current one")


class Batch(Schema):
    model_config = ConfigDict(extra="forbid")
    event_types: Annotated[list[Text], Field(min_length=1, max_length=1_000)]
    enabled: bool
    dry_run: bool = Field(False, description="only say what would change")


class BatchDone(Schema):
    changed: list[str]
    items: list[RuleShown]


class RuleAt(Schema):
    model_config = ConfigDict(extra="forbid")
    event_type: Text
    version: int


class Undo(Schema):
    model_config = ConfigDict(extra="forbid")
    rules: Annotated[list[RuleAt], Field(min_length=1, max_length=1_000)]


class LeftOut(Schema):
    optional_roles: list[str] = Field(description="of then, no longer offered")
    additional_users: list[str] = Field(description="of then, departed")


class RestoredShown(Schema):
    rule: RuleShown
    left_out: LeftOut


class RuleLeftAloneShown(Schema):
    event_type: str
    version: int
    reason: str = Field(description="changed_since (then by whom, and when), or nothing_to_undo")
    actor: str
    at: datetime | None


class UndoDone(Schema):
    items: list[RestoredShown]
    left_alone: list[RuleLeftAloneShown]


class Restore(Schema):
    model_config = ConfigDict(extra="forbid")
    restore: int = Field(description="the version that the rule shall be like")
    version: int = Field(description="the version you saw; 409 when it is no longer the current one")


class RuleTry(Schema):
    """What is missing is as the rule is."""

    model_config = ConfigDict(extra="forbid")
    enabled: bool | None = None
    optional_roles: list[Text] | None = Field(None, max_length=20)
    additional_users: list[Text] | None = Field(None, max_length=USERS_AT_MOST, description="logins")
    last: int = Field(LAST, ge=1, le=LAST_AT_MOST, description="on how many of the last events of this type")


class RuleTried(Schema):
    enabled: bool
    optional_roles: list[str]
    additional_users: list[str]


class EventTried(Schema):
    id: UUID | None = Field(description="null for the example")
    source_id: str
    time: datetime | None
    subject: SubjectNamed


class KeptShown(RecipientShown):
    because_now: list[BecauseShown] = Field(description="the reasons under the rule as it is")


class ComparisonShown(Schema):
    """A recipient without a login stands for whoever would hold the role."""

    event: EventTried
    added: list[RecipientShown]
    removed: list[RecipientShown]
    kept: list[KeptShown]
    skips: list[SkipShown]
    skips_now: list[SkipShown]


class WarningShown(Schema):
    code: str = Field(
        description="nobody_told, role_empty, role_unheld, person_unreachable, person_disabled or person_departed"
    )
    role: str | None = None
    user: str | None = None
    events: int | None = Field(None, description="in how many of the events shown")


class RulePreviewShown(Schema):
    event_type: str
    rule: RuleTried
    is_example: bool = Field(description="nothing of this type happened in the last 7 days; an example stands in")
    events: list[ComparisonShown]
    warnings: list[WarningShown]


class RuleVersion(Schema):
    at: datetime
    actor: str
    action: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


@router.get("/rules", response=Listed[RuleShown])
def list_rules(request: HttpRequest, filters: Query[RuleFilters]) -> dict[str, Any]:
    return {"items": rules_of(caller(request), Which(**filters.dict()))}


@router.post("/rules/batch", response=BatchDone)
def batch(request: HttpRequest, body: Batch) -> dict[str, Any]:
    """All or nothing."""
    changes = switch_rules(caller(request), body.event_types, enabled=body.enabled, dry_run=body.dry_run)
    changed = [one.after.event_type for one in changes if one.differs]
    return {"changed": changed, "items": [one.after for one in changes]}


@router.post("/rules/undo", response=UndoDone)
def undo(request: HttpRequest, body: Undo) -> dict[str, Any]:
    """Takes back the changes that led to these versions. A rule that somebody changed since is left alone."""
    done = undo_changes(caller(request), {one.event_type: one.version for one in body.rules})
    return {"items": [_restored(one) for one in done.restored], "left_alone": done.left_alone}


@router.get("/rules/{event_type}", response=RuleShown)
def get_rule(request: HttpRequest, response: HttpResponse, event_type: str) -> ShownRule:
    rule = rule_of(caller(request), event_type)
    set_etag(response, rule.version)
    return rule


@router.patch("/rules/{event_type}", response=RuleShown)
def patch_rule(request: HttpRequest, response: HttpResponse, event_type: str, body: RuleChange) -> ShownRule:
    wanted = Wanted(body.enabled, body.optional_roles, body.additional_users)
    rule = change_rule(caller(request), event_type, wanted, Expected(body.version, if_match(request)))
    set_etag(response, rule.version)
    return rule


@router.get("/rules/{event_type}/history", response=Listed[RuleVersion])
def get_history(request: HttpRequest, event_type: str, paging: Query[Paging]) -> dict[str, Any]:
    """Newest first."""
    return page_of(history(caller(request), event_type), paging).listed(_version)


@router.post("/rules/{event_type}/restore", response=RestoredShown)
def restore(request: HttpRequest, response: HttpResponse, event_type: str, body: Restore) -> dict[str, Any]:
    """As it was at a version of its history; a new version."""
    expected = Expected(body.version, if_match(request))
    restored = restore_rule(caller(request), event_type, body.restore, expected)
    set_etag(response, restored.rule.version)
    return _restored(restored)


@router.post("/rules/{event_type}/preview", response=RulePreviewShown, exclude_unset=True)
def preview(request: HttpRequest, event_type: str, body: RuleTry) -> dict[str, Any]:
    """Who would have been told of the last events of this type by such a rule: besides, no longer, and still. Nothing
    is kept."""
    wanted = Wanted(body.enabled, body.optional_roles, body.additional_users)
    seen = preview_rule(caller(request), event_type, wanted, last=body.last)
    return {
        "event_type": event_type,
        "rule": seen.wanted,
        "is_example": seen.is_example,
        "events": [_tried(one) for one in seen.tried],
        "warnings": [_warning(one) for one in seen.warnings],
    }


def _tried(one: Tried) -> dict[str, Any]:
    event, subject = one.event, one.event.subject
    named = {"kind": subject.kind, "id": subject.id, "title": subject.title, "url": subject.url}
    about = {"id": one.id, "source_id": event.id, "time": one.at, "subject": named}
    return {"event": about, **comparison_json(one.comparison, now())}


def _warning(one: Warned) -> dict[str, Any]:
    parts = {"role": one.role, "user": one.person.login if one.person else "", "events": one.events}
    return {"code": one.code, **{name: value for name, value in parts.items() if value}}


def _restored(one: Restored) -> dict[str, Any]:
    left_out = {"optional_roles": list(one.roles_left_out), "additional_users": list(one.users_left_out)}
    return {"rule": one.rule, "left_out": left_out}


def _version(change: Change) -> dict[str, Any]:
    return {
        "at": made_at(change.id),
        "actor": change.actor,
        "action": change.action,
        "before": change.before,
        "after": change.after,
    }
