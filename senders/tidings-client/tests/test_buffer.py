"""`Buffered`: what it was given arrives, whatever happens to Tidings, to the network or to the process."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tidings_client import Buffered, Client, Event, Subject
from tidings_client.buffered import ASIDE_AFTER
from tidings_client.keep import Keep

AWAY = "http://127.0.0.1:9"
ONE_WRITER = """
import sys
from tidings_client import Buffered, Client, Event, Subject
buffered = Buffered(Client(sys.argv[1], "t", timeout=2), sys.argv[2])
for number in range(int(sys.argv[4])):
    kept = buffered.send(Event("a.b", Subject("ticket", "1"), id=f"{sys.argv[3]}{number}"))
    print(f"{sys.argv[3]}{number}" if kept else "full", flush=True)
"""


def event(key: str) -> Event:
    return Event("data_change.approved", Subject("ticket", "1"), id=key)


def keys(count: int, name: str = "e") -> list[str]:
    return [f"{name}{number}" for number in range(count)]


@contextmanager
def unraisable() -> Iterator[list[str]]:
    """What is raised where nobody can catch it, as before a fork."""
    raised: list[str] = []
    before, sys.unraisablehook = sys.unraisablehook, lambda each: raised.append(repr(each.exc_value))
    try:
        yield raised
    finally:
        sys.unraisablehook = before


def until(true: Any, within: float = 20.0) -> None:
    ends = time.monotonic() + within
    while not true():
        assert time.monotonic() < ends, "it did not come"
        time.sleep(0.02)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "below" / "buffer.sqlite"


# what it is for


def test_what_was_sent_while_tidings_was_away_arrives_in_order_when_it_is_back(node: Any, path: Path) -> None:
    name, token = node.source()
    with Buffered(Client(node.url, token), path) as buffered:
        with node.away():
            begun = time.monotonic()
            assert [buffered.send(event(key)) for key in keys(50)] == [True] * 50
            assert time.monotonic() - begun < 5
            assert buffered.push("dms", {"messageEvent": {"event": "?", "taskId": "1"}})
            assert buffered.flush(0.1) == 51
        assert buffered.flush(30) == 0
        assert [one["source_id"] for one in node.events(name, 50)] == keys(50)
        assert len(node.call("GET", f"/sources/{name}/parked")["items"]) == 1
        assert (buffered.refused(), buffered.lost()) == ([], 0)


def test_events_and_payloads_arrive_in_the_order_in_which_they_were_given(server: Any, path: Path) -> None:
    with Buffered(Client(server.url, "t", secret="key"), path) as buffered:
        server.script = ["silent"]
        buffered.send(event("first"))
        until(lambda: server.requests)
        for key in ("a", "b"):
            buffered.send(event(key))
        buffered.push("dagster", {"run": 1})
        buffered.send(event("c"))
        server.script = ["accept"]
        server._over.set()
        assert buffered.flush(20) == 0
    paths = [request.path.removeprefix("/api/v1") for request in server.requests[1:]]
    assert paths == ["/events/batch", "/sources/dagster", "/events"]
    assert server.ids == ["first", "a", "b", "c"]
    assert server.requests[2].headers["webhook-signature"].startswith("v1,")


def test_it_is_durable_within_milliseconds_and_never_waits_for_the_network(server: Any, path: Path) -> None:
    server.script = ["silent"]
    with Buffered(Client(server.url, "t"), path) as buffered:
        took = []
        for key in keys(100):
            begun = time.perf_counter()
            buffered.send(event(key))
            took.append(time.perf_counter() - begun)
        assert sorted(took)[50] < 0.05
        assert sorted(took)[95] < 0.5


# refused, full


def test_a_refused_event_goes_aside_with_its_reason_and_the_others_go_on(
    server: Any, says: Any, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server.refuses = {"e3": "event_id_reused"}
    server.script = [says.problem(422, "invalid_event"), says.problem(503, "unavailable"), "accept"]
    with Buffered(Client(server.url, "t"), path) as buffered:
        buffered.send(event("alone"))
        until(lambda: len(server.requests) > 1 or buffered.refused())
        for key in keys(6):
            buffered.send(event(key))
        assert buffered.flush(20) == 0
        alone, third = buffered.refused()
        assert (alone.content["id"], alone.status, alone.code, alone.detail) == (
            "alone", 422, "invalid_event", "because invalid_event",
        )  # fmt: skip
        assert (third.content["id"], third.code) == ("e3", "event_id_reused")
        assert [key for key in server.ids if key != "alone"] == ["e0", "e1", "e2", "e4", "e5"]
        assert "because event_id_reused" in caplog.text
        server.refuses = {}
        assert buffered.retry_refused() == 2
        assert buffered.flush(20) == 0
        assert set(server.ids) == {*keys(6), "alone"}
        assert buffered.refused() == []


def test_when_all_of_a_batch_is_refused_they_go_one_by_one(server: Any, says: Any, path: Path) -> None:
    with Buffered(Client(AWAY, "t"), path) as buffered:
        for key in keys(3):
            buffered.send(event(key))
    server.script = [says.problem(422, "malformed_json"), "accept"]
    with Buffered(Client(server.url, "t"), path) as buffered:
        assert buffered.flush(20) == 0
    assert server.ids == keys(3)


@pytest.mark.parametrize(
    "said",
    [
        (401, "token_revoked"),
        (401, "signature_refused"),
        (403, "forbidden"),
        (404, ""),
        (301, ""),
        (200, "not ours"),
        (502, ""),
    ],
)
def test_what_a_new_token_or_address_would_cure_waits_for_it(
    server: Any, says: Any, path: Path, said: Any, caplog: pytest.LogCaptureFixture
) -> None:
    status, code = said
    server.script = [says.problem(status, code) if code else says.answer(status, b"<html>")]
    with Buffered(Client(server.url, "t"), path) as buffered:
        buffered.send(event("e0"))
        buffered.send(event("e1"))
        until(lambda: len(server.requests) >= 2)
        assert buffered.flush(0) == 2
        assert len([each for each in caplog.records if each.levelno == logging.WARNING]) == 1
        server.script = ["accept"]
        assert buffered.flush(20) == 0
        assert buffered.refused() == []
    assert server.ids == keys(2)


@pytest.mark.parametrize(("status", "code"), [(429, "parked_full"), (500, "internal_error")])
def test_one_that_tidings_cannot_take_does_not_keep_back_those_behind_it(
    server: Any, says: Any, path: Path, status: int, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ASIDE_AFTER, "internal_error", 0.0)
    with Buffered(Client(AWAY, "t"), path) as buffered:
        buffered.push("airflow", {"never": "taken"})
        for key in keys(3):
            buffered.send(event(key))
    server.script = [says.problem(status, code, Retry_After="600"), "accept"]
    with Buffered(Client(server.url, "t"), path) as buffered:
        assert buffered.flush(20) == 0
        [aside] = buffered.refused()
        assert (aside.adapter, aside.content, aside.code) == ("airflow", {"never": "taken"}, code)
        assert buffered.retry_refused() == 1
        assert buffered.flush(20) == 0
    assert server.ids == keys(3)


def test_of_a_batch_that_tidings_fails_at_only_the_one_to_blame_goes_aside_and_not_at_once(
    server: Any, says: Any, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Buffered(Client(AWAY, "t"), path) as buffered:
        for key in keys(3):
            buffered.send(event(key))
    # Each try is the batch, then its first.
    server.script = [*[says.problem(500, "internal_error")] * 4, "accept"]
    with Buffered(Client(server.url, "t"), path) as buffered:
        until(lambda: len(server.requests) >= 2)
        assert buffered.refused() == []
        monkeypatch.setitem(ASIDE_AFTER, "internal_error", 0.0)
        assert buffered.flush(20) == 0
        assert [each.content["id"] for each in buffered.refused()] == ["e0"]
    assert server.ids == ["e1", "e2"]


def test_who_waits_for_a_flush_does_not_rush_what_is_in_trouble(server: Any, says: Any, path: Path) -> None:
    server.script = [says.answer(502, b"<html>")]
    with Buffered(Client(server.url, "t"), path) as buffered:
        buffered.send(event("e0"))
        assert buffered.flush(2) == 1
        assert len(server.requests) <= 6


def test_a_full_buffer_says_so_and_keeps_the_older(server: Any, path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with Buffered(Client(AWAY, "t"), path, at_most=3) as buffered:
        assert [buffered.send(event(key)) for key in keys(5)] == [True, True, True, False, False]
        assert buffered.lost() == 2
        assert [each.levelname for each in caplog.records if "is full" in each.message] == ["ERROR"]
    with Buffered(Client(server.url, "t"), path, at_most=3) as buffered:
        assert buffered.flush(20) == 0
        assert buffered.send(event("later"))
        assert buffered.flush(20) == 0
        assert buffered.lost() == 2
    assert server.ids == ["e0", "e1", "e2", "later"]


# pauses


def test_a_pause_that_tidings_asked_for_is_kept_even_by_flush(server: Any, says: Any, path: Path) -> None:
    server.script = [says.problem(429, "too_many_events", Retry_After="1"), "accept"]
    with Buffered(Client(server.url, "t"), path) as buffered:
        buffered.send(event("e0"))
        assert buffered.flush(10) == 0
    first, second = server.requests[0], server.requests[1]
    assert second.at - first.at >= 1


def test_it_ends_quickly_when_tidings_is_away_or_says_nothing(server: Any, path: Path) -> None:
    server.script = ["silent"]
    buffered = Buffered(Client(server.url, "t", timeout=1), path)
    buffered.send(event("e0"))
    begun = time.monotonic()
    assert buffered.close(linger=0.3) == 1
    assert time.monotonic() - begun < 1
    assert buffered.send(event("e1"))
    away = Buffered(Client(AWAY, "t"), path)
    until(lambda: away._away)
    begun = time.monotonic()
    assert away.close() == 2
    assert time.monotonic() - begun < 0.5


def test_a_process_that_ends_at_once_still_sends_what_it_can(server: Any, path: Path) -> None:
    command = [sys.executable, "-c", ONE_WRITER, server.url, str(path), "e", "1"]
    subprocess.run(command, check=True, timeout=20, stdout=subprocess.DEVNULL)
    assert server.ids == ["e0"]
    begun = time.monotonic()
    subprocess.run([*command[:3], AWAY, *command[4:]], check=True, timeout=20, stdout=subprocess.DEVNULL)
    assert time.monotonic() - begun < 4


# crashes, processes, forks


def test_what_a_killed_process_was_told_is_kept_arrives(server: Any, path: Path) -> None:
    """kill -9 in the middle of writing and of sending; the next process delivers what is left, with the same ids."""
    told: list[str] = []
    for round_ in range(4):
        command = [sys.executable, "-c", ONE_WRITER, server.url, str(path), f"k{round_}-", "100000"]
        writer = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert writer.stdout
        told += [writer.stdout.readline().strip() for _ in range(40 + 25 * round_)]
        writer.send_signal(signal.SIGKILL)
        told += [line.strip() for line in writer.stdout if line.endswith("\n")]
        writer.wait()
    with Buffered(Client(server.url, "t"), path) as buffered:
        assert buffered.flush(30) == 0
    assert set(told) <= set(server.ids)
    for round_ in range(4):
        numbers = [int(key.split("-")[1]) for key in server.ids if key.startswith(f"k{round_}-")]
        assert numbers == sorted(numbers) == list(range(len(numbers)))


def test_a_crash_between_sending_and_forgetting_repeats_with_the_same_id(server: Any, path: Path) -> None:
    server.script = [("drip", b"HTTP/1.1 202 " + b"x" * 200)]
    command = [sys.executable, "-c", ONE_WRITER + "\nimport time; time.sleep(60)", server.url, str(path), "e", "1"]
    sender = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    until(lambda: server.requests)
    sender.kill()
    sender.wait()
    server.script = ["accept"]
    with Buffered(Client(server.url, "t"), path) as buffered:
        assert buffered.flush(20) == 0
    assert [request.json["id"] for request in server.requests] == ["e0", "e0"]
    assert server.requests[0].body == server.requests[1].body


def test_several_processes_share_a_file_and_each_of_them_keeps_its_order(server: Any, path: Path) -> None:
    commands = [[sys.executable, "-c", ONE_WRITER, server.url, str(path), f"{name}-", "60"] for name in "abcd"]
    writers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for command in commands]
    for writer in writers:
        out, _ = writer.communicate(timeout=60)
        assert writer.returncode == 0
        assert "full" not in out
    with Buffered(Client(server.url, "t"), path) as buffered:
        assert buffered.flush(30) == 0
    assert len(server.ids) == 240
    assert set(server.known.values()) == {1}
    for name in "abcd":
        numbers = [int(key.split("-")[1]) for key in server.ids if key.startswith(f"{name}-")]
        assert numbers == list(range(60))


def test_one_process_delivers_what_another_left(server: Any, path: Path) -> None:
    with Buffered(Client(server.url, "t"), path) as buffered:
        buffered.send(event("mine"))
        assert buffered.flush(20) == 0
        subprocess.run(
            [sys.executable, "-c", ONE_WRITER + "\nimport os; os._exit(0)", AWAY, str(path), "left", "1"],
            check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        until(lambda: "left0" in server.ids)


def test_one_that_never_sends_anything_delivers_what_others_will_leave(server: Any, path: Path) -> None:
    with Buffered(Client(server.url, "t"), path) as buffered:
        buffered.deliver()
        subprocess.run(
            [sys.executable, "-c", ONE_WRITER + "\nimport os; os._exit(0)", AWAY, str(path), "left", "1"],
            check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        until(lambda: "left0" in server.ids)


def _in_child(buffered: Buffered, name: str, count: int) -> None:
    for key in keys(count, name):
        buffered.send(event(key))
    os._exit(0 if buffered.flush(20) == 0 else 1)


def test_forks_share_it_with_their_parent_while_all_of_them_send(server: Any, path: Path) -> None:
    """As schedulers fork: from a process with threads, in the middle of whatever these do."""
    with Buffered(Client(server.url, "t"), path) as buffered:
        over = threading.Event()
        sent: list[str] = []

        def keep_sending() -> None:
            while not over.wait(0.002):
                sent.append(f"p{len(sent)}")
                buffered.send(event(sent[-1]))

        thread = threading.Thread(target=keep_sending)
        thread.start()
        try:
            children = []
            for name in "xyzw":
                child = multiprocessing.get_context("fork").Process(target=_in_child, args=(buffered, name, 20))
                child.start()
                children.append(child)
                time.sleep(0.05)
        finally:
            over.set()
            thread.join()
        for child in children:
            child.join(60)
            assert child.exitcode == 0
        assert buffered.flush(30) == 0
    assert set(server.ids) == {*sent, *(key for name in "xyzw" for key in keys(20, name))}
    for name in "xyzwp":
        numbers = [int(key[1:]) for key in server.ids if key[0] == name]
        assert numbers == list(range(len(numbers)))
    assert sqlite3.connect(path).execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_a_child_that_outlives_its_parent_does_not_keep_others_from_delivering(server: Any, path: Path) -> None:
    server.script = ["silent"]
    buffered = Buffered(Client(server.url, "t", timeout=30), path)
    buffered.send(event("e0"))
    until(lambda: server.requests)
    child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(30,))
    child.start()
    try:
        server.script = ["accept"]
        server._over.set()  # the call in flight ends without an answer
        with Buffered(Client(server.url, "t"), path) as other:
            buffered.close(linger=0)
            assert other.flush(20) == 0
    finally:
        child.kill()
        child.join()


def test_forks_while_other_threads_begin_and_drop_buffers(tmp_path: Path) -> None:
    over = threading.Event()
    kept = [Buffered(Client(AWAY, "t"), tmp_path / "kept") for _ in range(200)]

    def keep_beginning(name: str) -> None:
        client = Client(AWAY, "t")
        while not over.is_set():
            some = [Buffered(client, tmp_path / name) for _ in range(50)]
            del some

    threads = [threading.Thread(target=keep_beginning, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    often, _ = sys.getswitchinterval(), sys.setswitchinterval(1e-6)
    try:
        with warnings.catch_warnings(), unraisable() as raised:
            warnings.simplefilter("ignore", DeprecationWarning)
            for _ in range(100):
                child = os.fork()
                if not child:
                    os._exit(0)
                os.waitpid(child, 0)
    finally:
        sys.setswitchinterval(often)
        over.set()
        for thread in threads:
            thread.join()
    assert raised == []
    assert {each.flush(0) for each in kept} == {0}


# the file


def test_the_file_is_its_owners_alone_and_durable(path: Path) -> None:
    with Buffered(Client(AWAY, "t", secret="a secret of mine"), path) as buffered:
        buffered.push("dagster", {"a": 1})
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert sqlite3.connect(path).execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert buffered._keep._live().execute("PRAGMA synchronous").fetchone() == (2,)
    assert b"a secret of mine" not in path.read_bytes()


def test_a_file_that_was_made_before_becomes_its_owners_alone(path: Path) -> None:
    path.parent.mkdir()
    path.touch(0o644)
    path.chmod(0o644)
    with Buffered(Client(AWAY, "t"), path) as buffered:
        buffered.send(event("e0"))
        kept = [each for each in path.parent.iterdir() if each.name.startswith(path.name)]
        assert {stat.S_IMODE(each.stat().st_mode) for each in kept} == {0o600}
        assert len(kept) >= 3


def test_a_disk_that_keeps_nothing_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("this is no database, and long enough to be asked whether it is one")
    with pytest.raises(sqlite3.DatabaseError):
        Buffered(Client(AWAY, "t"), tmp_path / "file")
    with pytest.raises(OSError):
        Buffered(Client(AWAY, "t"), tmp_path / "file" / "below")


def _damage(path: Path) -> None:
    """All but its first page, so that it is still a database."""
    sqlite3.connect(path).execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(path.stat().st_size - 4096))


def _broken(path: Path) -> list[Path]:
    return sorted(each for each in path.parent.glob(f"{path.name}.broken-*") if each.suffix[-1] == "Z")


def test_a_damaged_file_is_moved_aside_and_a_new_one_is_begun(
    server: Any, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Buffered(Client(AWAY, "t"), path) as buffered:
        for key in keys(100):
            buffered.send(event(key))
    _damage(path)
    with Buffered(Client(server.url, "t"), path) as buffered:
        assert buffered.send(event("after"))
        assert buffered.flush(20) == 0
        [broken] = _broken(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert server.ids == ["after"]
    [said] = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert f"{path} is damaged (database disk image is malformed): it is now {broken}" in said


def test_processes_that_share_a_damaged_file_share_the_new_one(server: Any, path: Path) -> None:
    with Buffered(Client(AWAY, "t"), path) as one, Buffered(Client(AWAY, "t"), path) as other:
        for key in keys(100):
            one.send(event(key))
        _damage(path)
        one._keep.close()
        other._keep.close()
        assert one.send(event("of one"))
        assert other.send(event("of other"))
        assert (one.flush(0), other.flush(0)) == (2, 2)
        assert len(_broken(path)) == 1


def test_what_was_read_from_a_damaged_file_takes_nothing_out_of_the_new_one(path: Path) -> None:
    one, other = Keep(path), Keep(path)
    for number in range(100):
        one.add("", {}, str(number).encode(), 1000)
    being_sent = one.first(100, 10_000)
    one.close()
    _damage(path)
    for number in range(100):
        other.add("", {}, f"new {number}".encode(), 1000)
    one.settle(being_sent, [])
    assert one.waiting() == len(one.first(100, 10_000)) == 100
    one.close()
    other.close()


def test_whoever_sends_waits_two_seconds_at_most_for_another_process_and_nothing_is_lost(
    server: Any, path: Path
) -> None:
    """Not even when the thread waits for it too, to note what it has sent."""
    with Buffered(Client(server.url, "t"), path) as buffered:
        server.script = [("drip", b"HTTP/1.1 ")]
        buffered.send(event("e0"))
        until(lambda: server.requests)
        server.script = ["accept"]
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        until(lambda: server.ids == ["e0"])
        time.sleep(0.2)
        for key in ("e1", "e2"):
            begun = time.monotonic()
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                buffered.send(event(key))
            assert time.monotonic() - begun < 2.5
        other.execute("ROLLBACK")
        other.close()
        assert buffered.send(event("e3"))
        assert buffered.flush(20) == 0
    assert server.ids == ["e0", "e3"]


def test_who_begins_waits_no_longer_either(path: Path) -> None:
    path.parent.mkdir()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    begun = time.monotonic()
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        Buffered(Client(AWAY, "t"), path)
    assert time.monotonic() - begun < 2.5
    other.close()


def test_it_can_be_set_up_from_the_environment(server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="TIDINGS_URL is not set"):
        Buffered.from_environment()
    monkeypatch.setenv("TIDINGS_URL", server.url)
    with pytest.raises(ValueError, match="A token of a source is missing"):
        Buffered.from_environment()
    (tmp_path / "token").write_text("one\n")
    monkeypatch.setenv("TIDINGS_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with Buffered.from_environment() as buffered:
        assert buffered.path == tmp_path / "tidings" / "buffer.sqlite"
        buffered.send(event("e0"))
        assert buffered.flush(20) == 0
        (tmp_path / "token").write_text("two\n")
        buffered.send(event("e1"))
        assert buffered.flush(20) == 0
    assert [request.headers["authorization"] for request in server.requests] == ["Bearer one", "Bearer two"]
    monkeypatch.setenv("TIDINGS_BUFFER", str(tmp_path / "mine"))
    with Buffered.from_environment() as buffered:
        assert buffered.path == tmp_path / "mine"
