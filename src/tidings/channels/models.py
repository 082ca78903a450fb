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
