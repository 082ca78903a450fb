"""A tenant's channels as the hot path holds them: which are on, and their settings, still sealed: one that no key opens
fails its own sends and nothing else."""

from collections.abc import Mapping
from uuid import UUID

from tidings.kernel.database import Connection

# Index: channel_setting (its tenant prefix).
_CHANNELS = "SELECT channel, sealed FROM channels_channelsetting WHERE tenant_id = %s AND enabled"


async def load_channels(connection: Connection, tenant_id: UUID) -> Mapping[str, bytes]:
    """The sealed settings of each channel that is on."""
    cursor = await connection.execute(_CHANNELS, (tenant_id,), binary=True)
    return {channel: bytes(sealed) for channel, sealed in await cursor.fetchall()}
