"""The features, event types and roles that exist: 58 built-in event types of 11 features, the system's own notices, and
what a tenant adds. Pure data."""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import msgspec

from tidings.kernel.problems import Problem

Tone = Literal["action", "info", "success", "failure"]
SYSTEM_FEATURE = "tidings"


@dataclass(frozen=True, slots=True)
class Role:
    code: str
    labels: Mapping[str, str]
    meaning: str


@dataclass(frozen=True, slots=True)
class EventType:
    """`optional_roles` are those a rule may add; the default role is always told while the rule is on."""

    code: str
    feature: str
    labels: Mapping[str, str]
    feature_labels: Mapping[str, str]
    subject_kind: str
    tone: Tone
    default_role: str
    optional_roles: tuple[str, ...]

    @property
    def custom(self) -> bool:
        return self.code not in built_in().event_types


@dataclass(frozen=True, slots=True)
class Feature:
    code: str
    labels: Mapping[str, str]
    subject_kind: str
    event_types: tuple[EventType, ...]


@dataclass(frozen=True, slots=True)
class Catalog:
    roles: Mapping[str, Role]
    features: Mapping[str, Feature]
    event_types: Mapping[str, EventType]

    def with_features(self, features: Iterable[Feature]) -> "Catalog":
        """This catalogue and a tenant's own features beside it."""
        added = {feature.code: feature for feature in features}
        return Catalog(
            roles=self.roles,
            features={**self.features, **added},
            event_types={**self.event_types, **{one.code: one for each in added.values() for one in each.event_types}},
        )

    def nearest(self, unknown: str) -> list[str]:
        """Up to three known event types that look like what was asked for."""
        return difflib.get_close_matches(unknown, self.event_types, n=3, cutoff=0.5)


def unknown_type(code: str, catalog: Catalog) -> Problem:
    nearest = catalog.nearest(code)
    hint = f" Did you mean {' or '.join(nearest)}?" if nearest else " GET /api/v1/catalog lists them."
    return Problem(422, "unknown_event_type", f"There is no event type {code!r}.{hint}", nearest=nearest)


@cache
def built_in() -> Catalog:
    raw = msgspec.json.decode(files("tidings.catalog").joinpath("catalog.json").read_bytes())
    roles = {
        code: Role(code, {"en": role["en"], "zh-hans": role["zh-hans"]}, role["meaning"])
        for code, role in raw["roles"].items()
    }
    return Catalog(roles, {}, {}).with_features(read_feature(content) for content in raw["features"])


def read_feature(content: Mapping[str, Any]) -> Feature:
    """A feature from the shape it has in `catalog.json` and in the API."""
    labels = _labels(content)
    event_types = tuple(
        EventType(
            code=event["type"],
            feature=content["code"],
            labels=_labels(event),
            feature_labels=labels,
            subject_kind=content["subject"],
            tone=event["class"],
            default_role=event["default_role"],
            optional_roles=tuple(event["optional_roles"]),
        )
        for event in content["events"]
    )
    return Feature(content["code"], labels, content["subject"], event_types)


def write_feature(feature: Feature) -> dict[str, Any]:
    """The inverse of `read_feature`."""
    return {
        "code": feature.code,
        "subject": feature.subject_kind,
        **feature.labels,
        "events": [
            {
                "type": event.code,
                **event.labels,
                "class": event.tone,
                "default_role": event.default_role,
                "optional_roles": list(event.optional_roles),
            }
            for event in feature.event_types
        ],
    }


def _labels(content: Mapping[str, Any]) -> dict[str, str]:
    return {"en": content["en"], "zh-hans": content.get("zh-hans") or content["en"]}
