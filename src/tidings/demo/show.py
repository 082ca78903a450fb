"""What the terminal shows: only what `GET /events/{id}` answers, in the words of the catalogue."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.rule import Rule
from rich.text import Text

MARKS = {"sent": ("✓", "green"), "delivered": ("✓", "green"), "failed": ("✗", "red"), "cancelled": ("✗", "red")}
WAITING = ("…", "yellow")
REASONS = {
    "rule_off": "the rule for this event is switched off",
    "role_empty": "nobody holds this role here",
    "unknown_person": "nobody here has this login",
    "person_disabled": "the account is disabled",
    "person_departed": "has left",
    "no_method": "reached by the inbox only",
    "channel_off": "the channel is off",
    "contact_missing": "has no address there",
    "contact_unverified": "the address is not verified",
    "contact_disabled": "the address was switched off",
}


class Show:
    def __init__(self, console: Console, catalog: Mapping[str, Any]) -> None:
        self._console = console
        self._roles = {role["code"]: role["en"].lower() for role in catalog["roles"]}
        self._roles |= {"additional_user": "added to the rule", "dba": "DBA", "instance_dba": "instance DBA"}
        self._labels = {
            event["type"]: (feature["en"], event["en"])
            for feature in catalog["features"]
            for event in feature["events"]
        }

    def event(self, record: Mapping[str, Any]) -> None:
        event = record["event"]
        feature, status = self._labels[event["type"]]
        head = Text(f"{event['time'][11:16]}  ", style="dim")
        head.append(f"{feature} · {status}", style="bold")
        head.append(f"  {event['subject']['title']}")
        head.append(f"  {event['subject']['id']}", style="dim")
        self._console.print(head)
        for recipient in record["recipients"]:
            self._recipient(recipient)
        for skip in record["skips"]:
            who = skip.get("person") or self._roles.get(skip.get("role", ""), "nobody")
            self._console.print(Text(f"       – {who}: {REASONS[skip['reason']]}", style="yellow"))

    def _recipient(self, recipient: Mapping[str, Any]) -> None:
        line = Text("       → ")
        line.append(f"{recipient['login']:14}", style="cyan")
        for send in recipient["sends"]:
            line.append_text(self._send(send))
        for skip in recipient["skips"]:
            of = f"{skip['channel']}: " if "channel" in skip else ""
            line.append(f" {of}{REASONS[skip['reason']]}", style="yellow")
        line.append(f"  because: {self._because(recipient['because'])}", style="dim")
        self._console.print(line)

    def _send(self, send: Mapping[str, Any]) -> Text:
        mark, style = MARKS.get(send["state"], WAITING)
        text = Text(f" {send['channel']} {mark}", style=style)
        if send["attempts"]:
            last = send["attempts"][-1]
            text.append(
                f" {last['ms']:.0f} ms" if send["state"] == "sent" else f" {last.get('reason', '')}", style="dim"
            )
        return text

    def retried(self, record: Mapping[str, Any], recipient: Mapping[str, Any], send: Mapping[str, Any]) -> None:
        """A delivery that was still open when its event was shown, and has gone on since."""
        mark, style = MARKS.get(send["state"], WAITING)
        tries = " → ".join(f"{each.get('reason') or each['outcome']}" for each in send["attempts"])
        text = Text("       ↻ ", style="magenta")
        text.append(f"{recipient['login']} {send['channel']} ")
        text.append(f"{mark} {send['state']}", style=style)
        text.append(f" after {len(send['attempts'])} tries: {tries}  ", style="dim")
        text.append(record["event"]["subject"]["id"], style="dim")
        self._console.print(text)

    def _because(self, because: list[Mapping[str, str]]) -> str:
        return ", ".join(
            self._roles.get(one["role"], one["role"]) + (f" of {one['of']}" if "of" in one else "") for one in because
        )

    def chapter(self, title: str) -> None:
        self._console.print(Rule(escape(title), style="dim"))

    def say(self, text: str, style: str = "") -> None:
        self._console.print(Text(text, style=style))
