"""What was told, in words: channels, reasons, tones."""

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language, gettext_lazy

from tidings.channels.registry import CHANNELS
from tidings.console.templatetags.tidings import icon
from tidings.messages.explain import Explained, explain

register = template.Library()
# Of an event, by its tone: how it looks, and what it means to who cannot see that.
TONES = {
    "action": ("orange", "hourglass", gettext_lazy("Somebody is asked to act")),
    "info": ("blue", "info-circle", gettext_lazy("For information")),
    "success": ("green", "circle-check", gettext_lazy("Went well")),
    "failure": ("red", "circle-x", gettext_lazy("Went wrong")),
}


@register.filter
def channel_name(code: str) -> str:
    """One that is not here any more is called by its code."""
    kind = CHANNELS.get(code)
    return kind.label.get(_language(), kind.label["en"]) if kind else code


@register.filter
def explained(reason: str) -> Explained:
    return explain(reason, _language())


@register.simple_tag
def tone_mark(tone: str) -> SafeString:
    colour, shape, words = TONES.get(tone, TONES["info"])
    return format_html(
        '<span class="avatar avatar-sm bg-{}-lt" title="{}">{}<span class="visually-hidden">{}</span></span>',
        colour,
        words,
        icon(shape),
        words,
    )


def _language() -> str:
    return get_language() or "en"
