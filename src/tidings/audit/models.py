"""Every change, in words that stay when the changed thing is gone."""

from django.db import models

from tidings.accounts.models import Tenant
from tidings.kernel.ids import uuid7
from tidings.kernel.tenancy import TenantManager


class Change(models.Model):
    """Its id carries the time it was made."""

    id = models.UUIDField(primary_key=True, default=uuid7)
    tenant = models.ForeignKey(Tenant, models.PROTECT)
    actor = models.CharField(max_length=120)
    action = models.CharField(max_length=40)
    kind = models.CharField(max_length=40)
    key = models.CharField(max_length=640)
    address = models.CharField(max_length=45, default="", db_default="")
    """From where it was asked for; empty for the command line and for what no request asked for."""
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    objects = TenantManager()

    class Meta:
        # One for each way to look at them, newest first. Changes are rare: nothing on the way of an event writes one.
        indexes = [
            models.Index(fields=["tenant", "id"], name="change_latest"),
            models.Index(fields=["tenant", "key", "id"], name="change_of"),
            models.Index(fields=["tenant", "kind", "id"], name="change_kind"),
            models.Index(fields=["tenant", "action", "id"], name="change_action"),
            models.Index(fields=["tenant", "actor", "id"], name="change_by"),
        ]
