"""Evaluate a JMESPath expression within a budget, because whoever writes it need not be whoever runs the node.

The language has no loops, no assignment and no way to Python; what it has are projections within projections and
references: `[@, @] | [@, @] | ...` doubles with every step what an encoder would write. So every step is counted, and
of every value that is made the size is known as if it were written out: that of its parts, which are known already.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import msgspec
from jmespath.functions import Functions, signature
from jmespath.visitor import Options, TreeInterpreter

if TYPE_CHECKING:
    from jmespath.visitor import _TreeNode

STEPS = 25_000
"""For all expressions over one body: a full description of an event takes a hundred. Measured, the worst that anybody
came up with keeps a node's loop for some twentieth of a second."""
SIZE = 512 * 1024
"""Of one value, in characters: twice the largest body."""
SCALAR = 4
DEPTH = 100
READ_AT_ONCE = 16
"""Characters that a function reads in the time of one step; what is made of a result takes half as long."""
LISTED_AT_ONCE = 4
_MAKES = frozenset(
    {
        "filter_projection",
        "flatten",
        "function_expression",
        "multi_select_dict",
        "multi_select_list",
        "projection",
        "slice",
        "value_projection",
    }
)


class TooMuch(Exception):
    """The budget is spent; the text says of what."""


class Budget:
    """For all expressions over one body, which lives as long as this does."""

    __slots__ = ("_known", "_left")

    def __init__(self) -> None:
        self._left = STEPS
        # With the value itself, so that no other can take its place in memory.
        self._known: dict[int, tuple[int, int, Any]] = {}

    def spend(self, steps: int) -> None:
        self._left -= steps
        if self._left < 0:
            raise TooMuch(f"all expressions together take more than {STEPS:,} steps for this body")

    def read(self, value: Any) -> None:
        """For whatever looks at all of a value."""
        self.spend(self.size(value) // READ_AT_ONCE)

    def take(self, value: Any) -> None:
        """For a result, which is checked and written: what is one value in a body may be in each of its events."""
        self.spend(self.size(value) // (2 * READ_AT_ONCE))

    def size(self, value: Any) -> int:
        return self._measured(value, 0)[0]

    def allow(self, size: int) -> None:
        """Before something is made that large."""
        if size > SIZE:
            raise TooMuch(f"the value becomes larger than {SIZE // 1024} KiB")

    def _measured(self, value: Any, within: int) -> tuple[int, int]:
        """Size and depth."""
        if isinstance(value, str):
            return 1 + len(value), 0
        if not isinstance(value, list | dict):
            return SCALAR, 0
        known = self._known.get(id(value))
        if known is None:
            self.spend(1 + len(value) // LISTED_AT_ONCE)
            size, depth = 2, 0
            for each in value.values() if isinstance(value, dict) else value:
                inner_size, inner_depth = self._measured(each, within + 1)
                size, depth = size + inner_size, max(depth, inner_depth)
                self.allow(size)
                if within + depth >= DEPTH:
                    raise TooMuch(f"the value is nested more than {DEPTH} levels deep")
            if isinstance(value, dict):
                size += sum(map(len, value))
            self.allow(size)
            known = self._known[id(value)] = size, depth + 1, value
        return known[0], known[1]


class Interpreter(TreeInterpreter):
    """Raises `TooMuch`, jmespath's errors, and whatever Python has to say about values that do not go together."""

    def __init__(self, budget: Budget) -> None:
        super().__init__(Options(custom_functions=_Functions(budget)))
        self._budget = budget

    def visit(self, node: "_TreeNode", *args: Any, **kwargs: Any) -> Any:
        self._budget.spend(1)
        result = super().visit(node, *args, **kwargs)
        if node["type"] in _MAKES:
            self._budget.size(result)
        return result

    def visit_comparator(self, node: "_TreeNode", value: Any) -> Any:
        sides = [self.visit(child, value) for child in node["children"]]
        for side in sides:
            self._budget.read(side)
        known: list[_TreeNode] = [{"type": "literal", "value": side, "children": []} for side in sides]
        return super().visit_comparator({"type": "comparator", "value": node["value"], "children": known}, value)


class _Functions(Functions):
    """Those of the specification, and five that payloads need: named as in its community's proposals where these have
    them."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget

    def call_function(self, function_name: str, resolved_args: Iterable[Any]) -> Any:
        arguments = list(resolved_args)
        for each in arguments:
            self._budget.read(each)
        return super().call_function(function_name, arguments)

    @signature({"types": ["string"]}, {"types": ["array-string"]})
    def _func_join(self, separator: str, texts: list[str]) -> str:
        self._budget.allow(len(separator) * len(texts) + sum(map(len, texts)))
        return separator.join(texts)

    @signature({"types": ["string", "number", "boolean", "array", "object", "null"]})
    def _func_to_string(self, value: Any) -> str:
        return value if isinstance(value, str) else msgspec.json.encode(value).decode()

    @signature({"types": ["string"]}, {"types": ["string"]})
    def _func_split(self, text: str, separator: str) -> list[str]:
        return text.split(separator)

    @signature({"types": ["string"]}, {"types": ["string"]}, {"types": ["string"]})
    def _func_replace(self, text: str, old: str, new: str) -> str:
        self._budget.allow(len(text) + text.count(old) * len(new))
        return text.replace(old, new)

    @signature({"types": ["string"]})
    def _func_lower(self, text: str) -> str:
        return text.lower()

    @signature({"types": ["string"]})
    def _func_trim(self, text: str) -> str:
        return text.strip()

    @signature({"types": ["string"]})
    def _func_parse_json(self, text: str) -> Any:
        """For systems that send JSON as a text within JSON."""
        return msgspec.json.decode(text)


FUNCTIONS: dict[str, Any] = _Functions.FUNCTION_TABLE
"""By name; with `signature`, what each takes."""
