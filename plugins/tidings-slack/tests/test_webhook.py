"""What is Slack's own: which URLs are webhooks, and what a text may do."""

from importlib.metadata import entry_points

import pytest

from tidings.channels.check import check_values
from tidings.channels.registry import CHANNELS
from tidings.kernel.problems import Problem
from tidings_slack.channel import SlackChannel
from tidings_slack.message import escaped

GIVEN = "https://hooks.slack.com/services/T0ACME/B0ORDERS/a1b2c3d4e5f6a7b8"


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.slack.com/services/T0/B0/secret",
        "https://hooks.slack.com.evil.example/services/T0/B0/secret",
        "https://hooks.slack.com:8443/services/T0/B0/secret",
        "https://evil.example/services/T0/B0/secret",
        "https://hooks.slack.com/services/T0/B0",
        "https://hooks.slack.com/services/T0/B0/",
        "https://hooks.slack.com/services/T0/B0/secret/more",
        "https://hooks.slack.com/services/T0/B0/secret?x=1",
        "https://hooks.slack.com/triggers/T0/B0/secret",
        "https://hooks.slack.com/services/../B0/secret",
    ],
)
def test_only_the_whole_url_of_an_incoming_webhook_is_taken(url: str) -> None:
    with pytest.raises(Problem) as raised:
        check_values(SlackChannel.contact, {"url": url}, {})
    assert raised.value.errors[0]["field"] == "url"


@pytest.mark.parametrize("url", [GIVEN, GIVEN.replace("slack.com", "slack-gov.com")])
def test_both_hosts_of_slack_are_taken(url: str) -> None:
    assert check_values(SlackChannel.contact, {"url": url}, {}) == {"url": url}


def test_an_endpoint_stands_for_slack_and_shares_the_budget_of_the_webhook() -> None:
    slack = SlackChannel()
    assert slack.destination({"url": GIVEN}, {}) == "hooks.slack.com:443"
    assert slack.destination({"url": GIVEN}, {"endpoint": "http://127.0.0.1:8080/"}) == "127.0.0.1:8080"
    assert slack.account({"url": GIVEN}, {}) != slack.account({"url": f"{GIVEN}x"}, {})
    assert "a1b2" not in slack.account({"url": GIVEN}, {})


@pytest.mark.parametrize("most", [1, 5, 6, 75, 150])
@pytest.mark.parametrize("text", ["", " ", "<!channel>", "&" * 400, "a" * 400, "<a>&" * 100, "工" * 400])
def test_a_text_is_escaped_then_fits_and_is_never_empty(text: str, most: int) -> None:
    shown = escaped(text, most)
    assert 0 < len(shown) <= most
    assert not {"<", ">"} & set(shown)


def test_the_package_is_found_by_its_entry_point_alone() -> None:
    [point] = [point for point in entry_points(group="tidings.channels") if point.name == "slack"]
    assert point.dist is not None
    assert point.dist.name == "tidings-slack"
    assert isinstance(CHANNELS["slack"], SlackChannel)
