"""How much of each vendor's budget is used, as this node saw it last. Accounts are few, and their keys name no secret;
addresses are not told apart."""

import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from tidings.channels.contract import Budget
from tidings.delivery.budget import Uses, room

REMEMBERED = 1_000
SHOWN = 20
"""Accounts, the fullest."""


class BudgetsSeen(Collector):
    """A budget is shown by what waits for it (`reason`) and its account; of those that single addresses have, only the
    fullest, without an account."""

    def __init__(self, name: str, text: str, *, registry: CollectorRegistry) -> None:
        self._name, self._text = name, text
        self._seen: OrderedDict[str, tuple[Budget, Uses]] = OrderedDict()
        registry.register(self)

    def saw(self, calls: Sequence[Sequence[Budget]], uses: Mapping[str, Uses]) -> None:
        for budget in (budget for budgets in calls for budget in budgets):
            self._seen[budget.key] = budget, uses.get(budget.key, {})
            self._seen.move_to_end(budget.key)
            if len(self._seen) > REMEMBERED:
                self._seen.popitem(last=False)

    def describe(self) -> Iterator[GaugeMetricFamily]:
        yield GaugeMetricFamily(self._name, self._text, labels=["budget", "account"])

    def collect(self) -> Iterator[GaugeMetricFamily]:
        accounts: dict[tuple[str, str], float] = {}
        addresses: dict[tuple[str, str], float] = {}
        for budget, uses in self._seen.values():
            ratio = 1 - room(budget, uses, time.time()) / budget.most
            of_account = budget.of == "account"
            shown = accounts if of_account else addresses
            key = budget.reason, budget.key if of_account else ""
            shown[key] = max(shown.get(key, 0.0), ratio)
        [family] = self.describe()
        fullest = sorted(accounts.items(), key=lambda each: (-each[1], each[0]))[:SHOWN]
        for labels, ratio in [*fullest, *addresses.items()]:
            family.add_metric(labels, ratio)
        yield family
