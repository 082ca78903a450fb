"""The messages as they arrived, to be opened: mails as .eml and .html, webhooks as .json, and a page listing them."""

import json
from html import escape
from pathlib import Path

from tidings.demo.stage import Stage

_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>What arrived</title>
<style>body{{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem}}
table{{border-collapse:collapse;width:100%}}td,th{{text-align:left;padding:.35rem .6rem;border-bottom:1px solid #8884}}
</style>
<h1>What arrived</h1><p>{count} messages, as the local receivers got them.</p>
<table><tr><th>To<th>Channel<th>Headline<th></tr>{rows}</table></html>"""


def keep_messages(stage: Stage, folder: Path) -> int:
    """How many there are."""
    folder.mkdir(exist_ok=True)
    rows: list[tuple[str, str, str, str]] = []
    for number, mail in enumerate(stage.mail.taken, 1):
        name = f"mail-{number:03}"
        (folder / f"{name}.eml").write_bytes(mail.raw)
        html = mail.message.get_body(("html",))
        plain = mail.message.get_body(("plain",))
        (folder / f"{name}.html").write_text(str(html.get_content()) if html else "")
        first = str(plain.get_content()).strip().splitlines()[0] if plain else str(mail.message["subject"])
        rows.append((mail.recipient, "email", first, f"{name}.html"))
    last = {arrival.identity: arrival for arrival in stage.hooks.arrivals}
    for number, arrival in enumerate(last.values(), 1):
        name = f"webhook-{number:03}.json"
        (folder / name).write_text(json.dumps(arrival.payload, ensure_ascii=False, indent=1, default=str))
        data = arrival.payload["data"]
        rows.append((data["recipient"], "webhook", data["headline"], name))
    cells = "".join(
        f"<tr><td>{escape(to)}<td>{channel}<td>{escape(headline)}<td><a href='{name}'>open</a></tr>"
        for to, channel, headline, name in rows
    )
    (folder / "index.html").write_text(_PAGE.format(count=len(rows), rows=cells))
    return len(rows)
