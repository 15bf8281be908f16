"""Channel Access face of a cycler: one group of PVs per channel, and one for the server."""

import asyncio
import json
import time
from typing import Any

import numpy as np
from caproto import ChannelType
from caproto.server import PVGroup, pvproperty

from intercalate.contract import (
    COMMAND_BYTES,
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
from intercalate.cycler_server.text_pv import from_wire, text_keywords, to_wire

PUBLISH_PERIOD_S = 0.05
"""Wall seconds between two publications of live values; the doorbell rings no more often."""

MESSAGE_BYTES = 1024
NAME_BYTES = 256


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
    voltage = pvproperty(name="Voltage", value=0.0, units="V", precision=4, read_only=True)
    current = pvproperty(name="Current", value=0.0, units="A", precision=6, read_only=True)
    temperature = pvproperty(name="Temperature", value=0.0, units="degC", precision=2, read_only=True)
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
    unix_time = pvproperty(name="UnixTime", value=0.0, units="s", precision=3, read_only=True)
    rate = pvproperty(name="Rate", value=1.0, precision=1, read_only=True)
    command = pvproperty(name="Command", **text_keywords(COMMAND_BYTES))
    reply = pvproperty(name="Reply", **text_keywords(COMMAND_BYTES), read_only=True)
    stop = pvproperty(name="Stop", value=0, dtype=ChannelType.LONG)
    record_seq = pvproperty(name="RecordSeq", value=0, dtype=ChannelType.LONG, read_only=True)
    record_request = pvproperty(name="RecordRequest", value=0, dtype=ChannelType.LONG)
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
        self.changed = asyncio.Event()
        desk.executor.on_change = self.changed.set

    @command.putter
    async def command(self, instance: Any, value: Any) -> Any:
        answer = self.desk.answer(from_wire(value))
        await self.publish()
        await self.reply.write(to_wire(json.dumps(answer), COMMAND_BYTES))
        return value

    @stop.putter
    async def stop(self, instance: Any, value: Any) -> Any:
        self.desk.executor.stop("stopped by hand")
        await self.publish()
        return value

    @record_request.putter
    async def record_request(self, instance: Any, value: Any) -> Any:
        records = self.desk.executor.records
        start = max(0, int(value))
        rows = records.read(start)
        header = (self._boot_id, int(value), 0, start + len(rows), len(rows))
        await self.record_block.write(np.concatenate([header, rows.ravel()]))
        return value

    @unix_time.getter
    async def unix_time(self, instance: Any) -> float:
        return self.desk.executor.channel.unix_time_s()

    async def publish(self) -> None:
        """Bring every PV that differs up to date; the doorbell last."""
        executor, lease = self.desk.executor, self.desk.lease
        values: list[tuple[Any, Any]] = [
            (self.state, code_of(executor.state)),
            (self.fault, code_of(executor.fault)),
            (self.fault_message, to_wire(executor.end_fault[1] if executor.end_fault else "", MESSAGE_BYTES)),
            (self.end_reason, code_of(executor.last_end)),
            (self.program, to_wire(json.dumps(executor.program_info()), COMMAND_BYTES)),
            (self.lease_owner, to_wire(lease.owner, NAME_BYTES)),
            (self.lease_remaining, round(lease.remaining_s)),
            (self.rate, executor.channel.rate),
        ]
        sample, run = executor.sample, executor.run
        if sample is not None:
            values += [
                (self.voltage, sample.voltage_v),
                (self.current, sample.current_a),
                (self.temperature, sample.temperature_c),
            ]
            if run is not None:
                values += [
                    (self.test_time, sample.unix_time_s - run.started.unix_time_s),
                    (self.net_capacity, run.totals.net_ah),
                    (self.step_id, run.segment.step_id),
                    (self.step_type, code_of(run.segment.step_type)),
                    (self.cycle_count, run.segment.cycle),
                ]
                if run.program.initial_soc is not None and run.program.capacity_ah is not None:
                    soc = run.program.initial_soc + run.totals.net_ah / run.program.capacity_ah
                    values.append((self.state_of_charge, soc))
        values.append((self.record_seq, len(executor.records)))
        for pv, value in values:
            if _differs(pv, value):
                await pv.write(value, verify_value=False)

    async def serve(self) -> None:
        """Publish and watch the lease, until cancelled."""
        synced = time.monotonic()
        while True:
            self.desk.expire()
            await self.publish()
            if time.monotonic() - synced > 1.0:
                synced = time.monotonic()
                await asyncio.to_thread(self.desk.executor.records.sync)
            self.changed.clear()
            await asyncio.sleep(PUBLISH_PERIOD_S)


def _differs(pv: Any, value: Any) -> bool:
    current = pv.value
    if pv.data_type is ChannelType.ENUM:
        return pv.enum_strings.index(current) != value if isinstance(current, str) else current != value
    return current != value
