"""Tenants, the accounts that sign in, the people of a tenant, the sources that send, and their tokens."""

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower

from tidings.accounts.words import words_of_person
from tidings.kernel.ids import uuid7
from tidings.kernel.tenancy import TenantManager

SYSTEM_ROLES = ("administrator", "dba", "security_administrator")
SCOPES = ("events:write", "read", "write")
# Where DMS sends SMS: China, the United Kingdom, Malaysia, Indonesia, Singapore, India.
# https://www.alibabacloud.com/help/en/dms/configure-personal-information-and-notification-methods
SMS_COUNTRIES = (86, 44, 60, 62, 65, 91)


def default_sms_countries() -> list[int]:
    return list(SMS_COUNTRIES)


class Tenant(models.Model):
    """The three versions rise in the transaction of each change, so that every node knows when what it holds is stale;
    `version` is that of what its administrators say of it here."""

    id = models.UUIDField(primary_key=True, default=uuid7)
    name = models.CharField(max_length=100, unique=True)
    rules_version = models.BigIntegerField(default=1)
    directory_version = models.BigIntegerField(default=1)
    access_version = models.BigIntegerField(default=1)
    language = models.CharField(max_length=20, default="en")
    timezone = models.CharField(max_length=60, default="UTC")
    sms_countries = ArrayField(models.SmallIntegerField(), default=default_sms_countries)
    """Calling codes of the countries to which verification codes are sent."""
    fallback = models.BooleanField(default=False)
    """Whether another way is tried when nothing reaches somebody who is asked to act."""
    version = models.IntegerField(default=1)


class AccountManager(BaseUserManager["Account"]):
    def get_by_natural_key(self, username: str | None) -> "Account":
        return self.get(login=username)


class Account(AbstractBaseUser):
    """A sign-in of this installation; it may be a person in several tenants."""

    id = models.UUIDField(primary_key=True, default=uuid7)
    login = models.CharField(max_length=100, unique=True)
    email = models.CharField(max_length=320, blank=True)
    """Where a link for a new password is sent."""
    home = models.ForeignKey(Tenant, models.SET_NULL, null=True, blank=True)
    """Whose invitation made it: links for a new password leave by this tenant's mail server and no other, since whoever
    runs the server can read them."""
    is_active = models.BooleanField(default=True)
    is_superuser = models.BooleanField(default=False)
    objects = AccountManager()
    USERNAME_FIELD = "login"

    class Meta:
        constraints = [models.UniqueConstraint(Lower("login"), name="account_login")]


class Person(models.Model):
    """A member of one tenant. Nobody is deleted: who leaves is `departed`, so that records keep their names."""

    id = models.UUIDField(primary_key=True, default=uuid7)
    tenant = models.ForeignKey(Tenant, models.PROTECT)
    account = models.ForeignKey(Account, models.SET_NULL, null=True, blank=True)
    login = models.CharField(max_length=100)
    name = models.CharField(max_length=200, blank=True)
    email = models.CharField(max_length=320, blank=True)
    mobile = models.CharField(max_length=20, blank=True)
    external_id = models.CharField(max_length=200, blank=True)
    roles = ArrayField(models.CharField(max_length=30), default=list)
    methods = ArrayField(models.CharField(max_length=30), default=list)
    language = models.CharField(max_length=20, default="en")
    timezone = models.CharField(max_length=60, default="UTC")
    active = models.BooleanField(default=True)
    departed_at = models.DateTimeField(null=True, blank=True)
    version = models.IntegerField(default=1)
    objects = TenantManager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "login"], name="person_login"),
            # Identity: Ann@example.com and ann@example.com are one person, as `People.find` has it.
            models.UniqueConstraint(
                F("tenant"), Lower("email"), condition=~Q(email="") & Q(departed_at=None), name="person_email"
            ),
            models.UniqueConstraint(
                fields=["tenant", "mobile"], condition=~Q(mobile="") & Q(departed_at=None), name="person_mobile"
            ),
            models.UniqueConstraint(
                fields=["tenant", "external_id"],
                condition=~Q(external_id="") & Q(departed_at=None),
                name="person_external_id",
            ),
            models.CheckConstraint(condition=Q(roles__contained_by=list(SYSTEM_ROLES)), name="person_roles"),
        ]
        # Finds one of 10,000 in half a millisecond while somebody types; each change of a login, a name or an address
        # pays 10 us for it, nothing else does.
        indexes = [GinIndex(words_of_person(), name="person_words", fastupdate=False)]


class Source(models.Model):
    """A system that sends events."""

    id = models.UUIDField(primary_key=True, default=uuid7)
    tenant = models.ForeignKey(Tenant, models.PROTECT)
    name = models.CharField(max_length=200)
    objects = TenantManager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "name"], name="source_name")]


class Token(models.Model):
    """Speaks for a person or for a source; only its hash is kept."""

    id = models.UUIDField(primary_key=True, default=uuid7)
    tenant = models.ForeignKey(Tenant, models.PROTECT)
    person = models.ForeignKey(Person, models.PROTECT, null=True, blank=True)
    source = models.ForeignKey(Source, models.PROTECT, null=True, blank=True)
    name = models.CharField(max_length=100, blank=True)
    hash = models.BinaryField(max_length=32, unique=True)
    scopes = ArrayField(models.CharField(max_length=20))
    created_at = models.DateTimeField(auto_now_add=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    objects = TenantManager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(scopes__contained_by=list(SCOPES)), name="token_scopes"),
            models.CheckConstraint(
                condition=(Q(person=None) & Q(source__isnull=False)) | (Q(source=None) & Q(person__isnull=False)),
                name="token_speaks_for_one",
            ),
        ]
