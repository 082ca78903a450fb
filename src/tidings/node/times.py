"""How long things take, for `/metrics`: a histogram that costs the hot path one append an observation."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from math import fsum

from prometheus_client import CollectorRegistry
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60)


class Times(Collector):
    """By the values of one label, or of none (`label` is empty: then observe without a value). What is observed waits
    in a list until somebody looks or `fold` is called; whoever observes sees to it that one of both happens."""

    def __init__(
        self, name: str, text: str, label: str = "", *, bounds: Sequence[float] = SECONDS, registry: CollectorRegistry
    ) -> None:
        self._name, self._text, self._label, self._bounds = name, text, label, bounds
        self._fresh: dict[str, list[float]] = defaultdict(list)
        self._counts: dict[str, list[int]] = {} if label else {"": [0] * (len(bounds) + 1)}
        self._sums: dict[str, float] = defaultdict(float)
        registry.register(self)

    def observe(self, value: float, of: str = "") -> None:
        self._fresh[of].append(value)

    def observe_all(self, values: Sequence[float], of: str = "") -> None:
        self._fresh[of] += values

    def fold(self) -> None:
        """Sort what waits into its buckets."""
        fresh, self._fresh = self._fresh, defaultdict(list)
        for of, values in fresh.items():
            values.sort()
            counts = self._counts.setdefault(of, [0] * (len(self._bounds) + 1))
            done = 0
            for place, bound in enumerate(self._bounds):
                until = bisect_right(values, bound, lo=done)
                counts[place] += until - done
                done = until
            counts[-1] += len(values) - done
            self._sums[of] += fsum(values)

    def describe(self) -> Iterator[HistogramMetricFamily]:
        yield HistogramMetricFamily(self._name, self._text, labels=[self._label] if self._label else [])

    def collect(self) -> Iterator[HistogramMetricFamily]:
        self.fold()
        [family] = self.describe()
        for of, counts in self._counts.items():
            so_far, buckets = 0, list[tuple[str, float]]()
            for bound, count in zip([*map(str, map(float, self._bounds)), "+Inf"], counts, strict=True):
                so_far += count
                buckets.append((bound, so_far))
            family.add_metric([of] if self._label else [], buckets, sum_value=self._sums[of])
        yield family
