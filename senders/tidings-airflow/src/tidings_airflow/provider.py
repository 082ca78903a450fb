"""What Airflow finds by the entry point `apache_airflow_provider`: how this is configured, so that it lists the
options, masks the token, and understands `token_cmd` and `token_secret`."""

from __future__ import annotations

from typing import Any


def provider_info() -> dict[str, Any]:
    return {
        "package-name": "tidings-airflow",
        "name": "Tidings",
        "description": "Tells Tidings how DAG runs end, which tasks failed and which deadlines were missed.",
        "notifications": ["tidings_airflow.notifier.TidingsNotifier"],
        "config": {
            "tidings": {
                "description": "Where Tidings is, and what it is told. Without url it is told nothing.",
                "options": {
                    "url": _option(
                        "Tidings' address; or the whole one that the page of a source shows, token included.",
                        example="https://tidings.example.com",
                    ),
                    "token": _option("The token of the source.", sensitive=True),
                    "buffer": _option(
                        "The file in which what cannot be sent waits; shared by Airflow's processes of one machine. "
                        "Default: tidings/buffer.sqlite in AIRFLOW_HOME."
                    ),
                    "at_most": _option("How many may wait there.", "integer", "10000"),
                    "dags": _option(
                        "Whose runs are told: patterns of dag ids. With ! before it: whose are not. Empty: none, only "
                        "notifiers send.",
                        default="*",
                        example="dwh_*, !dwh_test_*",
                    ),
                    "patience": _option(
                        "Seconds that a callback or a deadline's notifier waits until it is sent, at most.",
                        "float",
                        "2",
                    ),
                    "errors": _option(
                        "Whether a failed task leaves a line of its error in the XCom tidings_error, for the message "
                        "about its run.",
                        "boolean",
                        "True",
                    ),
                },
            }
        },
    }


def _option(
    description: str,
    kind: str = "string",
    default: str | None = None,
    *,
    example: str | None = None,
    sensitive: bool = False,
) -> dict[str, Any]:
    return {
        "description": description,
        "version_added": "0.1.0",
        "type": kind,
        "default": default,
        "example": example,
        "sensitive": sensitive,
    }
