"""Keyed hashes: what was made before a rotation is still recognised, for one purpose and one text only."""

from collections.abc import Callable

from tidings.kernel.secrets import fingerprint, fingerprints, recognised

OLD, NEW, OTHER = "a" * 32, "b" * 32, "c" * 32


def test_a_fingerprint_is_recognised_as_long_as_its_key_is_there(keys: Callable[..., None]) -> None:
    keys(OLD)
    kept = fingerprint("codes", "ann 123456")
    assert recognised(kept, "codes", "ann 123456")
    keys(NEW, OLD)
    assert fingerprint("codes", "ann 123456") != kept
    assert fingerprints("codes", "ann 123456")[1] == kept
    assert recognised(kept, "codes", "ann 123456")
    keys(NEW, OTHER)
    assert not recognised(kept, "codes", "ann 123456")


def test_a_fingerprint_is_of_one_text_for_one_purpose(keys: Callable[..., None]) -> None:
    keys(OLD)
    kept = fingerprint("codes", "ann 123456")
    assert not recognised(kept, "codes", "ann 123457")
    assert not recognised(kept, "addresses", "ann 123456")
    assert not recognised(b"", "codes", "ann 123456")
