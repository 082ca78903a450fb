"""A tenant's channels as the hot path holds them: which are on, and with what settings."""

from collections.abc import Mapping
from uuid import UUID

from tidings.channels.contract import Values
from tidings.kernel.database import Connection
from tidings.kernel.secrets import unseal

# Index: channel_setting (its tenant prefix).
_CHANNELS = "SELECT channel, sealed FROM channels_channelsetting WHERE tenant_id = %s AND enabled"


async def load_channels(connection: Connection, tenant_id: UUID) -> Mapping[str, Values]:
    """The settings, opened, of each channel that is on."""
    cursor = await connection.execute(_CHANNELS, (tenant_id,), binary=True)
    return {channel: unseal(bytes(sealed)) for channel, sealed in await cursor.fetchall()}
