"""How a person is reached, and who answers for which instance, database and table."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from tidings.accounts.models import Person, Tenant
from tidings.kernel.ids import uuid7
from tidings.kernel.tenancy import TenantManager


class ContactPoint(models.Model):
    """`sealed` holds the whole address (it may be a secret URL); `shown` is what may be displayed of it."""

    id = models.UUIDField(primary_key=True, default=uuid7)
    tenant = models.ForeignKey(Tenant, models.PROTECT)
    person = models.ForeignKey(Person, models.PROTECT)
    channel = models.CharField(max_length=30)
    sealed = models.BinaryField()
    shown = models.CharField(max_length=320)
    destination = models.CharField(max_length=260, blank=True)
    verified_at = models.DateTimeField(null=True, blank=True)
    disabled_at = models.DateTimeField(null=True, blank=True)
    disabled_reason = models.CharField(max_length=60, blank=True)
    version = models.IntegerField(default=1)
    objects = TenantManager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["person", "channel"], name="contact_point_of")]
        indexes = [models.Index(fields=["tenant"], name="contact_point_tenant")]


class Resource(models.Model):
    """An instance, a database (`database` set) or a table (`table` set too). Only an instance has a DBA, one."""

    id = models.UUIDField(primary_key=True, default=uuid7)
    tenant = models.ForeignKey(Tenant, models.PROTECT)
    instance = models.CharField(max_length=200)
    database = models.CharField(max_length=200, blank=True, default="")
    table = models.CharField(max_length=200, blank=True, default="")
    dba = models.ForeignKey(Person, models.PROTECT, null=True, blank=True)
    owners = ArrayField(models.UUIDField(), default=list, size=3)
    version = models.IntegerField(default=1)
    objects = TenantManager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "instance", "database", "table"], name="resource_path"),
            models.CheckConstraint(condition=Q(owners__len__lte=3), name="resource_owners"),
            models.CheckConstraint(condition=Q(dba=None) | Q(database="", table=""), name="resource_dba_of_instance"),
            models.CheckConstraint(condition=Q(table="") | ~Q(database=""), name="resource_table_in_database"),
        ]
