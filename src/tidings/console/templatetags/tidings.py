"""Tags and filters of the console's templates."""

from datetime import datetime

from django import template
from django.templatetags.static import static
from django.utils import formats, timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince
from django.utils.translation import gettext, gettext_lazy

register = template.Library()
# How a state looks, and what it is called. Colour is never all there is.
STATES = {
    "pending": ("secondary", "hourglass", gettext_lazy("pending")),
    "sending": ("azure", "send", gettext_lazy("sending")),
    "sent": ("green", "check", gettext_lazy("sent")),
    "delivered": ("green", "circle-check", gettext_lazy("delivered")),
    "failed": ("red", "circle-x", gettext_lazy("failed")),
    "cancelled": ("secondary", "x", gettext_lazy("cancelled")),
    "skipped": ("yellow", "info-circle", gettext_lazy("skipped")),
}
# What a token may do.
SCOPE_WORDS = {
    "read": gettext_lazy("read what this person may see"),
    "write": gettext_lazy("change what this person may change"),
    "events:write": gettext_lazy("send events"),
}
RECENT_SECONDS = 6 * 86_400


@register.simple_tag
def icon(name: str, size: str = "") -> SafeString:
    """One of assets/icons.txt; says nothing to who cannot see it."""
    source = f"{static('vendor/icons.svg')}#{name}"
    return format_html(
        '<svg class="icon{}" width="24" height="24" aria-hidden="true" focusable="false"><use href="{}"/></svg>',
        f" icon-{size}" if size else "",
        source,
    )


@register.simple_tag
def moment(at: datetime | None, *, exact: bool = False) -> SafeString | str:
    """How long ago, while that says more than a date; the exact time in the reader's zone when pointed at."""
    if at is None:
        return ""
    local = timezone.localtime(at)
    full = f"{formats.date_format(local, 'DATETIME_FORMAT')}:{local:%S} {local:%Z}"
    age = (timezone.now() - at).total_seconds()
    if exact or abs(age) > RECENT_SECONDS:
        words = formats.date_format(local, "SHORT_DATETIME_FORMAT")
    elif abs(age) < 60:
        words = gettext("just now") if age >= 0 else gettext("in a moment")
    elif age < 0:
        words = gettext("in %s") % timesince(timezone.now(), at, depth=1)
    else:
        words = gettext("%s ago") % timesince(at, depth=1)
    return format_html('<time datetime="{}" title="{}">{}</time>', at.isoformat(), full, words)


@register.simple_tag
def state_badge(state: str) -> SafeString:
    colour, shape, words = STATES.get(state, ("secondary", "info-circle", state))
    return format_html('<span class="badge bg-{}-lt">{} {}</span>', colour, icon(shape, "sm"), words)


@register.filter
def scope_name(scope: str) -> str:
    return str(SCOPE_WORDS.get(scope, scope))


@register.simple_tag
def person(login: str, name: str = "") -> SafeString:
    """A name with the login beside it, or the login alone."""
    if not name or name == login:
        return format_html('<span class="person" translate="no">{}</span>', login)
    return format_html(
        '<span class="person" translate="no">{} <span class="text-secondary">{}</span></span>', name, login
    )


@register.simple_tag(takes_context=True)
def query(context: template.Context, **changed: object) -> str:
    """This page's address with some of its filters changed; an empty value takes one away, and paging starts anew."""
    parameters = context["request"].GET.copy()
    parameters.pop("cursor", None)
    for name, value in changed.items():
        parameters.pop(name, None)
        if value not in ("", None):
            parameters[name] = value
    return f"?{parameters.urlencode()}"


@register.filter
def labelled(labels: dict[str, str], language: str = "") -> str:
    """What the catalogue calls it, in the reader's language."""
    from django.utils.translation import get_language

    current = language or get_language() or "en"
    return labels.get(current) or labels.get("en") or next(iter(labels.values()), "")
