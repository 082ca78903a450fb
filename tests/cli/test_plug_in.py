"""What an operator hears of an installed package whose channel cannot be used: one line, and what to do about it."""

from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint, distributions
from pathlib import Path

import pytest
from tests.cli.conftest import Tidings

from tidings.channels.plug_in import GROUP, TAKEN, PlugInUnusable, plugged_in
from tidings.preferences.shape import FLAT, TOLD

WHOLE = """
from tidings.channels.contract import Channel, Field, Sent
from tidings.channels.field_words import Words
class Pigeon(Channel):
    code = "pigeon"
    label = {"en": "Pigeon", "zh-hans": "信鸽"}
    words = Words({"en": "Loft", "zh-hans": "鸽舍"}, {"en": "Where it lives.", "zh-hans": "住处。"})
    contact = (Field("loft", "text", words),)
    verified_by = "test"
    def destination(self, contact, settings): return "loft:1"
    def address(self, contact): return "loft"
    async def send(self, parcel, wire): return Sent()
"""
Install = Callable[..., list[EntryPoint]]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Packages as pip would leave them in a folder of their own: `install({"name": (code, value, source)})`."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def installed(packages: Mapping[str, tuple[str, str, str]]) -> list[EntryPoint]:
        for name, (code, value, source) in packages.items():
            (tmp_path / f"{value.partition(':')[0]}.py").write_text(source)
            told = tmp_path / f"{name.replace('-', '_')}-1.0.dist-info"
            told.mkdir()
            (told / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
            (told / "entry_points.txt").write_text(f"[{GROUP}]\n{code} = {value}\n")
        return [one for package in distributions(path=[str(tmp_path)]) for one in package.entry_points]

    return installed


def test_a_whole_channel_is_taken(install: Install) -> None:
    [(code, channel)] = plugged_in(install({"tidings-pigeon": ("pigeon", "pigeon_whole:Pigeon", WHOLE)}), ()).items()
    assert (code, channel.label["en"]) == ("pigeon", "Pigeon")


@pytest.mark.parametrize(
    ("code", "source", "problem"),
    [
        ("pigeon", "import nothing_like_it", "No module named 'nothing_like_it'"),
        ("pigeon", "x = 1", "has no attribute 'Pigeon'"),
        ("pigeon", "def Pigeon(): ...", "is no subclass of tidings.channels.contract.Channel"),
        ("pigeon", "class Pigeon: ...", "is no subclass of tidings.channels.contract.Channel"),
        ("pigeon", WHOLE.replace("send", "sent"), "lacks send"),
        ("pigeon", WHOLE.replace("verified_by", "verified"), "lacks verified_by"),
        ("pigeon", WHOLE.replace(', "zh-hans": "信鸽"', ""), "a label in en, zh-hans"),
        ("pigeon", WHOLE.replace(', "zh-hans": "住处。"', ""), "has no words for loft: help.zh-hans"),
        ("pigeon", WHOLE + "    def __init__(self): raise OSError('no\\nloft')", "OSError: no loft"),
        ("dove", WHOLE, "calls itself 'pigeon'"),
        ("email", WHOLE, "which nobody may replace"),
        ("methods", WHOLE, "is none of channels, "),
        ("Pigeon Post", WHOLE, "a code is at most 30"),
        ("p" * 31, WHOLE, "a code is at most 30"),
    ],
)
def test_what_is_wrong_with_a_package_is_said_with_its_name(
    install: Install, tmp_path: Path, code: str, source: str, problem: str
) -> None:
    with pytest.raises(PlugInUnusable) as raised:
        plugged_in(install({"tidings-pigeon": (code, f"{tmp_path.name}:Pigeon", source)}), {"email"})
    assert problem in raised.value.message
    assert f'"{code}" of the package tidings-pigeon' in raised.value.message
    assert "\n" not in raised.value.message
    assert raised.value.hint.endswith("pip uninstall tidings-pigeon")


def test_two_packages_cannot_bring_one_channel(install: Install) -> None:
    both = {name: ("pigeon", f"{name}_two:Pigeon", WHOLE) for name in ("one", "two")}
    with pytest.raises(PlugInUnusable, match="of the package two cannot be used: the package one has brought"):
        plugged_in(install(both), ())


def test_no_channel_is_named_as_a_word_of_the_notification_settings() -> None:
    assert {"methods", *TOLD, *FLAT} - {"email"} == TAKEN


@pytest.mark.parametrize("command", [("check",), ("serve",), ("worker",)])
def test_every_command_ends_with_one_line_and_no_traceback(
    install: Install, tmp_path: Path, tidings: Tidings, command: tuple[str, ...]
) -> None:
    install({"tidings-pigeon": ("pigeon", "pigeon_gone:Pigeon", "import nothing_like_it")})
    ended = tidings(*command, PYTHONPATH=str(tmp_path))
    assert ended.returncode == 1
    assert ended.stderr.splitlines() == [
        'tidings: the channel "pigeon" of the package tidings-pigeon cannot be used: pigeon_gone:Pigeon cannot be loaded '
        "(ModuleNotFoundError: No module named 'nothing_like_it')",
        "         Mend that package or take it away: pip uninstall tidings-pigeon",
    ]
