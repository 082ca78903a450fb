"""A file that was handed in, and what becomes of each of its rows."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from tidings.accounts.models import Tenant
from tidings.kernel.ids import event_id
from tidings.kernel.tenancy import TenantManager

KINDS = ("people", "resources")
STATES = ("checking", "checked", "applying", "applied")
FATES = ("", "new", "changed", "unchanged", "refused")
OUTCOMES = ("", "applied", "left")
KEY_LENGTH = 640


class Import(models.Model):
    """The keys of its rows are derived from its own (`kernel/ids.py`), so that one index serves both. `done` are the
    rows that were looked at in the state it is in; `counts` are those of each fate and outcome."""

    id = models.UUIDField(primary_key=True, default=event_id)
    tenant = models.ForeignKey(Tenant, models.PROTECT)
    kind = models.CharField(max_length=20)
    name = models.CharField(max_length=200)
    """Of the file."""
    actor = models.CharField(max_length=120)
    columns = ArrayField(models.CharField(max_length=40))
    encoding = models.CharField(max_length=20)
    separator = models.CharField(max_length=1)
    state = models.CharField(max_length=20, default="checking")
    rows = models.IntegerField()
    done = models.IntegerField(default=0)
    counts = models.JSONField(default=dict)
    changed_at = models.DateTimeField(auto_now=True)
    objects = TenantManager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=KINDS), name="import_kind"),
            models.CheckConstraint(condition=Q(state__in=STATES), name="import_state"),
        ]


class Row(models.Model):
    """`changes` are what it says otherwise than the directory: {field: [before, after]}. `problems` say why it is
    refused, or was left as it is. One that is `unusable` has a problem with its file, whatever the directory is."""

    id = models.UUIDField(primary_key=True)
    tenant_id = models.UUIDField()
    line = models.IntegerField()
    key = models.CharField(max_length=KEY_LENGTH)
    """Whom or what it is about."""
    cells = ArrayField(models.TextField())
    unusable = models.BooleanField(default=False)
    fate = models.CharField(max_length=10, default="")
    outcome = models.CharField(max_length=10, default="")
    changes = models.JSONField(default=dict)
    problems = models.JSONField(default=list)
    objects = TenantManager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(fate__in=FATES), name="row_fate"),
            models.CheckConstraint(condition=Q(outcome__in=OUTCOMES), name="row_outcome"),
        ]
