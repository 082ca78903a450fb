"""From one secret key to the next: every sealed value, whoever else writes meanwhile, and what cannot be read is said."""

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from tests.api.given import at_once
from tests.console.conftest import account_of

from tidings.kernel.secrets import is_current, seal, unseal
from tidings.kernel.settings import settings

OLD, NEW, LOST = "a" * 32, "b" * 32, "c" * 32
Keys = Callable[..., None]


def plant(organisation: Any) -> dict[str, int]:
    """A sealed value in every place there is; how many in each."""
    from allauth.mfa.models import Authenticator
    from django.utils import timezone

    from tidings.accounts.models import Source
    from tidings.channels.models import ChannelSetting, Memory
    from tidings.directory.models import ContactPoint, FormerAddress, Verification
    from tidings.events.models import Intake

    tenant, ann, now = organisation.tenant, organisation.people["ann"], timezone.now()
    ours = {"tenant": tenant, "person": ann, "channel": "email", "sealed": seal({"address": "ann@example.com"})}
    ContactPoint.objects.create(**ours, shown="a***@example.com")
    Verification.objects.create(**ours, address=b"x" * 32, touched_at=now)
    FormerAddress.objects.create(**ours, left_at=now, due_at=now)
    ChannelSetting.objects.create(tenant=tenant, channel="email", sealed=seal({"password": "planted"}))
    Memory.objects.create(tenant=tenant, channel="dingtalk", key="token", sealed=seal({"value": "planted"}))
    Memory.objects.create(tenant=tenant, channel="dingtalk", key="none yet")
    source = Source.objects.create(tenant=tenant, name="dms")
    Intake.objects.create(source_id=source.id, tenant_id=tenant.id, adapter="dms", mapping=[], ignored_people=[],
                          sealed=seal({"secret": "planted"}), version=1)  # fmt: skip
    for kind, data in (
        ("totp", {"secret": seal({"text": "seed"}).decode()}),
        ("recovery_codes", {"seed": seal({"text": "seed"}).decode(), "used_mask": 3}),
    ):
        Authenticator.objects.create(user=account_of(ann), type=kind, data=data)
    return {
        "channels_channelsetting": 1, "channels_memory": 1, "directory_contactpoint": 1, "directory_formeraddress": 1,
        "directory_verification": 1, "events_intake": 1, "mfa_authenticator": 2,
    }  # fmt: skip


@pytest.fixture
def planted(organisation: Any, keys: Keys) -> dict[str, int]:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "TRUNCATE channels_channelsetting, channels_memory, directory_contactpoint, directory_verification,"
            " directory_formeraddress, events_intake, mfa_authenticator"
        )
    keys(OLD)
    return plant(organisation)


def test_no_place_is_forgotten(database: str) -> None:
    from django.apps import apps
    from django.db.models import BinaryField

    from tidings.rotate import places

    hashes = {"hash", "address", "code"}
    binary = {
        (model._meta.db_table, each.name)
        for model in apps.get_models()
        for each in model._meta.get_fields()
        if isinstance(each, BinaryField) and each.name not in hashes
    }
    assert binary == {(each.table, each.column) for each in places() if not each.names}


def test_every_value_is_put_under_the_new_key(planted: dict[str, int], organisation: Any, keys: Keys) -> None:
    from allauth.mfa.models import Authenticator

    from tidings.audit.models import Change
    from tidings.channels.models import ChannelSetting
    from tidings.rotate import rotate, stand

    organisation.tenant.refresh_from_db()
    before = organisation.tenant.rules_version, organisation.tenant.directory_version
    keys(NEW, OLD)
    assert (stand().total("older"), stand().total("current")) == (8, 0)
    done = rotate()
    assert (dict(done.rewritten), done.unreadable.total(), done.left) == (planted, 0, 0)
    keys(NEW)
    assert stand().total("current") == 8
    kept = ChannelSetting.objects.for_tenant(organisation.id).get()
    assert unseal(bytes(kept.sealed)) == {"password": "planted"}
    [codes] = Authenticator.objects.filter(type="recovery_codes")
    assert (unseal(codes.data["seed"].encode()), codes.data["used_mask"]) == ({"text": "seed"}, 3)
    # Nodes hold sealed values in memory, and the change is on record.
    organisation.tenant.refresh_from_db()
    assert (organisation.tenant.rules_version, organisation.tenant.directory_version) == tuple(v + 1 for v in before)
    change = Change.objects.for_tenant(organisation.id).get(kind="secrets")
    assert (change.actor, change.action, change.after) == ("command line", "rotate", {"rewritten": 6})
    keys(NEW, OLD)
    assert rotate().rewritten.total() == 0


def test_what_no_key_opens_is_left_alone_and_counted(planted: dict[str, int], organisation: Any, keys: Keys) -> None:
    from tidings.channels.models import ChannelSetting
    from tidings.check import findings
    from tidings.rotate import rotate

    keys(LOST)
    lost = seal({"password": "lost"})
    ChannelSetting.objects.for_tenant(organisation.id).update(sealed=lost)
    keys(NEW, OLD)
    found = {each.id: each.text for each in findings()}
    assert found["secrets.older_key"] == "7 stored secrets are still under an older key."
    assert found["secrets.unreadable"] == f"{organisation.tenant.name}: 1 stored secrets cannot be decrypted."
    done = rotate()
    assert dict(done.unreadable) == {"channels_channelsetting": 1}
    assert done.rewritten.total() == 7
    assert bytes(ChannelSetting.objects.for_tenant(organisation.id).get().sealed) == lost
    found = {each.id: each.text for each in findings()}
    assert "secrets.older_key" not in found
    assert "secrets.unreadable" in found and "secrets.keys_to_retire" in found


def test_what_somebody_changed_meanwhile_stays_as_they_made_it(planted: Any, organisation: Any, keys: Keys) -> None:
    from tidings.channels.models import ChannelSetting
    from tidings.rotate import _replace, places

    kept = ChannelSetting.objects.for_tenant(organisation.id).get()
    seen = bytes(kept.sealed)
    ChannelSetting.objects.for_tenant(organisation.id).update(sealed=seal({"password": "newer"}))
    [place] = [each for each in places() if each.table == "channels_channelsetting"]
    keys(NEW, OLD)
    assert _replace(place, [(kept.id, seen, place.anew(seen))]) == []
    kept.refresh_from_db()
    assert unseal(bytes(kept.sealed)) == {"password": "newer"}


def test_two_rotations_at_once_do_it_once(planted: Any, organisation: Any, keys: Keys) -> None:
    from tidings.directory.models import ContactPoint
    from tidings.rotate import rotate, stand

    for number in range(520):
        person = organisation.add(f"p{number}")
        ContactPoint.objects.create(
            tenant=organisation.tenant, person=person, channel="email", sealed=seal({"address": f"{number}@example.com"})
        )  # fmt: skip
    keys(NEW, OLD)
    first, second = at_once(rotate, rotate)
    assert first.rewritten.total() + second.rewritten.total() == 528  # type: ignore[attr-defined]
    assert stand().total("current") == 528


def test_a_rotation_that_is_broken_off_goes_on(planted: Any, organisation: Any, keys: Keys) -> None:
    from tidings.rotate import Rotated, _pass, places, rotate, stand

    keys(NEW, OLD)
    from collections import Counter

    _pass(places()[0], Rotated(), Counter())
    assert stand().total("older") == 7
    assert rotate().rewritten.total() == 7


def test_a_key_that_is_needed_is_not_taken_away(planted: Any, keys: Keys) -> None:
    from tidings.rotate import OneKey, StillNeeded, retire, rotate

    with pytest.raises(OneKey):
        rotate()
    keys(NEW, OLD)
    with pytest.raises(StillNeeded) as needed:
        retire()
    assert needed.value.values == 8
    rotate()
    done = retire()
    assert (done.older, done.gone) == (1, False)


def test_a_file_of_keys_is_read_again_when_it_changes(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.conf import settings as django_settings

    from tidings.kernel.keys import django_key, write_keys

    file = tmp_path / "keys"
    file.write_text(OLD)
    monkeypatch.setenv("TIDINGS_SECRET_KEYS_FILE", str(file))
    monkeypatch.setattr(django_settings, "SECRET_KEY", django_settings.SECRET_KEY)
    monkeypatch.setattr(django_settings, "SECRET_KEY_FALLBACKS", [])
    settings.cache_clear()
    try:
        sealed = seal({"secret": "x"})
        write_keys(file, [NEW, OLD])
        assert file.stat().st_mode & 0o777 == 0o600
        assert [each.name for each in tmp_path.iterdir()] == ["keys"]
        assert unseal(sealed) == {"secret": "x"} and not is_current(sealed)
        assert is_current(seal({}))
        assert (django_settings.SECRET_KEY, *django_settings.SECRET_KEY_FALLBACKS) == (django_key(NEW), django_key(OLD))
        # damaged, or gone for a moment: what was known stays
        file.write_text("short")
        assert unseal(sealed) == {"secret": "x"}
        file.unlink()
        assert unseal(sealed) == {"secret": "x"}
    finally:
        monkeypatch.undo()
        settings.cache_clear()


def test_codes_that_are_a_list_are_each_put_under_the_new_key(database: str) -> None:
    """Codes that came from another installation of allauth are a list."""
    from tidings.rotate import SECOND_FACTORS

    value = json.dumps({"migrated_codes": [seal({"text": "1"}).decode()], "used": 1})
    anew = json.loads(SECOND_FACTORS.anew(value))
    assert unseal(anew["migrated_codes"][0].encode()) == {"text": "1"} and anew["used"] == 1


def test_a_file_that_could_not_be_opened_is_read_as_soon_as_it_can(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import resource

    from django.conf import settings as django_settings

    from tidings.kernel.keys import secret_keys, write_keys

    file = tmp_path / "keys"
    file.write_text(OLD)
    monkeypatch.setenv("TIDINGS_SECRET_KEYS_FILE", str(file))
    monkeypatch.setattr(django_settings, "SECRET_KEY", django_settings.SECRET_KEY)
    monkeypatch.setattr(django_settings, "SECRET_KEY_FALLBACKS", [])
    settings.cache_clear()
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        assert secret_keys() == (OLD,)
        write_keys(file, [NEW, OLD])
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, before[1]))
        assert secret_keys() == (OLD,)
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
        assert secret_keys() == (NEW, OLD)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
        monkeypatch.undo()
        settings.cache_clear()


def test_a_key_that_is_put_in_front_meanwhile_keeps_the_one_behind_it(
    planted: Any, organisation: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.conf import settings as django_settings

    from tidings.kernel.keys import new_first_key
    from tidings.rotate import StillNeeded, _the_keys, retire

    file = tmp_path / "keys"
    file.write_text(f"{OLD},{LOST}")
    monkeypatch.setenv("TIDINGS_SECRET_KEYS_FILE", str(file))
    monkeypatch.setattr(django_settings, "SECRET_KEY", django_settings.SECRET_KEY)
    monkeypatch.setattr(django_settings, "SECRET_KEY_FALLBACKS", [])
    settings.cache_clear()
    holding, looked = threading.Event(), threading.Event()

    def put_in_front() -> None:
        with _the_keys():
            holding.set()
            assert not looked.wait(0.5)
            new_first_key(file)

    def take_away() -> object:
        holding.wait()
        try:
            return retire()
        except StillNeeded as needed:
            return needed.values
        finally:
            looked.set()

    assert at_once(put_in_front, take_away) == [None, 8]
