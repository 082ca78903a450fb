"""How events and deliveries look."""

from datetime import datetime
from uuid import UUID

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from tidings.console.templatetags.tidings import STATES, icon
from tidings.kernel.ids import made_at as when

register = template.Library()


@register.simple_tag
def count_badge(state: str, count: int) -> SafeString:
    """How many deliveries are in a state; good ones say less."""
    colour, shape, words = STATES.get(state, ("secondary", "info-circle", state))
    return format_html(
        '<span class="badge bg-{}-lt" title="{}">{} {}<span class="visually-hidden"> {}</span></span>',
        colour, words, icon(shape, "sm"), count, words,
    )  # fmt: skip


@register.filter
def sentence(says: str) -> str:
    """With its full stop."""
    return says + gettext(".") if says else ""


@register.filter
def seconds(value: float | None) -> str:
    """A time as people say it: 35 ms, 1.6 s, 12 min."""
    if value is None:
        return "–"
    if value < 1:
        return gettext("%d ms") % round(value * 1000)
    if value < 60:
        return gettext("%s s") % f"{value:.1f}".rstrip("0").rstrip(".")
    if value < 3_600:
        return gettext("%d min") % round(value / 60)
    return gettext("%s h") % f"{value / 3600:.1f}".rstrip("0").rstrip(".")


@register.filter
def made_at(key: UUID) -> datetime:
    return when(key)
