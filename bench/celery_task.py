"""What Celery runs beside Tidings in `bench/peers.py`: a task an event, that posts it to the receiver.

Over a connection that is kept, so that the call costs as little as it can. Acknowledged when it is done, since
otherwise whatever a worker that is killed has in hand is lost.
"""

import os
import threading
from http.client import HTTPConnection
from urllib.parse import urlsplit

from celery import Celery

app = Celery("bench", broker=os.environ["BENCH_BROKER"])
app.conf.update(
    task_acks_late=True,
    task_ignore_result=True,
    worker_prefetch_multiplier=8,
    # Seconds after which a message of a worker that is gone is taken up again; an hour by default.
    broker_transport_options={"visibility_timeout": 10, "unacked_restore_limit": 10_000},
    broker_connection_retry_on_startup=True,
)
_kept = threading.local()
_to = urlsplit(os.environ["BENCH_WEBHOOK"])


@app.task(autoretry_for=(OSError,), max_retries=None, default_retry_delay=1)  # type: ignore[untyped-decorator]
def post(body: str) -> None:
    connection = getattr(_kept, "connection", None)
    if connection is None:
        connection = _kept.connection = HTTPConnection(_to.hostname or "", _to.port, timeout=15)
    try:
        connection.request("POST", _to.path, body, {"Content-Type": "application/json"})
        connection.getresponse().read()
    except OSError:
        connection.close()
        raise
