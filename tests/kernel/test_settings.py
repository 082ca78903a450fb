"""Settings that cannot be used are said so in words, before anything starts, and no secret is in them."""

import os
import stat
import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from tidings.kernel.settings import Settings, SettingsError, read_settings

KEY = "0123456789abcdef" * 2


def read(**environment: str) -> Settings:
    return read_settings({"TIDINGS_DATA_DIR": "/srv/tidings", "TIDINGS_SECRET_KEYS": KEY} | environment)


def complaint(**environment: str) -> SettingsError:
    with pytest.raises(SettingsError) as refused:
        read(**environment)
    assert refused.value.message.endswith((".", ")")) or refused.value.message.endswith("'")
    assert refused.value.hint
    return refused.value


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("postgresql://u:hush@db:abc/tidings", "has a port that is no number"),
        ("postgresql://u:hush@db:99999/tidings", "has a port that is no number"),
        ("postgresql://u:hush@db/tidings?port=0", "has a port that is no number"),
        ("postgresql://u:hush@[::1/tidings", "is not the URL of a PostgreSQL database"),
        ("postgresql://u:hush%zz@db/tidings", "is not the URL of a PostgreSQL database"),
        ("postgresql://u:hush@db/tidings?ssl=yes", "is not the URL of a PostgreSQL database"),
        ("postgresql://u:hush@db/tidings?connect_timeout=soon", "is not the URL of a PostgreSQL database"),
        ("mysql://u:hush@db/tidings", "is not the URL of a PostgreSQL database"),
        ("host=db password=hush dbname=tidings", "is not the URL of a PostgreSQL database"),
        ("hush", "is not the URL of a PostgreSQL database"),
        ("postgresql://u:hush@db", "names no database"),
        ("postgresql://u:hush@db/", "names no database"),
    ],
)
def test_a_database_url_that_cannot_be_one_is_refused_without_its_password(url: str, says: str) -> None:
    error = complaint(TIDINGS_DATABASE_URL=url)
    assert f"TIDINGS_DATABASE_URL {says}" in error.message
    assert "hush" not in str(error)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://tidings@db.example.com/tidings",
        "postgres://u:p%40ss@db:5433/tidings?sslmode=require",
        "postgresql://u@one:5432,two:5433/tidings?target_session_attrs=read-write",
        "postgresql://u@[::1]:5432/tidings",
        "postgresql://tidings@/tidings?host=/run/postgresql&port=5432",
        "postgresql://?service=tidings",
    ],
)
def test_what_libpq_understands_is_taken(url: str) -> None:
    assert read(TIDINGS_DATABASE_URL=url).database_url == url


@pytest.mark.parametrize("networks", ["nonsense", "10.0.0.1/8", "300.1.1.1", "10.0.0.0/8, x"])
def test_networks_that_are_none_are_refused(networks: str) -> None:
    assert complaint(TIDINGS_ALLOWED_NETWORKS=networks).message.startswith("TIDINGS_ALLOWED_NETWORKS: ")


@pytest.mark.parametrize("schedule", ["abc", "5,abc", "5,", ",", "0", "-5", "nan", "inf", "1e30"])
def test_a_schedule_that_is_none_is_refused(schedule: str) -> None:
    assert complaint(TIDINGS_RETRY_SCHEDULE=schedule).message == "TIDINGS_RETRY_SCHEDULE is not a list of seconds."


def test_a_schedule_may_have_spaces_and_fractions() -> None:
    assert read(TIDINGS_RETRY_SCHEDULE=" 0.5 , 30").retry_schedule == (timedelta(seconds=0.5), timedelta(seconds=30))


@pytest.mark.parametrize("url", ["nonsense", "ftp://tidings.example.com", "http://", "http://[::1", "https://h:0x50"])
def test_a_base_url_that_leads_nowhere_is_refused(url: str) -> None:
    assert "TIDINGS_BASE_URL" in complaint(TIDINGS_BASE_URL=url).message


@pytest.mark.parametrize("keys", ["short", ",", f"{KEY},short"])
def test_weak_keys_are_refused(keys: str) -> None:
    assert "shorter than 32 characters" in complaint(TIDINGS_SECRET_KEYS=keys).message


def test_a_home_that_nobody_has_is_said_so() -> None:
    assert complaint(TIDINGS_DATA_DIR="~nobody-has-this-name/x").hint == "Set TIDINGS_DATA_DIR to an absolute path."


@pytest.mark.parametrize("name", ["TIDINGS_SECRET_KEYS", "TIDINGS_ADMIN_TOKEN", "TIDINGS_ADMIN_PASSWORD"])
def test_a_secrets_file_must_hold_one(name: str, tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "good").write_text(f"{KEY}\n")
    for file, says in (("none", "cannot be read (No such file"), ("", "cannot be read (Is a directory"),
                       ("binary", "is no text"), ("empty", "is empty")):  # fmt: skip
        assert f"{name}_FILE {says}" in complaint(**{f"{name}_FILE": str(tmp_path / file)}).message
    assert KEY in repr(read(**{f"{name}_FILE": str(tmp_path / "good")}))


# the key that is made


def made(folder: Path) -> str:
    [key] = read_settings({"TIDINGS_DATA_DIR": str(folder)}).secret_keys
    return key


def test_many_who_start_at_once_make_one_key(tmp_path: Path) -> None:
    folder, keys = tmp_path / "new" / "data", list[str]()
    threads = [threading.Thread(target=lambda: keys.append(made(folder))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(keys) == 8 and len(set(keys)) == 1 and len(keys[0]) == 64
    assert [entry.name for entry in folder.iterdir()] == ["secret.key"]
    assert stat.S_IMODE((folder / "secret.key").stat().st_mode) == 0o600


def test_a_key_that_is_damaged_is_never_taken(tmp_path: Path) -> None:
    (tmp_path / "secret.key").write_text("")
    with pytest.raises(SettingsError, match="is damaged"):
        made(tmp_path)


def test_a_folder_that_cannot_be_used_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="cannot be used"):
        made(tmp_path / "file")


# as an operator meets it


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TIDINGS_DATABASE_URL", "postgresql://u@h:abc/d"),
        ("TIDINGS_ALLOWED_NETWORKS", "nonsense"),
        ("TIDINGS_RETRY_SCHEDULE", "abc"),
        ("TIDINGS_SECRET_KEYS_FILE", "/nowhere/at/all"),
    ],
)
@pytest.mark.parametrize("command", ["check", "serve"])
def test_every_command_says_it_in_two_lines_and_exits_with_2(name: str, value: str, command: str) -> None:
    environment = {**os.environ, "TIDINGS_SECRET_KEYS": KEY, name: value}
    line = [sys.executable, "-m", "tidings.cli.main", command]
    done = subprocess.run(line, env=environment, capture_output=True, text=True, timeout=30)
    assert done.returncode == 2
    first, second = done.stderr.splitlines()
    assert first.startswith("tidings: ") and name in first
    assert second.startswith("         ")


def test_logs_have_a_level_and_a_form() -> None:
    assert (read().log_level, read().log_format) == ("info", "text")
    assert read(TIDINGS_LOG_LEVEL="DEBUG", TIDINGS_LOG_FORMAT="json").log_level == "debug"
    assert "TIDINGS_LOG_LEVEL is none of info, debug, warning, error." in complaint(TIDINGS_LOG_LEVEL="loud").message
    assert "TIDINGS_LOG_FORMAT is none of text, json." in complaint(TIDINGS_LOG_FORMAT="xml").message
