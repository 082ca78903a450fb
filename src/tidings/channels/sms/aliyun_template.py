"""What fits into a template at Alibaba Cloud: its variables and no others, and in them only what a carrier takes. Pure.

https://help.aliyun.com/document_detail/463270.htm (templates of notices)
"""

import re
import unicodedata
from collections.abc import Mapping

from msgspec import Struct

from tidings.channels.contract import InvalidField, Values
from tidings.channels.sms.brief import Brief, brief
from tidings.channels.words import CUT, cut, one_line
from tidings.messages.document import Document

# What a template may name. Alibaba Cloud forbids a few names to variables, `id` among them.
VARIABLES = ("feature", "number", "status", "title", "title_more", "where", "who", "time")
# "isv.PARAM_LENGTH_LIMIT": templates of notices made since 2018-01-10 take 1 to 35 characters a variable.
LONGEST_VALUE = 35
LONGEST_READ = 300  # of what comes from outside, before it is fitted
NOTHING = "-"  # a value may not be empty
# The text to apply for, and the one that is counted where the tenant has not told us theirs. The title of an English
# ticket is mostly longer than a value may be, so it stands last there: a sentence that ends with "…" has ended.
TEXTS: Mapping[str, str] = {
    "zh-hans": "您关注的${feature}（编号${number}）状态更新为：${status}，名称：${title}。请登录系统查看。",
    "en": "${feature} ${number}: ${status}. Please sign in to see it. Title: ${title}",
}
_VARIABLE = re.compile(r"\$\{(\w+)\}")
# Punctuation that carriers take; brackets of any shape but these stand for signatures and variables.
_MARKS = frozenset(" !\"#%&'()*+,-./:;<=>?@_，。：；！？、（）《》“”‘’…—·～￥")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
# What reads as a host or an address, "isv.PARAM_NOT_SUPPORT_URL"; the dot of 1.5 stays.
_HOST_OR_ADDRESS = re.compile(r"\w+(?:\.\w+)*\.[^\W\d]\w*|\d+(?:\.\d+){3}")


class Template(Struct, frozen=True):
    """As approved at Alibaba Cloud, with the signature that stands before it."""

    sign_name: str
    code: str
    text: str

    @property
    def variables(self) -> list[str]:
        return list(dict.fromkeys(_VARIABLE.findall(self.text)))

    def filled(self, values: Mapping[str, str], brackets: str = "【】") -> str:
        """As the phone shows it; abroad, a signature of plain letters stands in []."""
        return f"{brackets[0]}{self.sign_name}{brackets[1]}{_VARIABLE.sub(lambda found: values[found[1]], self.text)}"


def checked_template(text: str) -> str:
    unknown = [name for name in _VARIABLE.findall(text) if name not in VARIABLES]
    if unknown:
        names = ", ".join(f"${{{name}}}" for name in VARIABLES)
        raise InvalidField(f"has ${{{unknown[0]}}} in it, which nothing is known for; the variables are: {names}")
    return text


def notice_template(settings: Values, language: str) -> Template:
    if language == "en" and (code := settings.get("template_code_en")):
        sign_name = settings.get("sign_name_en") or settings["sign_name"]
        return Template(str(sign_name), str(code), str(settings.get("template_en") or TEXTS["en"]))
    text = str(settings.get("template") or TEXTS["zh-hans"])
    return Template(str(settings["sign_name"]), str(settings["template_code"]), text)


def code_template(settings: Values, language: str) -> Template:
    """Without one of their own, codes go out with the notices' template: it may be one of codes, in a tenant that uses
    text messages for nothing else."""
    if language == "en" and (code := settings.get("code_template_code_en")):
        return Template(str(settings.get("sign_name_en") or settings["sign_name"]), str(code), "${code}")
    code = settings.get("code_template_code") or settings["template_code"]
    return Template(str(settings["sign_name"]), str(code), "${code}")


def values_for(template: Template, document: Document) -> dict[str, str]:
    """The template's variables and no others: one too many is refused as one too few is."""
    told = brief(document)
    values = {name: _value(name, told) for name in template.variables}
    if "title_more" in values:
        values |= dict(zip(("title", "title_more"), _in_two(fitted(told.title)), strict=True))
    return {name: values[name] for name in template.variables}


def _in_two(title: str) -> tuple[str, str]:
    """For a template that joins both. As much as fits goes first, up to a word's end; neither may be empty, so of a
    short title the last word comes second."""
    at = title.rfind(" ", 1, LONGEST_VALUE + 1 if len(title) > LONGEST_VALUE else len(title))
    if at < 0:
        at = LONGEST_VALUE
    return title[:at].strip() or NOTHING, _cut_at_word(title[at:].strip()) or NOTHING


def _cut_at_word(text: str) -> str:
    """A mark after half a word reads like the word's fault; but a word that is most of the text is cut."""
    if len(text) <= LONGEST_VALUE:
        return text
    end = text.rfind(" ", LONGEST_VALUE // 2, LONGEST_VALUE)
    return text[:end].rstrip(" ,;:-") + CUT if end > 0 else cut(text, LONGEST_VALUE)


def _value(name: str, told: Brief) -> str:
    if name == "status" and told.earlier:
        # "Earlier status, 11:00; now: Approved": if something has to go, then not what holds now.
        text = fitted(told.earlier)
        end = text[1 - LONGEST_VALUE :]
        return text if len(text) <= LONGEST_VALUE else CUT + (end.partition(" ")[2] or end)
    # The rest of a title is made with the title.
    return _cut_at_word(fitted(getattr(told, name, ""))) or NOTHING


def fitted(text: str) -> str:
    """Without what a carrier refuses: emoji and symbols, brackets, and whatever looks like a link."""
    text = text[:LONGEST_READ]
    text = _HOST_OR_ADDRESS.sub(lambda found: found[0].replace(".", " "), _SCHEME.sub("", text))
    return one_line("".join([letter if _is_carried(letter) else " " for letter in text]))


def _is_carried(letter: str) -> bool:
    return letter in _MARKS or unicodedata.category(letter)[0] in "LM" or unicodedata.category(letter) == "Nd"
