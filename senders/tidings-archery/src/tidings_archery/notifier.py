"""What Archery calls when a ticket has changed.

https://github.com/hhyo/Archery/blob/master/sql/notify.py (Notifier, auto_notify)
"""

from typing import Any

from sql.notify import My2SqlResult, Notifier

from tidings_archery.describe import described
from tidings_archery.send import send


class TidingsNotifier(Notifier):  # type: ignore[misc]  # Archery says nothing of its types
    """Archery makes one for each change, with the ticket and its audit; what it raises is written to Archery's log, and
    the other notifiers go on."""

    name: str = "tidings"
    # Set by the environment, see `send.py`: Archery's page of settings has a fixed list of fields.
    sys_config_key: str = ""
    payload: dict[str, Any]

    def should_run(self) -> bool:
        """What My2SQL has parsed is no ticket."""
        return not isinstance(self.workflow, My2SqlResult)

    def render(self) -> None:
        self.payload = described(self.workflow, self.audit, self.audit_detail, self.event_type, self.sys_config)

    def send(self) -> None:
        send(self.payload)
