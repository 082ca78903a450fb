"""`python -m tidings_airflow test`: whether what is set here is what Tidings takes; `waiting`: what is still in the
buffer, and what Tidings refused."""

from __future__ import annotations

import socket
import sys

from tidings_airflow.outbox import ADAPTER, outbox
from tidings_airflow.payload import payload
from tidings_airflow.settings import Settings, settings
from tidings_client import Client, Refused, Unavailable

USAGE = "python -m tidings_airflow test | waiting"


def main(arguments: list[str]) -> int:
    try:
        found = settings()
    except (ValueError, OSError) as error:
        return _say(str(error), 2)
    if found is None:
        return _say("No url is set: neither in [tidings] (AIRFLOW__TIDINGS__URL) nor as TIDINGS_URL.", 2)
    if arguments == ["test"]:
        return _test(found)
    return _waiting(found) if arguments == ["waiting"] else _say(USAGE, 2)


def _test(found: Settings) -> int:
    said = payload("test", dag={"dag_id": ""}, dag_run={"run_id": ""}, message=f"from {socket.gethostname()}")
    try:
        pushed = Client(found.url, found.token, patience=0).push(ADAPTER, said)
    except (Refused, Unavailable, OSError) as error:
        return _say(f"Tidings did not take it: {error}", 1)
    where = f" See {pushed.parked.see}" if pushed.parked else ""
    return _say(f"Tidings at {found.url} takes what Airflow sends; the test is among what is parked there.{where}", 0)


def _waiting(found: Settings) -> int:
    box = outbox(found)
    left, refused = box.flush(found.patience), box.refused()
    for one in refused:
        _say(f"refused at {one.at:%Y-%m-%d %H:%M}: {one.status} {one.code}: {one.detail}", 1)
    return _say(f"{left} wait in {found.buffer}, {len(refused)} were refused.", 1 if left or refused else 0)


def _say(text: str, code: int) -> int:
    print(text, file=sys.stderr if code else sys.stdout)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
