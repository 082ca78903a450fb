"""The wall between tenants: a table with a tenant can only be asked through `for_tenant()`."""

from typing import Any, TypeVar
from uuid import UUID

from django.db import models

M = TypeVar("M", bound=models.Model)


class UnscopedQuery(RuntimeError):
    """Somebody asked a tenant's table without saying for which tenant."""


class TenantManager(models.Manager[M]):
    """`Model.objects.for_tenant(id)`; anything else raises, except `across_tenants()`, which is for the rim's own
    look-ups (a token's hash, a provider's receipt) and named so that it is found in a search."""

    def for_tenant(self, tenant_id: UUID) -> "models.QuerySet[M]":
        return super().get_queryset().filter(tenant_id=tenant_id)

    def across_tenants(self) -> "models.QuerySet[M]":
        return super().get_queryset()

    def create(self, **fields: Any) -> M:
        if "tenant" not in fields and "tenant_id" not in fields:
            raise UnscopedQuery(f"{self.model.__name__}.objects.create() without a tenant")
        return super().get_queryset().create(**fields)

    def get_queryset(self) -> "models.QuerySet[M]":
        raise UnscopedQuery(f"{self.model.__name__}.objects: use for_tenant(tenant_id)")
