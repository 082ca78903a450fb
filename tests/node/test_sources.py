"""Which calls a node answers for sources itself."""

from tidings.node.sources import asks_to_replay


def test_only_a_post_to_that_path_asks_to_replay() -> None:
    path = "/api/v1/sources/dms/prod/parked/replay"
    assert asks_to_replay({"method": "POST", "path": path})
    assert not asks_to_replay({"method": "GET", "path": path})
    assert not asks_to_replay({"method": "POST", "path": path + "/"})
    assert not asks_to_replay({"method": "POST", "path": "/api/v1/sources/dms"})
