"""Assembles a cycler server: channels, their executors and record files, and their PVs."""

import asyncio
import secrets
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any

from intercalate.contract import IMPEDANCE_COLUMNS
from intercalate.cycler_server.channel import Channel
from intercalate.cycler_server.commands import CommandDesk
from intercalate.cycler_server.executor import ChannelExecutor
from intercalate.cycler_server.ioc import ChannelPVs, CyclerPVs
from intercalate.cycler_server.lease import Lease
from intercalate.cycler_server.ledger import ProgramLedger
from intercalate.cycler_server.records import RecordFile
from intercalate.protocol import SiteLimits

HEARTBEAT_S = 1.0
FIRST_READING_S = 3.0
"""Wall seconds within which a channel that is there gives its first reading."""
_LOOK_S = 0.02


class CyclerServer:
    """All channels of one cycler.

    Parameters
    ----------
    channels
        Backend by channel name; the name is the PV infix, e.g. `CH1`.
    folder
        Where record files and ledgers are kept, one sub-folder per channel.
    prefix
        PV prefix with its trailing colon.
    site
        Limits no program may exceed.
    """

    def __init__(
        self,
        channels: Mapping[str, Channel],
        folder: Path,
        prefix: str,
        site: SiteLimits,
    ):
        boot_id = secrets.randbits(48)
        self.executors = {
            name: ChannelExecutor(
                channel,
                RecordFile(folder / name / "records.f8"),
                RecordFile(folder / name / "impedances.f8", IMPEDANCE_COLUMNS),
                ProgramLedger(folder / name / "programs.jsonl"),
                site,
            )
            for name, channel in channels.items()
        }
        self._pvs = CyclerPVs(prefix=prefix, boot_id=boot_id)
        self._channel_pvs = {
            name: ChannelPVs(prefix=f"{prefix}{name}:", desk=CommandDesk(executor, Lease()), boot_id=boot_id)
            for name, executor in self.executors.items()
        }

    @property
    def pvdb(self) -> dict[str, Any]:
        """Every PV by its full name."""
        pvdb = dict(self._pvs.pvdb)
        for group in self._channel_pvs.values():
            pvdb.update(group.pvdb)
        return pvdb

    def tasks(self) -> list[Coroutine[Any, Any, None]]:
        """What must run beside the PVs."""
        return [self._beat(), *(group.serve() for group in self._channel_pvs.values())]

    async def hear(self) -> None:
        """Return when every channel has given a reading, or after `FIRST_READING_S`: one may be off.

        A client that finds the server can then start a program, and is not refused for want of a reading.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + FIRST_READING_S
        while loop.time() < end and any(one.sample is None for one in self.executors.values()):
            await asyncio.sleep(_LOOK_S)

    async def _beat(self) -> None:
        while True:
            await self._pvs.publish()
            await asyncio.sleep(HEARTBEAT_S)
