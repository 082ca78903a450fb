"""Sensors that tell Tidings of the runs of Dagster's jobs and assets."""

from tidings_dagster.payload import payload
from tidings_dagster.sensors import NotTold, tidings_sensors

__all__ = ["NotTold", "payload", "tidings_sensors"]
