"""A tenant's own features and event types; the built-in ones are data in `catalog.json`."""

from django.db import models

from tidings.accounts.models import Tenant
from tidings.kernel.ids import uuid7
from tidings.kernel.tenancy import TenantManager


class TenantFeature(models.Model):
    """`content` has the shape of a feature in `catalog.json`."""

    id = models.UUIDField(primary_key=True, default=uuid7)
    tenant = models.ForeignKey(Tenant, models.PROTECT)
    code = models.CharField(max_length=60)
    content = models.JSONField()
    objects = TenantManager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "code"], name="feature_code")]
