"""Files handed in by the API, as far as a test wants them to go."""

from dataclasses import dataclass
from typing import Any

from tests.conftest import Answer


@dataclass
class Handed:
    """`told` is the import as it stands."""

    client: Any
    told: dict[str, Any]

    def go_on(self) -> "Handed":
        """To the end of whatever is under way."""
        while self.told["state"] in ("checking", "applying"):
            done = self.told["done"]
            self.told = self.client.post(f"/imports/{self.told['id']}/continue").body
            assert self.told["done"] > done
        return self

    def act(self, what: str) -> "Handed":
        answer = self.client.post(f"/imports/{self.told['id']}/{what}")
        assert answer.status == 200, answer.body
        self.told = answer.body
        return self.go_on()

    def rows(self, **filters: Any) -> dict[str, dict[str, Any]]:
        items = self.client.get(f"/imports/{self.told['id']}/rows", limit=200, **filters).body["items"]
        return {each["key"]: each for each in items}

    def fates(self) -> dict[str, str]:
        return {key: row["fate"] for key, row in self.rows().items()}

    def why(self, key: str) -> str:
        return " ".join(f"{each['field']} {each['problem']}" for each in self.rows()[key]["problems"])


def hand_in(client: Any, content: str | bytes, kind: str = "people") -> Handed:
    """Checked."""
    answer = post(client, content, kind)
    assert answer.status == 201, answer.body
    return Handed(client, answer.body).go_on()


def post(client: Any, content: str | bytes, kind: str = "people") -> Answer:
    body = content if isinstance(content, bytes) else content.encode()
    answer: Answer = client.send("POST", f"/imports?kind={kind}&name=file.csv", body)
    return answer
