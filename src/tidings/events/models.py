"""Events and the tickets and task flows they are about. Written by `delivery/enqueue.py` in sets; Django only reads
them.

No Django foreign keys here: these rows come by the thousand a second, and each key would cost a look-up on every one.
"""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from tidings.kernel.tenancy import TenantManager


class Subject(models.Model):
    """`last_number` counts its events; the status is the one of the greatest (time, number)."""

    id = models.UUIDField(primary_key=True)
    tenant_id = models.UUIDField()
    kind = models.CharField(max_length=40)
    key = models.TextField()
    title = models.TextField()
    url = models.TextField()
    status = models.TextField()
    status_time = models.DateTimeField()
    status_number = models.IntegerField()
    last_number = models.IntegerField()
    objects = TenantManager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant_id", "kind", "key"], name="subject_key")]


class Event(models.Model):
    """One status change. `skips` are those of the event itself (a rule that is off, an empty role, an unknown person);
    those of a person stand with the recipient. `fault` says why an event is still unplanned."""

    id = models.UUIDField(primary_key=True)
    tenant_id = models.UUIDField()
    source = models.TextField()
    source_id = models.TextField()
    type = models.TextField()
    time = models.DateTimeField()
    subject_id = models.UUIDField()
    number = models.IntegerField()
    hash = models.BinaryField(max_length=16)
    skips = models.JSONField(null=True)
    fault = models.TextField(null=True)
    objects = TenantManager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant_id", "source", "source_id"], name="event_key")]
        indexes = [
            models.Index(fields=["subject_id", "number"], name="event_timeline"),
            models.Index(fields=["tenant_id", "id"], name="event_latest"),
            models.Index(fields=["id"], condition=models.Q(fault__isnull=False), name="event_unplanned"),
        ]


class Recipient(models.Model):
    """One person told, or not told, of one event, and why. It is also the person's inbox item."""

    id = models.UUIDField(primary_key=True)
    tenant_id = models.UUIDField()
    person_id = models.UUIDField()
    because = models.JSONField()
    skips = models.JSONField(null=True)
    read_at = models.DateTimeField(null=True)
    objects = TenantManager()

    class Meta:
        indexes = [models.Index(fields=["person_id", "id"], name="recipient_inbox")]


class Intake(models.Model):
    """What a source is set up with, for the payloads of other systems: rows of its own for the mapping of one adapter,
    what it says of the system (`options`), whom its payloads name though they are nobody here, and the key that signs
    them."""

    source_id = models.UUIDField(primary_key=True)
    tenant_id = models.UUIDField()
    adapter = models.TextField()
    mapping = models.JSONField()
    options = models.JSONField(default=dict)
    ignored_people = ArrayField(models.TextField())
    sealed = models.BinaryField(null=True)
    version = models.IntegerField()
    objects = TenantManager()


class Parked(models.Model):
    """A payload that nobody could read. `words` are those the mapping lacks; `times` counts the very same payload.
    `resolved_at`: it was read in the end, and `became` names its events (none: the mapping says that nobody wants to
    know)."""

    id = models.UUIDField(primary_key=True)
    tenant_id = models.UUIDField()
    source = models.TextField()
    adapter = models.TextField()
    reason = models.TextField()
    detail = models.TextField()
    words = models.JSONField()
    headers = models.JSONField()
    body = models.TextField()
    hash = models.BinaryField(max_length=16)
    times = models.IntegerField()
    last_at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True)
    became = models.JSONField(null=True)
    objects = TenantManager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant_id", "source", "hash"], name="parked_once")]
        indexes = [
            models.Index(
                fields=["tenant_id", "source", "id"], condition=models.Q(resolved_at=None), name="parked_waiting"
            ),
        ]


class Awaiting(models.Model):
    """A subject that asked for approval at that time; whether it still does is its status."""

    subject_id = models.UUIDField(primary_key=True)
    tenant_id = models.UUIDField()
    since = models.DateTimeField()
    objects = TenantManager()

    class Meta:
        indexes = [models.Index(fields=["tenant_id", "since"], name="awaiting_longest")]


class TurnedAway(models.Model):
    """What a source was refused at the door in one hour, with what it was told the last time; see `turned_away.py`."""

    id = models.BigAutoField(primary_key=True)
    tenant_id = models.UUIDField()
    source = models.TextField()
    hour = models.DateTimeField()
    code = models.TextField()
    count = models.BigIntegerField()
    detail = models.TextField()
    last_at = models.DateTimeField()
    objects = TenantManager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant_id", "source", "hour", "code"], name="turned_away_of")]


class Seen(models.Model):
    """What one person may see: the events they were told of, and those they are involved in without being told
    (`events_involved`, which has no other use). A view of both; each event is in it once for a person.

    `id` is the recipient's or the event's: either way it orders as the event does.
    """

    id = models.UUIDField(primary_key=True)
    tenant_id = models.UUIDField()
    person_id = models.UUIDField()
    event = models.ForeignKey(Event, models.DO_NOTHING, related_name="seen", db_constraint=False)
    objects = TenantManager()

    class Meta:
        managed = False
        db_table = "events_seen"
