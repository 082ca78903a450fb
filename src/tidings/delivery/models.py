"""Deliveries, which are the queue, and the nodes that hold them. Written in sets by `claim.py` and `record.py`."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from tidings.kernel.tenancy import TenantManager

STATES = ("pending", "sending", "sent", "delivered", "failed", "cancelled")
OPEN = Q(state__in=["pending", "sending"])


class Node(models.Model):
    """A process that delivers, in one life of it; `renewed_at` is the clock of the database. `left_alone`: accounts in
    trouble at their vendor, and for how many seconds more from then on."""

    id = models.BigAutoField(primary_key=True)
    name = models.TextField()
    renewed_at = models.DateTimeField(db_default=Now())
    left_alone = models.JSONField(default=dict, db_default={})


class Delivery(models.Model):
    """`attempts` are [{"at", "outcome", "reason", "said", "ms"}]; `due_at` is when it may be claimed next, `ask_at`
    when its provider is asked what became of it."""

    id = models.UUIDField(primary_key=True)
    tenant_id = models.UUIDField()
    person_id = models.UUIDField()
    subject_id = models.UUIDField()
    number = models.IntegerField()
    contact_point_id = models.UUIDField()
    channel = models.TextField()
    state = models.TextField()
    due_at = models.DateTimeField()
    lease = models.BigIntegerField(null=True)
    reason = models.TextField(null=True)
    provider_id = models.TextField(null=True)
    attempts = models.JSONField(null=True)
    ask_at = models.DateTimeField(null=True)
    objects = TenantManager()

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(state__in=STATES), name="delivery_state")]
        indexes = [
            # Who is first of the same person, channel and subject; also what a dead node held.
            models.Index(fields=["subject_id", "person_id", "channel", "number"], condition=OPEN, name="delivery_open"),
            models.Index(fields=["tenant_id", "due_at"], condition=Q(state="pending"), name="delivery_due"),
            models.Index(fields=["tenant_id", "id"], condition=Q(state="failed"), name="delivery_failed"),
            models.Index(fields=["ask_at"], condition=Q(ask_at__isnull=False), name="delivery_ask"),
        ]


class Budget(models.Model):
    """What was used of a vendor's budget lately: {end of a slice of time, in seconds: amount}. Keys name no secret."""

    key = models.CharField(primary_key=True, max_length=200)
    uses = models.JSONField()
    ends_at = models.DateTimeField()


class Tally(models.Model):
    """How many tries of a channel came to what in one minute, how many milliseconds they took together, and what the
    vendor said to the last of them."""

    id = models.BigAutoField(primary_key=True)
    tenant_id = models.UUIDField()
    channel = models.TextField()
    minute = models.DateTimeField()
    what = models.TextField()
    reason = models.TextField()
    count = models.BigIntegerField()
    ms = models.BigIntegerField()
    said = models.TextField(db_default="")
    objects = TenantManager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant_id", "channel", "minute", "what", "reason"], name="tally_of")
        ]


class Hour(models.Model):
    """How many events were accepted, silences kept and deliveries ended in one hour; `step` says of what was sent how
    long it took (`hourly.py`)."""

    id = models.BigAutoField(primary_key=True)
    tenant_id = models.UUIDField()
    hour = models.DateTimeField()
    what = models.TextField()
    channel = models.TextField()
    reason = models.TextField()
    step = models.SmallIntegerField()
    count = models.BigIntegerField()
    objects = TenantManager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant_id", "hour", "what", "channel", "reason", "step"], name="hour_of")
        ]
