"""Change how somebody is reached: what is switched on, where it leads, and that it is theirs."""

from collections.abc import Callable, Mapping

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import get_language, gettext

from tidings.channels.configure import known_channel
from tidings.channels.contract import Channel
from tidings.console.asked import is_ours
from tidings.console.my_settings.sheet import Whose, sheet
from tidings.console.my_settings.told import Told, told_of_outcome, told_of_problem
from tidings.console.page import Asked, is_part, page, say, show
from tidings.delivery.budget import take_at_once
from tidings.delivery.try_channel import try_channel
from tidings.kernel.problems import Problem
from tidings.preferences.send_code import send_code
from tidings.preferences.shape import Shown, Wanted
from tidings.preferences.try_own import try_own
from tidings.preferences.verify import verify

CHANGED = "methods-changed"
"""The browser's event that says: what would be got may be something else now."""
IN_PLACE = (409, 412, 422, 429)
"""What is said beside the form; anything else is no answer to what was entered."""
Act = Callable[[HttpRequest, Whose, Channel], tuple[Shown | None, Told]]


def switch(request: HttpRequest, whose: Whose, kind: Channel) -> tuple[Shown | None, Told]:
    shown, on = whose.read(), "on" in request.POST
    others = [one for one in shown.methods if one != kind.code]
    after = whose.put(Wanted(methods=(*others, kind.code) if on else tuple(others)), _version(request))
    text = gettext("%s is switched on.") if on else gettext("%s is switched off.")
    say(request, text % _name(kind))
    return after, Told()


def address(request: HttpRequest, whose: Whose, kind: Channel) -> tuple[Shown | None, Told]:
    """Where it leads. An administrator's word is enough; one's own is to be proved, by what is sent there."""
    given = _given(request, kind)
    first, filled = kind.contact[0].name, {name for name, value in given.items() if value}
    if not filled:
        return None, Told(well=False, problems={first: gettext("Enter where it should go.")})
    if whose.own and kind.verified_by == "code" and filled == {first}:
        send_code(whose.caller, kind.code, given[first], take_at_once)
        return None, _code_sent()
    after = whose.put(Wanted(contacts={kind.code: given}), _version(request))
    if after.points[kind.code].verified:
        return after, Told(gettext("Saved. Notifications can go there."), well=True)
    if kind.verified_by == "code":
        send_code(whose.caller, kind.code, None, take_at_once)
        return None, _code_sent()
    if after.made.get(kind.code):
        # The receiver has to know the secret first.
        return after, Told(gettext("Saved. Give the secret to the receiver, then send a test message."), well=True)
    return test(request, whose, kind)


def code(request: HttpRequest, whose: Whose, kind: Channel) -> tuple[Shown | None, Told]:
    """To the address there is, or to the one that the last code was sent to."""
    send_code(whose.caller, kind.code, request.POST.get("address") or None, take_at_once)
    return None, _code_sent()


def verify_code(request: HttpRequest, whose: Whose, kind: Channel) -> tuple[Shown | None, Told]:
    after = verify(whose.caller, kind.code, request.POST.get("code", ""))
    if kind.code in after.methods:
        text = gettext("This address is yours. Notifications go there from now on.")
    else:
        text = gettext("This address is yours. Switch the channel on to get notifications there.")
    return after, Told(text, well=True)


def test(request: HttpRequest, whose: Whose, kind: Channel) -> tuple[Shown | None, Told]:
    """May take 15 seconds."""
    if whose.own:
        outcome, verified = try_own(whose.caller, kind.code, take_at_once)
    else:
        outcome, verified = try_channel(whose.caller, kind.code, whose.login), False
    return None, told_of_outcome(outcome, verified=verified)


def remove(request: HttpRequest, whose: Whose, kind: Channel) -> tuple[Shown | None, Told]:
    after = whose.put(Wanted(contacts={kind.code: None}), _version(request))
    return after, Told(gettext("This address is taken away, and was told so if it was verified."), well=True)


def _own(act: Act) -> Callable[..., HttpResponse]:
    @page(methods=("POST",))
    def view(request: Asked, channel: str) -> HttpResponse:
        return _done(request, Whose(request.caller), channel, act)

    return view


def _of(act: Act) -> Callable[..., HttpResponse]:
    @page("administrator", methods=("POST",))
    def view(request: Asked, login: str, channel: str) -> HttpResponse:
        return _done(request, Whose(request.caller, login), channel, act)

    return view


own = {
    "switch": _own(switch),
    "address": _own(address),
    "code": _own(code),
    "verify": _own(verify_code),
    "test": _own(test),
    "remove": _own(remove),
}
of_others = {"switch": _of(switch), "address": _of(address), "test": _of(test), "remove": _of(remove)}


def _done(request: Asked, whose: Whose, channel: str, act: Act) -> HttpResponse:
    """The form as it is now, with what came of it beside the channel it was done to."""
    kind = known_channel(channel)
    try:
        shown, told = act(request, whose, kind)
    except Problem as problem:
        if problem.status not in IN_PLACE:
            raise
        shown, told = None, told_of_problem(problem, kind, _typed(request, kind))
    if not is_part(request):
        for text in (told.text, *told.problems.values()):
            if text:
                (messages.success if told.well else messages.error)(request, f"{_name(kind)}: {text}")
        back = request.POST.get("back", "")
        return redirect("settings" if whose.own or not is_ours(back) else back)
    answer = show(request, "console/_methods.html", {"sheet": sheet(whose, shown, {kind.code: told})})
    answer["HX-Trigger"] = CHANGED
    return answer


def _version(request: HttpRequest) -> str:
    return request.POST.get("version", "")


def _given(request: HttpRequest, kind: Channel) -> dict[str, str | None]:
    """What was entered. A secret that was left empty stays as it is, unless it is to go."""
    given: dict[str, str | None] = {}
    for each in kind.contact:
        value = request.POST.get(each.name, "").strip()
        if each.kind == "secret" and not value:
            if f"new-{each.name}" in request.POST:
                given[each.name] = None
        else:
            given[each.name] = value
    return given


def _typed(request: HttpRequest, kind: Channel) -> Mapping[str, str]:
    return {each.name: request.POST[each.name] for each in kind.contact if each.name in request.POST}


def _name(kind: Channel) -> str:
    return kind.label.get(get_language() or "en", kind.label["en"])


def _code_sent() -> Told:
    return Told(gettext("A code is on its way, if messages can reach this address."), well=None)
