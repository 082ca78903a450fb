"""Who is told of an event type, besides its default recipient."""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from tidings.accounts.models import Tenant
from tidings.kernel.ids import uuid7
from tidings.kernel.tenancy import TenantManager


class Rule(models.Model):
    """A row from a tenant's start for every event type: enabled, with nobody added."""

    id = models.UUIDField(primary_key=True, default=uuid7)
    tenant = models.ForeignKey(Tenant, models.PROTECT)
    event_type = models.CharField(max_length=120)
    enabled = models.BooleanField(default=True)
    optional_roles = ArrayField(models.CharField(max_length=30), default=list)
    additional_users = ArrayField(models.UUIDField(), default=list)
    version = models.IntegerField(default=1)
    objects = TenantManager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "event_type"], name="rule_of")]
