"""There is one way out to the network: what opens a connection stands in the two files that ask the gate first, and the
gate is given what the operator allows, and nothing else."""

import ast
from collections.abc import Iterator
from pathlib import Path

import tidings

SOURCES = Path(tidings.__file__).parent
PLUGINS = Path(__file__).parents[2] / "plugins"
# Of libraries and calls that open a connection by themselves.
LIBRARIES = {
    "aiohttp", "aiosmtplib", "ftplib", "http.client", "httpx", "imaplib", "poplib", "pyreqwest", "requests", "smtplib",
    "telnetlib", "urllib.request", "urllib3", "websockets", "xmlrpc.client", "grpc", "dns", "ldap3",
}  # fmt: skip
CALLS = {"create_connection", "sock_connect", "open_connection", "connect_ex", "create_datagram_endpoint", "urlopen"}
OPENS = {
    # Each asks the gate for the address it connects to.
    "kernel/http.py": {"sock_connect", "create_connection"},  # the latter takes the socket that is connected already
    "channels/email/smtp.py": {"aiosmtplib", "sock_connect"},
}
POLICIES = {
    "node/engine.py": "AddressPolicy(settings.allowed_networks)",
    "channels/at_once.py": "AddressPolicy(installation().allowed_networks)",
}


def modules() -> Iterator[tuple[str, ast.Module]]:
    """Without the vendors' doubles and the demo, which is made of them: neither is loaded by a node."""
    for folder in (SOURCES, *PLUGINS.glob("*/src/*")):
        for path in folder.rglob("*.py"):
            name = path.relative_to(folder).as_posix()
            if not name.startswith(("channels/testing/", "demo/")) and name != "testing.py":
                yield name, ast.parse(path.read_text("utf-8"))


def test_only_what_asks_the_gate_opens_a_connection() -> None:
    found: dict[str, set[str]] = {}
    for name, module in modules():
        for node in ast.walk(module):
            if used := set(_used(node)):
                found.setdefault(name, set()).update(used)
    assert found == OPENS


def test_the_gate_is_given_what_the_operator_allows() -> None:
    made = {
        name: ast.unparse(node)
        for name, module in modules()
        for node in ast.walk(module)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "AddressPolicy"
    }
    assert made == POLICIES


def _used(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Import():
            names = [each.name for each in node.names]
        case ast.ImportFrom():
            names = [node.module or "", *(f"{node.module}.{each.name}" for each in node.names)]
        case ast.Call(func=ast.Attribute(attr=name)) | ast.Call(func=ast.Name(id=name)):
            yield from {name} & CALLS
            return
        case _:
            return
    for name in names:
        yield from (library for library in LIBRARIES if name == library)
