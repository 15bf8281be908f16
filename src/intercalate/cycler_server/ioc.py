"""Channel Access face of a cycler: one group of PVs per channel, and one for the server."""

# caproto's handlers carry the name of the PV they belong to.
# pyright: reportGeneralTypeIssues=false, reportArgumentType=false

import asyncio
import contextlib
import json
import math
import time
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
from caproto import ChannelType
from caproto.server import PVGroup
from caproto.server import pvproperty as caproto_property

from intercalate.contract import (
    COMMAND_BYTES,
    IMPEDANCE_COLUMNS,
    RECORD_BLOCK_HEADER,
    RECORD_BLOCK_ROWS,
    RECORD_COLUMNS,
    CyclerState,
    EndReason,
    Fault,
    StepType,
    code_of,
)
from intercalate.cycler_server.commands import CommandDesk
from intercalate.cycler_server.executor import ChannelExecutor
from intercalate.cycler_server.records import RecordFile
from intercalate.cycler_server.text_pv import from_wire, text_keywords, to_wire

# caproto's annotations know neither record types by name nor putters of a subclass.
pvproperty: Any = caproto_property

DOORBELL_PERIOD_S = 0.02
"""Wall seconds between two publications at least: the doorbell rings no more often."""

LIVE_PERIOD_S = 0.25
"""Wall seconds between two publications of live values, and between two looks at the lease."""

NO_READING = math.nan
"""Of a channel that has not answered yet: 0 V would be a reading."""

MESSAGE_BYTES = 1024
NAME_BYTES = 256


def _call(method: str) -> Callable[..., Awaitable[Any]]:
    """Putter or getter that calls this method of the group."""

    async def call(group: PVGroup, instance: Any, *values: Any) -> Any:
        return await getattr(group, method)(*values)

    return call


def _reading(attribute: str) -> Callable[..., Awaitable[Any]]:
    """Getter of the latest reading: monitors see it a few times per second, a read sees it now."""

    async def read(group: "ChannelPVs", instance: Any) -> Any:
        sample = group.desk.executor.sample
        return instance.value if sample is None else getattr(sample, attribute)

    return read


class CyclerPVs(PVGroup):
    """The server itself."""

    heartbeat = pvproperty(name="Heartbeat", value=0, dtype=ChannelType.LONG, read_only=True)
    boot_id = pvproperty(name="BootId", value=0.0, dtype=ChannelType.DOUBLE, read_only=True)

    def __init__(self, *args: Any, boot_id: int, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self._boot_id = boot_id

    async def publish(self) -> None:
        """Refresh what shows that the server lives."""
        await self.heartbeat.write((self.heartbeat.value + 1) % 2**31)
        if self.boot_id.value != self._boot_id:
            await self.boot_id.write(self._boot_id)


class ChannelPVs(PVGroup):
    """One channel: live values, state, commands and records."""

    state = pvproperty(
        name="State", value=0, dtype=ChannelType.ENUM, enum_strings=list(CyclerState), read_only=True
    )
    fault = pvproperty(
        name="Fault", value=0, dtype=ChannelType.ENUM, enum_strings=list(Fault), read_only=True
    )
    fault_message = pvproperty(name="FaultMessage", **text_keywords(MESSAGE_BYTES), read_only=True)
    voltage = pvproperty(
        name="Voltage", get=_reading("voltage_v"), value=NO_READING, units="V", precision=4, read_only=True
    )
    current = pvproperty(
        name="Current", get=_reading("current_a"), value=NO_READING, units="A", precision=6, read_only=True
    )
    temperature = pvproperty(
        name="Temperature",
        get=_reading("temperature_c"),
        value=NO_READING,
        units="degC",
        precision=2,
        read_only=True,
    )
    test_time = pvproperty(name="TestTime", value=0.0, units="s", precision=1, read_only=True)
    net_capacity = pvproperty(name="NetCapacity", value=0.0, units="Ah", precision=6, read_only=True)
    state_of_charge = pvproperty(name="StateOfCharge", value=0.0, precision=4, read_only=True)
    step_id = pvproperty(name="StepId", value=0, dtype=ChannelType.LONG, read_only=True)
    step_type = pvproperty(
        name="StepType", value=0, dtype=ChannelType.ENUM, enum_strings=list(StepType), read_only=True
    )
    cycle_count = pvproperty(name="CycleCount", value=0, dtype=ChannelType.LONG, read_only=True)
    end_reason = pvproperty(
        name="EndReason", value=0, dtype=ChannelType.ENUM, enum_strings=list(EndReason), read_only=True
    )
    program = pvproperty(name="Program", **text_keywords(COMMAND_BYTES), read_only=True)
    lease_owner = pvproperty(name="LeaseOwner", **text_keywords(NAME_BYTES), read_only=True)
    lease_remaining = pvproperty(name="LeaseRemaining", value=0.0, units="s", precision=0, read_only=True)
    unix_time = pvproperty(
        name="UnixTime", get=_call("get_unix_time"), value=0.0, units="s", precision=3, read_only=True
    )
    rate = pvproperty(name="Rate", value=1.0, precision=1, read_only=True)
    command = pvproperty(name="Command", put=_call("put_command"), **text_keywords(COMMAND_BYTES))
    reply = pvproperty(name="Reply", **text_keywords(COMMAND_BYTES), read_only=True)
    stop = pvproperty(name="Stop", put=_call("put_stop"), value=0, dtype=ChannelType.LONG)
    record_seq = pvproperty(name="RecordSeq", value=0, dtype=ChannelType.LONG, read_only=True)
    capabilities = pvproperty(name="Capabilities", **text_keywords(NAME_BYTES), read_only=True)
    impedance_seq = pvproperty(name="ImpedanceSeq", value=0, dtype=ChannelType.LONG, read_only=True)
    impedance_request = pvproperty(
        name="ImpedanceRequest", put=_call("put_impedance_request"), value=0, dtype=ChannelType.LONG
    )
    impedance_block = pvproperty(
        name="ImpedanceBlock",
        value=[0.0],
        dtype=ChannelType.DOUBLE,
        max_length=len(RECORD_BLOCK_HEADER) + RECORD_BLOCK_ROWS * len(IMPEDANCE_COLUMNS),
        read_only=True,
    )
    record_request = pvproperty(
        name="RecordRequest", put=_call("put_record_request"), value=0, dtype=ChannelType.LONG
    )
    record_block = pvproperty(
        name="RecordBlock",
        value=[0.0],
        dtype=ChannelType.DOUBLE,
        max_length=len(RECORD_BLOCK_HEADER) + RECORD_BLOCK_ROWS * len(RECORD_COLUMNS),
        read_only=True,
    )

    def __init__(self, *args: Any, desk: CommandDesk, boot_id: int, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.desk = desk
        self._boot_id = boot_id
        self._revision = -1
        self._publishing = asyncio.Lock()
        self.changed = asyncio.Event()
        desk.executor.on_change = self.changed.set

    async def put_command(self, value: Any) -> Any:
        """Obey a command; its answer is in `Reply` when the put completes."""
        answer = self.desk.answer(from_wire(value))
        await self.publish()
        await self.reply.write(to_wire(json.dumps(answer), COMMAND_BYTES))
        return value

    async def put_stop(self, value: Any) -> Any:
        """Open circuit, whoever asks."""
        self.desk.executor.stop("stopped by hand")
        await self.publish()
        return value

    async def put_record_request(self, value: Any) -> Any:
        """Serve a block of records in `RecordBlock`."""
        await self._serve_block(self.desk.executor.records, self.record_block, int(value))
        return value

    async def put_impedance_request(self, value: Any) -> Any:
        """Serve a block of spectra in `ImpedanceBlock`."""
        await self._serve_block(self.desk.executor.impedances, self.impedance_block, int(value))
        return value

    async def _serve_block(self, file: RecordFile, block: Any, requested: int) -> None:
        start = max(0, requested)
        rows = file.read(start)
        header = (self._boot_id, requested, 0, start + len(rows), len(rows), file.synced)
        await block.write(np.concatenate([header, rows.ravel()]))

    async def get_unix_time(self) -> float:
        """The channel's clock at the moment of the read."""
        return self.desk.executor.channel.unix_time_s()

    async def publish(self, *, live: bool = True) -> None:
        """Bring every PV that differs up to date: records first, then the state they led to.

        Parameters
        ----------
        live
            Readings and the lease too.
        """
        async with self._publishing:
            executor = self.desk.executor
            values = self._states(executor)
            if live or values:
                values += self._live_values(executor)
            await self._announce(executor)
            for pv, value in values:
                if _differs(pv, value):
                    await pv.write(value, verify_value=False)

    async def _announce(self, executor: ChannelExecutor) -> None:
        """Raise the numbers of spectra and of records, when they are on the disk."""
        for file, announced in (
            (executor.impedances, self.impedance_seq),
            (executor.records, self.record_seq),
        ):
            if file.synced < len(file):
                try:
                    await asyncio.to_thread(file.sync)
                except OSError as error:
                    executor.storage_failed(str(error))
            if announced.value != file.synced:
                await announced.write(file.synced, verify_value=False)

    def _states(self, executor: ChannelExecutor) -> list[tuple[Any, Any]]:
        if executor.revision == self._revision:
            return []
        self._revision = executor.revision
        message = executor.latched[1] if executor.latched else ""
        values: list[tuple[Any, Any]] = [
            (self.program, to_wire(json.dumps(executor.program_info()), COMMAND_BYTES)),
            (self.fault, code_of(executor.fault)),
            (self.fault_message, to_wire(message, MESSAGE_BYTES)),
            (self.end_reason, code_of(executor.last_end)),
        ]
        run = executor.run
        if run is not None:
            values += [
                (self.step_id, run.segment.step_id),
                (self.step_type, code_of(run.step_type)),
                (self.cycle_count, run.segment.cycle),
            ]
        return [*values, (self.state, code_of(executor.state))]

    def _live_values(self, executor: ChannelExecutor) -> list[tuple[Any, Any]]:
        lease, sample, run = self.desk.lease, executor.sample, executor.run
        values: list[tuple[Any, Any]] = [
            (self.lease_owner, to_wire(lease.owner, NAME_BYTES)),
            (self.lease_remaining, round(lease.remaining_s)),
            (self.rate, executor.channel.rate),
            (self.capabilities, to_wire(" ".join(sorted(executor.channel.capabilities)), NAME_BYTES)),
        ]
        if sample is not None:
            values += [
                (self.voltage, sample.voltage_v),
                (self.current, sample.current_a),
                (self.temperature, sample.temperature_c),
            ]
        if sample is not None and run is not None:
            values += [
                (self.test_time, run.test_time_s(sample)),
                (self.net_capacity, run.totals.net_ah),
                (self.state_of_charge, run.soc),
            ]
        return values

    async def serve(self) -> None:
        """Publish, and watch lease and channel, until cancelled; then the cell is left at open circuit."""
        executor = self.desk.executor
        next_live = 0.0
        try:
            while True:
                self.changed.clear()
                now = time.monotonic()
                self.desk.expire()
                executor.watch(now)
                live = now >= next_live
                await self.publish(live=live)
                if live:
                    next_live = now + LIVE_PERIOD_S
                await asyncio.sleep(DOORBELL_PERIOD_S)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self.changed.wait(), LIVE_PERIOD_S - DOORBELL_PERIOD_S)
        finally:
            executor.stop("the cycler server was ended")
            with contextlib.suppress(OSError):
                executor.records.sync()
                executor.impedances.sync()


def _differs(pv: Any, value: Any) -> bool:
    current = pv.value
    if pv.data_type is ChannelType.ENUM and isinstance(current, str):
        return pv.enum_strings.index(current) != value
    # NaN differs from itself.
    return current != value and (current == current or value == value)
