"""Any JSON in any field of every channel's settings and contact points: kept as it is shown, or refused with the field's
name; and what is shown can be written back."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tidings.channels.contract import Field
from tidings.channels.registry import CHANNELS

FEW = settings(
    max_examples=max(12, settings.default.max_examples // 4),
    deadline=None,
    database=None,
    derandomize=settings.get_current_profile_name() != "deep",
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
_odd = [
    "", " ", "\0", "\ud800", "a\r\nBcc: x", "\u202e", "x" * 2_001, "********", "https://…", "ann@example.com", "+86 138 0013 8000",
    "https://user:pw@hooks.example.com/", "http://127.0.0.1\\@example.com/", "javascript:x", "https://hooks.example.com/x",
    "https://oapi.dingtalk.com/robot/send?access_token=" + "a" * 64, "https://hooks.slack.com/services/T/B/x",
    "https://hooks.example.com:99999/", "//x", "smtp.example.com", "smtp.example.com:25", "fe80::1%eth0", "0x7f.1",
    "ann@exa mple.com", "ann@[127.0.0.1]", "\"a b\"@example.com", "ann@example.com\r\nRCPT TO:<m@x>", "Tidings <n@example.com>",
    "whsec_AAAA", "${feature} ${x}", "１２３", "-1", "1e3", "٣",
]  # fmt: skip
_texts = st.text(max_size=30) | st.sampled_from(_odd)
_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([2**53, 2**64, -1, 0])
    | st.floats(allow_nan=False)
    | _texts,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_texts, inner, max_size=2),
    max_leaves=4,
)


def _of(field: Field) -> st.SearchStrategy[Any]:
    return _values | st.sampled_from(field.choices) if field.choices else _values


def _given(fields: tuple[Field, ...]) -> st.SearchStrategy[dict[str, Any]]:
    known = st.fixed_dictionaries({}, optional={field.name: _of(field) for field in fields})
    return known | st.builds(lambda one, more: one | more, known, st.dictionaries(_texts, _values, max_size=1))


@pytest.mark.parametrize("code", CHANNELS)
@FEW
@given(data=st.data())
def test_any_settings_are_kept_or_refused(code: str, api: Callable[..., Any], data: st.DataObject) -> None:
    root = api("root")
    body = {"enabled": data.draw(st.booleans()), "settings": data.draw(_given(CHANNELS[code].settings))}
    answer = root.put(f"/channels/{code}", body)
    assert answer.status in (200, 409, 422), answer.body
    if answer.status == 422:
        assert answer.body["code"] == "malformed_json" or answer.body["errors"]
        return
    shown = root.get(f"/channels/{code}").body
    assert root.put(f"/channels/{code}", shown).status in (200, 409)
    assert root.get(f"/channels/{code}").body["settings"] == shown["settings"]


@pytest.mark.parametrize("code", CHANNELS)
@FEW
@given(data=st.data())
def test_any_contact_point_is_kept_or_refused(code: str, api: Callable[..., Any], data: st.DataObject) -> None:
    names = sorted(api("ann").get("/me/notification-settings").body.keys() - {"methods", "channels", "fallback"})
    contact = data.draw(_given(CHANNELS[code].contact) | _values)
    body = {"methods": data.draw(st.just([code]) | st.lists(_texts | st.sampled_from(sorted(CHANNELS)), max_size=3))}
    body |= {name: contact for name in names if name.startswith(code) or data.draw(st.integers(0, 9)) == 0}
    for login, path in (("ann", "/me/notification-settings"), ("root", "/users/ann/notification-settings")):
        answer = api(login).put(path, body)
        assert answer.status in (200, 422), answer.body
        if answer.status == 422:
            assert answer.body["code"] == "malformed_json" or answer.body["errors"] or answer.body["detail"]
            continue
        shown = api(login).get(path).body
        assert api(login).put(path, shown).status == 200
