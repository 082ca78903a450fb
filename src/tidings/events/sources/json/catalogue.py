"""What every organisation's catalogue has is known without a mapping: by its codes, and by its names."""

from collections.abc import Mapping

from tidings.catalog.features import SYSTEM_FEATURE, built_in
from tidings.events.sources.mapping import WordMap, row_of

PARTS = ("what", "status")


def words_of_the_catalogue() -> WordMap:
    rows = [
        row_of(PARTS, {"what": _said(one.feature, one.feature_labels), "status": _said(one.code, one.labels)}, one.code)
        for one in built_in().event_types.values()
        if one.feature != SYSTEM_FEATURE
    ]
    return WordMap(PARTS, tuple(rows))


def _said(code: str, labels: Mapping[str, str]) -> list[str]:
    return [code.rpartition(".")[2], *labels.values()]
