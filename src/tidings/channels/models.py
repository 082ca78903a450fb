"""A tenant's switch and settings for a channel."""

from django.db import models

from tidings.accounts.models import Tenant
from tidings.kernel.ids import uuid7
from tidings.kernel.tenancy import TenantManager


class ChannelSetting(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid7)
    tenant = models.ForeignKey(Tenant, models.PROTECT)
    channel = models.CharField(max_length=30)
    enabled = models.BooleanField(default=False)
    sealed = models.BinaryField()
    version = models.IntegerField(default=1)
    objects = TenantManager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "channel"], name="channel_setting")]


class Memory(models.Model):
    """What nodes remember of a vendor for one tenant and channel: an access token, a vendor's own id of a person.
    `making_until`: one of them is fetching it just now."""

    id = models.UUIDField(primary_key=True, default=uuid7)
    tenant = models.ForeignKey(Tenant, models.PROTECT)
    channel = models.CharField(max_length=30)
    key = models.CharField(max_length=200)
    sealed = models.BinaryField(null=True)
    expires_at = models.DateTimeField(null=True)
    making_until = models.DateTimeField(null=True)
    objects = TenantManager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "channel", "key"], name="channel_memory")]
