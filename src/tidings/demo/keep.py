"""Keep the messages as they arrived, in a folder with an index, so that they can be opened."""

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tidings.demo.arrived import Arrived
from tidings.demo.read import Organisation
from tidings.demo.receive import Receivers

# A mail has two: as it is read, and as it came.
ENDINGS = {"webhook": ".json", "dingtalk": ".md", "dingtalk_robot": ".md", "sms": ".txt"}
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]+")
_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Messages of the day</title>
<style>
:root {{ color-scheme: light dark }}
body {{ font: 15px/1.5 system-ui, "PingFang SC", "Microsoft YaHei", sans-serif; max-width: 70rem; margin: 2rem auto;
  padding: 0 1rem }}
table {{ border-collapse: collapse; width: 100% }}
th, td {{ text-align: left; padding: .35rem .75rem .35rem 0; border-bottom: 1px solid #8884; vertical-align: top }}
th, small {{ color: #888; font-weight: normal }}
td:nth-child(5) {{ white-space: nowrap }}
.no {{ color: #c02626 }}
</style>
<h1>Messages of the day</h1>
<p>{count} messages as they arrived at the local receivers, the latest last.</p>
<table>
<tr><th>#<th>who<th>channel<th>what it says<th>open<th>answered</tr>
{rows}
</table></html>
"""
_ROW = """<tr><td>{number}<td>{name}<br><small>{login}</small><td>{channel}
<td>{headline}<br><small>{subject}</small><td>{links}<td{style}>{answers}</tr>"""


@dataclass(slots=True)
class Keeper:
    """`keep` writes what is new; a message has the number under which it was first seen."""

    folder: Path
    receivers: Receivers
    names: dict[str, str]
    _numbers: dict[str, int] = field(default_factory=dict)
    _seen: int = -1

    @property
    def index(self) -> Path:
        return self.folder / "index.html"

    def keep(self) -> list[Arrived]:
        """What came since the last time."""
        if self.receivers.count == self._seen:
            return []
        self._seen = self.receivers.count
        rows: list[tuple[int, str]] = []
        arrived = self.receivers.arrived()
        new = [one for one in arrived if one.delivery not in self._numbers]
        for one in arrived:
            number = self._numbers.setdefault(one.delivery, len(self._numbers) + 1)
            rows.append((number, self._row(number, one, self._write(number, one))))
        page = _PAGE.format(count=len(rows), rows="\n".join(row for _, row in sorted(rows)))
        self.index.write_text(page, encoding="utf-8")
        return new

    def _write(self, number: int, one: Arrived) -> Sequence[str]:
        """The names of its files."""
        stem = f"{number:03d}-{_NOT_IN_NAMES.sub('_', one.login)}"
        ending = ENDINGS.get(one.channel)
        contents = {ending: one.content} if ending else {".html": one.page.encode(), ".eml": one.content}
        for ending, content in contents.items():
            path = self.folder / f"{stem}{ending}"
            if not path.exists():
                path.write_bytes(content)
        return [f"{stem}{ending}" for ending in contents]

    def _row(self, number: int, one: Arrived, names: Sequence[str]) -> str:
        links = " ".join(f'<a href="{name}">{name.rpartition(".")[2]}</a>' for name in names)
        shown = {
            "number": str(number),
            "name": self.names.get(one.login, one.login),
            "login": one.login,
            "channel": f"{one.channel}, as {one.form} writes it" if one.form else one.channel,
            "headline": one.headline,
            "subject": one.subject,
            "answers": ", ".join(one.answers),
        }
        escaped = {name: html.escape(value) for name, value in shown.items()}
        return _ROW.format(**escaped, links=links, style="" if one.taken else ' class="no"')


def keeper(folder: Path, receivers: Receivers, organisation: Organisation) -> Keeper:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    kept = Keeper(folder, receivers, {person.login: person.name for person in organisation.people})
    kept.keep()
    return kept
