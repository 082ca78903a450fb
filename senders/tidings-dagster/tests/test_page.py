"""What the page says is done."""

import re
import textwrap
from pathlib import Path
from typing import Any

from dagster import DagsterInstance, Definitions

PAGE = Path(__file__).parents[3] / "docs" / "sources" / "dagster.md"


def test_the_definitions_of_the_page_can_be_loaded_without_any_environment() -> None:
    [block] = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    names: dict[str, Any] = {}
    exec(textwrap.dedent(block), names)
    defs = names["defs"]
    assert isinstance(defs, Definitions)
    repository = defs.get_repository_def()
    assert {sensor.name for sensor in repository.sensor_defs} == {"tidings_success", "tidings_failure"}
    with DagsterInstance.ephemeral() as instance:
        assert defs.get_job_def("load_orders").execute_in_process(instance=instance).success
