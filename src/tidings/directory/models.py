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
    left_at = models.DateTimeField(null=True, blank=True)
    """When its owner asked for no more messages here, by the link in one; until they choose the method again."""
    assumed = models.BooleanField(default=False)
    """It is another channel's address that administrators vouched for: whose account is behind it here, nobody showed.
    Good for who chose this channel, no fallback."""
    version = models.IntegerField(default=1)
    objects = TenantManager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["person", "channel"], name="contact_point_of")]
        indexes = [models.Index(fields=["tenant"], name="contact_point_tenant")]


class Verification(models.Model):
    """A person proves that an address is theirs: the code that is under way, if there is one, and what was sent and
    tried lately. Of the address and the code only keyed hashes; `sealed` is what becomes the contact point. Read and
    written under the tenant's lock, forgotten after a quiet day."""

    id = models.UUIDField(primary_key=True, default=uuid7)
    tenant = models.ForeignKey(Tenant, models.PROTECT)
    person = models.ForeignKey(Person, models.PROTECT)
    channel = models.CharField(max_length=30)
    address = models.BinaryField(max_length=32)
    sealed = models.BinaryField()
    code = models.BinaryField(max_length=32, null=True)
    expires_at = models.DateTimeField(null=True)
    sent_at = ArrayField(models.DateTimeField(), default=list)
    wrong = models.SmallIntegerField(default=0)
    locked_until = models.DateTimeField(null=True)
    touched_at = models.DateTimeField()
    objects = TenantManager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["person", "channel", "address"], name="verification_of"),
            # A new code ends the old one, whichever address that was sent to.
            models.UniqueConstraint(
                fields=["person", "channel"], condition=Q(code__isnull=False), name="verification_under_way"
            ),
            models.CheckConstraint(
                condition=Q(code=None, expires_at=None) | Q(code__isnull=False, expires_at__isnull=False),
                name="verification_code_ends",
            ),
        ]
        indexes = [models.Index(fields=["touched_at"], name="verification_touched")]


class FormerAddress(models.Model):
    """A verified address that is used no longer, until it has been told so. The row is the queue: taken when due, and
    due again a little later unless it is gone by then."""

    id = models.UUIDField(primary_key=True, default=uuid7)
    tenant = models.ForeignKey(Tenant, models.PROTECT)
    person = models.ForeignKey(Person, models.PROTECT)
    channel = models.CharField(max_length=30)
    sealed = models.BinaryField()
    left_at = models.DateTimeField()
    due_at = models.DateTimeField()
    tries = models.SmallIntegerField(default=0)
    objects = TenantManager()

    class Meta:
        indexes = [models.Index(fields=["due_at"], name="former_address_due")]


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
