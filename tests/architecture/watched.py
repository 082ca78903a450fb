"""What `/metrics` can show, by name: for those who check what is written about it."""

from dataclasses import dataclass
from typing import Any

from prometheus_client import CollectorRegistry


@dataclass(frozen=True)
class Shown:
    kind: str
    labels: frozenset[str]


def shown(registry: CollectorRegistry) -> dict[str, Shown]:
    """By the name that stands in a query; a histogram's without `_bucket`, `_sum` and `_count`."""
    found: dict[str, Shown] = {}
    collectors: list[Any] = list(registry._collector_to_names)
    for collector in collectors:
        for family in collector.collect():
            labels = getattr(family, "_labelnames", ()) or getattr(collector, "_labelnames", ())
            name, kind = family.name, family.type
            if kind == "info":
                name, kind, labels = f"{name}_info", "gauge", family.samples[0].labels
            found[f"{name}_total" if kind == "counter" else name] = Shown(kind, frozenset(labels))
    return found
