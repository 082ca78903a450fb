"""Switch a tenant's channel on or off and set it up. Secrets are encrypted at rest and never shown again."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from django.db import transaction

from tidings.accounts.permissions import Caller
from tidings.audit.record import record_change
from tidings.channels.check import check_values, masked
from tidings.channels.contract import Channel, Field, Value, Values
from tidings.channels.models import ChannelSetting
from tidings.channels.registry import CHANNELS, UnknownChannel, channel
from tidings.kernel.problems import Problem
from tidings.kernel.secrets import SecretUnreadable, seal, unseal
from tidings.kernel.settings import settings as installation
from tidings.kernel.versions import Expected

READERS = ("administrator", "dba")
Moved = Callable[[UUID, str, Values], object]
"""What follows new settings: (tenant, channel, settings). Where a message goes may depend on them."""


@dataclass(frozen=True, slots=True)
class ShownChannel:
    """`settings` are masked; `version` 0: nobody has set it up yet. `receipts_url`: where a provider reports to that
    does so by itself."""

    channel: str
    labels: Mapping[str, str]
    enabled: bool
    settings: Mapping[str, Value]
    version: int
    fields: Sequence[Field]
    receipts_url: str | None = None


def channels_of(caller: Caller) -> list[ShownChannel]:
    caller.require(*READERS, to_write=False)
    kept = {each.channel: each for each in ChannelSetting.objects.for_tenant(caller.tenant_id)}
    return [_show(caller.tenant_id, one, kept.get(code)) for code, one in CHANNELS.items()]


def channel_of(caller: Caller, code: str) -> ShownChannel:
    """Raises 403, 404."""
    caller.require(*READERS, to_write=False)
    one = known_channel(code)
    kept = ChannelSetting.objects.for_tenant(caller.tenant_id).filter(channel=code).first()
    return _show(caller.tenant_id, one, kept)


def known_channel(code: str) -> Channel:
    try:
        return channel(code)
    except UnknownChannel as error:
        raise Problem(404, "not_found", str(error)) from None


def settings_of(tenant_id: UUID, one: Channel) -> Values:
    """Opened, complete, whether the channel is on or not. Raises 422 with what is missing."""
    kept = ChannelSetting.objects.for_tenant(tenant_id).filter(channel=one.code).first()
    values = _opened(kept)
    return check_values(one.settings, masked(one.settings, values), values)


def settings_in_use(tenant_id: UUID, one: Channel) -> Values:
    """As `settings_of`, of a channel that is on. Raises 409 `channel_off`."""
    if not ChannelSetting.objects.for_tenant(tenant_id).filter(channel=one.code, enabled=True).exists():
        detail = f"{one.label['en']} is switched off here; your administrators can switch it on."
        raise Problem(409, "channel_off", detail)
    return settings_of(tenant_id, one)


@transaction.atomic
def configure(
    caller: Caller, code: str, enabled: bool, given: Mapping[str, Any] | None, expected: Expected, moved: Moved
) -> ShownChannel:
    """`given` None keeps the settings; else a secret that is missing or masked keeps the stored one. Settings are
    complete or there are none: a channel that is off and was never set up may stay so. A secret that was made here is
    shown this once. `moved` is called in the transaction, before the lock that orders the tenant's changes is taken.
    Raises 403, 404, 409, 412, and 422 with everything that is missing or wrong."""
    caller.require("administrator")
    one = known_channel(code)
    kept = _locked(caller.tenant_id, code)
    before = _show(caller.tenant_id, one, kept)
    expected.check(before.version, _without_fields(before))
    stored = _opened(kept, lost_is_empty=True)
    if given is None:
        given = masked(one.settings, stored)
    untouched = not enabled and not stored and _says_nothing(one, given)
    values = {} if untouched else check_values(one.settings, given, stored)
    kept.enabled, kept.sealed, kept.version = enabled, seal(dict(values)), kept.version + 1
    ChannelSetting.objects.for_tenant(caller.tenant_id).bulk_update([kept], ["enabled", "sealed", "version"])
    after = _show(caller.tenant_id, one, kept)
    moved(caller.tenant_id, code, values)
    new_secrets = [field.name for field in _secrets(one) if values.get(field.name) != stored.get(field.name)]
    made = {field.name: values[field.name] for field in _secrets(one) if _was_made(field, given, values, stored)}
    record_change(
        caller.tenant_id,
        caller.name,
        "configure",
        "channel",
        code,
        before={"enabled": before.enabled, "settings": dict(before.settings)},
        after={"enabled": after.enabled, "settings": dict(after.settings), "new_secrets": new_secrets},
        stale=("rules",),
    )
    return replace(after, settings={**after.settings, **made})


def _locked(tenant_id: UUID, code: str) -> ChannelSetting:
    """Of two who are the first to set a channel up, the second waits here for the first."""
    new = ChannelSetting(tenant_id=tenant_id, channel=code, sealed=seal({}), version=0)
    rows = ChannelSetting.objects.for_tenant(tenant_id)
    rows.bulk_create([new], ignore_conflicts=True)
    return rows.select_for_update().get(channel=code)


def _show(tenant_id: UUID, one: Channel, kept: ChannelSetting | None) -> ShownChannel:
    values = masked(one.settings, _opened(kept, lost_is_empty=True))
    enabled, version = (kept.enabled, kept.version) if kept else (False, 0)
    hears = type(one).acknowledge is not Channel.acknowledge
    address = f"{installation().base_url}/api/v1/receipts/{one.code}/{tenant_id}" if hears else None
    return ShownChannel(one.code, one.label, enabled, values, version, one.settings, address)


def _without_fields(shown: ShownChannel) -> dict[str, Any]:
    return {"channel": shown.channel, "enabled": shown.enabled, "settings": shown.settings, "version": shown.version}


def _opened(kept: ChannelSetting | None, *, lost_is_empty: bool = False) -> Values:
    """Settings whose key is lost can only be given anew: they are shown as none, and must not be used."""
    if kept is None:
        return {}
    try:
        return unseal(bytes(kept.sealed))
    except SecretUnreadable:
        if lost_is_empty:
            return {}
        raise Problem(
            409,
            "secret_unreadable",
            "No key of TIDINGS_SECRET_KEYS opens these settings: bring the key back, or set them anew.",
        ) from None


def _says_nothing(one: Channel, given: Mapping[str, Any]) -> bool:
    defaults = {field.name: field.default for field in one.settings}
    return all(name in defaults and value in (None, "", defaults[name]) for name, value in given.items())


def _was_made(field: Field, given: Mapping[str, Any], values: Values, stored: Values) -> bool:
    """Nobody gave it and nobody knows it yet."""
    fresh = field.name in values and values[field.name] != stored.get(field.name)
    return field.generate is not None and fresh and not given.get(field.name)


def _secrets(one: Channel) -> list[Field]:
    return [field for field in one.settings if field.kind == "secret"]
