"""One page, done as it says by somebody who has an organisation of their own on a real node."""

import ast
import importlib.util
import json
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

from tests.docs.blocks import Block

ROOT = Path(__file__).parents[2]
WITHIN = 120.0
"""Seconds for all of one language in a page."""
TOLD = 2_000
"""Characters of what was answered, at the end of what failed."""
TOKEN = re.compile(r"tdg_\.\.\.")
MADE = re.compile(r'"token": ?"(tdg_[\w-]+)"')
HERE = ("http://127.0.0.1:8420", "https://tidings.example.com")
"""What pages call Tidings, which is the node."""
THE_ID = "<id of the answer>"
SHELL = """
curl() {{ command curl --fail-with-body "$@" | tee -a {folder}/answers || {{ echo "$*" >> {folder}/refused; return 22; }}; }}
export B={node}/api/v1 T={token} TOKEN={token} TIDINGS_URL={node}
api() {{ curl -sS -H "Authorization: Bearer $T" -H "Content-Type: application/json" "$@"; }}
set -euo pipefail
while read -r block; do . "$block" > "$block.out" 2> "$block.err" < /dev/null; echo done; done
"""
INTERPRETER = """
import sys, contextlib, traceback
names = {"__name__": "__main__"}
for path in sys.stdin:
    with contextlib.redirect_stdout(sys.stderr):
        exec(compile(open(path.strip()).read(), path.strip(), "exec"), names)
    print("done", flush=True)
"""


class Player:
    """`code`: of the adapter that the page is about; without one its samples are events. `made`: the token of the
    source that the page has made last, which is what it calls `tdg_...` from there on."""

    def __init__(
        self, code: str, node: str, token: str, source_token: str, folder: Path, shell: dict[str, str]
    ) -> None:
        self._code, self._node, self._token, self._made = code, node, token, source_token
        self._folder, self._environment = folder, shell
        self._processes: dict[str, subprocess.Popen[str]] = {}
        self.answer: Any = None
        """What was answered last, as far as it was JSON."""

    def play(self, block: Block) -> None:
        """Raises AssertionError with what the page would have shown its reader."""
        match block.kind:
            case "sh":
                self._shell(block)
            case "python":
                self._python(block)
            case "sample":
                self._post(block)
            case "answer":
                differs = list(unlike(block.content, self.answer))
                assert not differs, f"line {block.line}: the answer is otherwise: {differs}\n{json.dumps(self.answer)}"

    def end(self) -> None:
        for process in self._processes.values():
            assert process.stdin
            process.stdin.close()
            process.wait(WITHIN)

    def meant(self, text: str) -> str:
        """With what the placeholders of pages stand for, here."""
        for name in HERE:
            text = text.replace(name, self._node)
        if THE_ID in text:
            text = text.replace(THE_ID, str(self.answer["id"]))
        text = re.sub(r"\b(T|TIDINGS_ADMIN_TOKEN)=tdg_\.\.\.", rf"\1={self._token}", text)
        return TOKEN.sub(self._made, text)

    def _shell(self, block: Block) -> None:
        out = self._run(
            "bash", ["bash", "-c", SHELL.format(node=self._node, token=self._token, folder=self._folder)], block
        )
        refused = self._folder / "refused"
        assert not refused.exists(), f"line {block.line}: a call was refused: {refused.read_text()}{out[-TOLD:]}"
        # Also where the page keeps the answer to itself.
        for token in MADE.findall(_text(self._folder / "answers"))[-1:]:
            self._made = token
        for answer in _answers(out):
            self.answer = answer

    def _python(self, block: Block) -> None:
        compile(block.text, f"line {block.line}", "exec")
        if all(importlib.util.find_spec(name) for name in imports_of(block.text)):
            self._run("python", [sys.executable, "-c", INTERPRETER], block)

    def _run(self, name: str, command: list[str], block: Block) -> str:
        """What it wrote."""
        path = self._folder / f"line-{block.line}.{name}"
        path.write_text(self.meant(block.text))
        process = self._processes.get(name) or self._start(name, command)
        assert process.stdin and process.stdout
        process.stdin.write(f"{path}\n")
        process.stdin.flush()
        ended = process.stdout.readline()
        out, said = (_text(path.with_name(path.name + end)) for end in (".out", ".err"))
        log = _text(self._folder / f"{name}.log")
        assert ended == "done\n", f"line {block.line} failed:\n{block.text}\n{said}{log}{out[-TOLD:]}"
        return out

    def _start(self, name: str, command: list[str]) -> "subprocess.Popen[str]":
        log = (self._folder / f"{name}.log").open("w")
        environment = {
            **self._environment,
            "TIDINGS_TOKEN": self._made,
            "TIDINGS_URL": self._node,
            "TIDINGS_BUFFER": str(self._folder / "buffer.sqlite"),
        }
        self._processes[name] = process = subprocess.Popen(
            ["timeout", str(int(WITHIN)), *command], cwd=self._folder, env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
        )  # fmt: skip
        return process

    def _post(self, block: Block) -> None:
        """To the door of its system, with the token of its source where systems that can be given nothing but an
        address have it; without one to that of events."""
        path = f"sources/{self._code}?token={self._made}" if self._code else "events"
        headers = {"content-type": "application/json"} | dict(block.headers)
        if not self._code:
            headers["authorization"] = f"Bearer {self._made}"
            path += "/batch" if isinstance(block.content, list) else ""
        url = f"{self._node}/api/v1/{path}"
        call = urllib.request.Request(url, self.meant(block.body.decode()).encode(), headers)
        try:
            with urllib.request.urlopen(call, timeout=WITHIN) as answer:
                self.answer = json.load(answer)
        except urllib.error.HTTPError as refused:
            raise AssertionError(f"line {block.line} was refused: {refused.code} {refused.read().decode()}") from None


def imports_of(source: str) -> list[str]:
    """The packages that it imports."""
    found: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [each.name.partition(".")[0] for each in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.append(node.module.partition(".")[0])
    return sorted(set(found))


def unlike(shown: Any, got: Any, at: str = "") -> Iterator[str]:
    """Where an answer has not the shape that a page shows: names, lengths, what is there and what is not, and reasons.
    Texts, numbers, ids and times may be others."""
    if isinstance(shown, dict) and isinstance(got, dict):
        for name in shown.keys() ^ got.keys():
            yield f"{at}.{name} is {'not there' if name in shown else 'not shown'}"
        for name in shown.keys() & got.keys():
            yield from unlike(shown[name], got[name], f"{at}.{name}")
    elif isinstance(shown, list) and isinstance(got, list):
        if len(shown) != len(got):
            yield f"{at} has {len(got)}, not {len(shown)}"
        for number, (one, other) in enumerate(zip(shown, got, strict=False)):
            yield from unlike(one, other, f"{at}[{number}]")
    elif type(shown) is not type(got) or (shown != got and (isinstance(shown, bool) or at.endswith("reason"))):
        yield f"{at} is {got!r}, not {shown!r}"
    elif _is_key(shown) and not _is_key(got):
        yield f"{at} is no id: {got!r}"


def _answers(out: str) -> Iterator[Any]:
    """Each JSON value that was written, one after the other."""
    decoder, at = json.JSONDecoder(), 0
    while at < len(out):
        try:
            value, end = decoder.raw_decode(out, at)
        except ValueError:
            at += 1
            continue
        if isinstance(value, dict | list):
            yield value
        at = end


def _is_key(value: Any) -> bool:
    try:
        return bool(UUID(str(value)))
    except ValueError:
        return False


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""
