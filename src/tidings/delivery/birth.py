"""Claim at birth: what this node accepts and has room for, it sends at once, without another trip to the database."""

from collections.abc import Callable, Sequence
from uuid import UUID

from tidings.delivery.enqueue import Keep, order_key
from tidings.delivery.lanes import Promised, Whose

Room = Callable[[UUID, str, Promised], bool]
"""(tenant, destination, promised so far) -> may one more delivery be claimed as it is born?"""


def claim_at_birth(keeps: Sequence[Keep], room: Room) -> list[Keep]:
    """Decide for each delivery whether this node sends it at once: room, and nothing older of its order key in here."""
    promised: dict[Whose, int] = {}
    first: set[object] = set()
    result: list[Keep] = []
    for keep in keeps:
        claims: list[bool] = []
        for recipient in keep.planned.plan.recipients if keep.planned else ():
            for send in recipient.sends:
                key, destination = order_key(keep, recipient, send), send.point.destination
                free = key not in first and room(keep.tenant_id, destination, promised)
                first.add(key)
                for each in (None, keep.tenant_id, destination, (keep.tenant_id, destination)) if free else ():
                    promised[each] = promised.get(each, 0) + 1
                claims.append(free)
        result.append(Keep(keep.id, keep.tenant_id, keep.incoming, keep.planned, claims, keep.fault))
    return result
