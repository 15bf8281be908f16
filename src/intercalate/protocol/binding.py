"""Whether this cell at this site can do this protocol, and the program that does it."""

from typing import Literal

from intercalate.cell import Cell
from intercalate.contract import COMMAND_BYTES, Capability
from intercalate.problems import Problem
from intercalate.protocol import steps
from intercalate.protocol.checks import check_sequence
from intercalate.protocol.expansion import DriveTerms, expand
from intercalate.protocol.program import Back, Block, BoundProgram, Limits
from intercalate.protocol.protocol import Protocol
from intercalate.protocol.segment import RecordCriteria
from intercalate.protocol.site import SiteLimits
from intercalate.protocol.steps import ProtocolError
from intercalate.protocol.structure import Outline, target_index

CAPACITY_AGREEMENT = 0.01
"""Largest relative difference between two statements of one capacity: rounding, not another cell."""

COMMAND_MARGIN_BYTES = 4096
"""Left in a command for what is sent around the program."""


class FeasibilityError(ProtocolError):
    """A well-formed protocol that this cell at this site cannot do; `problems` lists why."""


def bind(
    protocol: Protocol,
    cell: Cell,
    site: SiteLimits,
    *,
    initial_soc: float | None = None,
    capacity_from: Literal["cell", "protocol"] | None = None,
) -> BoundProgram:
    """Check that a protocol is feasible and make the program a cycler executes.

    The interlock limits of the program are the intersection of the site's and the protocol's
    `safety`; its set points and cut-offs lie within the cell's voltage window besides. The window
    is no interlock limit, since a fresh cell lies outside it.

    C-rates refer to the cell's 1C current times one hour, or, where the cell states none, to the
    protocol's `sample.capacity_mAh`. Two statements that differ by more than 1 % are refused, since
    nobody can tell which one the rates were meant for; `capacity_from` then decides.

    Parameters
    ----------
    protocol, cell, site
        What to do, to what, where.
    initial_soc
        State of charge at the start, 0 to 1; `until_soc` needs it.
    capacity_from
        Whose capacity is right if they differ.

    Returns
    -------
    BoundProgram
        Within all limits, with a worst-case duration for every step.

    Raises
    ------
    FeasibilityError
        Lists every problem found.
    """
    problems: list[Problem] = []
    limits = narrow_limits(protocol, cell, site, problems)
    capacity_mAh = _capacity_mAh(protocol, cell, capacity_from, problems)
    if initial_soc is not None and not 0 <= initial_soc <= 1:
        problems.append(Problem("initial_soc", initial_soc, "0 to 1", "give a fraction"))
    terms = DriveTerms(
        limits=limits,
        capacity_ah=None if capacity_mAh is None else capacity_mAh / 1000,
        initial_soc=initial_soc,
        record=_record(protocol.record),
        problems=problems,
    )
    blocks = _blocks(protocol, terms, site)
    problems += check_sequence(protocol.method, capacity_mAh)
    if problems:
        raise FeasibilityError(_title(protocol, cell), problems)
    program = BoundProgram(
        protocol_sha256=protocol.sha256,
        capacity_ah=terms.capacity_ah,
        initial_soc=initial_soc,
        limits=limits,
        blocks=tuple(blocks),
    )
    problems += _whole_program_problems(program, site)
    if problems:
        raise FeasibilityError(_title(protocol, cell), problems)
    return program


def narrow_limits(protocol: Protocol, cell: Cell, site: SiteLimits, problems: list[Problem]) -> Limits:
    """Intersect the limits of site, protocol and cell; a contradiction is added to `problems`."""
    safety = protocol.safety
    low = max(v for v in (site.min_voltage_V, safety.min_voltage_V) if v is not None)
    high = min(v for v in (site.max_voltage_V, safety.max_voltage_V) if v is not None)
    lowest = max(v for v in (low, cell.min_voltage_V) if v is not None)
    highest = min(v for v in (high, cell.max_voltage_V) if v is not None)
    if lowest >= highest:
        limit = f"site, protocol and cell leave no voltage: {lowest:g} V to {highest:g} V"
        problems.append(Problem("safety.min_voltage_V", safety.min_voltage_V, limit, "correct one of them"))
    for name, value, sign in (
        ("max_current_mA", safety.max_current_mA, 1),
        ("min_current_mA", safety.min_current_mA, -1),
    ):
        if value is not None and value * sign < 0:
            limit = "no rest would be within the limits; + charges, - discharges"
            problems.append(Problem(f"safety.{name}", value, limit, "change its sign"))
    charge_mA = [v for v in (site.max_current_mA, safety.max_current_mA) if v is not None]
    discharge_mA = [v for v in (-site.max_current_mA, safety.min_current_mA) if v is not None]
    capacities_mAh = [v for v in (site.max_capacity_mAh, safety.max_capacity_mAh) if v is not None]
    delays_s = [v for v in (site.interlock_delay_s, safety.delay_s) if v is not None]
    return Limits(
        min_voltage_v=low,
        max_voltage_v=high,
        min_current_a=min(max(discharge_mA), 0.0) / 1000,
        max_current_a=max(min(charge_mA), 0.0) / 1000,
        min_temperature_c=site.min_temperature_C,
        max_temperature_c=site.max_temperature_C,
        max_capacity_ah=min(capacities_mAh) / 1000 if capacities_mAh else None,
        delay_s=min(delays_s),
        cell_min_voltage_v=cell.min_voltage_V,
        cell_max_voltage_v=cell.max_voltage_V,
    )


def _capacity_mAh(
    protocol: Protocol, cell: Cell, capacity_from: str | None, problems: list[Problem]
) -> float | None:
    """Capacity that 1C empties in one hour."""
    of_cell, of_protocol = cell.one_c_current_mA, protocol.sample.capacity_mAh
    if capacity_from is not None:
        chosen = of_cell if capacity_from == "cell" else of_protocol
        if chosen is None:
            limit = f"the {capacity_from} states no capacity"
            problems.append(
                Problem("capacity_from", capacity_from, limit, "state it there, or leave this out")
            )
        return chosen
    if of_cell is not None and of_protocol is not None:
        if abs(of_cell - of_protocol) > CAPACITY_AGREEMENT * of_cell:
            limit = f"the cell's 1C current is {of_cell:g} mA"
            fix = "correct one, leave sample.capacity_mAh out, or say capacity_from"
            problems.append(Problem("sample.capacity_mAh", of_protocol, limit, fix))
        return of_cell
    return of_cell if of_cell is not None else of_protocol


def _record(record: steps.Record) -> RecordCriteria:
    current_a = None if record.current_mA is None else record.current_mA / 1000
    return RecordCriteria(record.time_s, record.voltage_V, current_a)


def _blocks(protocol: Protocol, terms: DriveTerms, site: SiteLimits) -> list[Block]:
    """Steps and loops of the method; tags and refused steps leave no block."""
    outlines = [Outline(s.step, getattr(s, "tag", ""), getattr(s, "loop_to", 1)) for s in protocol.method]
    blocks: list[Block] = []
    block_at: list[int] = []
    for index, step in enumerate(protocol.method):
        block_at.append(len(blocks))
        if isinstance(step, steps.Tag):
            continue
        if isinstance(step, steps.Loop):
            target = target_index(outlines, outlines[index])
            assert target is not None
            blocks.append(Back(to=block_at[target], passes=step.cycle_count))
        elif step.step in set(Capability) - site.capabilities:
            terms.problems.append(_not_declared(index, step.step))
        else:
            run = expand(step, index, terms)
            blocks += [run] if run is not None else []
    return blocks


def _not_declared(index: int, step: str) -> Problem:
    limit = "the site does not declare that its channels can do this"
    fix = "leave it out, or name it in [site] capabilities if they can"
    return Problem(f"method[{index}].step", step, limit, fix)


def _whole_program_problems(program: BoundProgram, site: SiteLimits) -> list[Problem]:
    problems = program.problems_at(site)
    size, most = len(program.to_json().encode()), COMMAND_BYTES - COMMAND_MARGIN_BYTES
    if size > most:
        fix = "use loops, or larger steps in pitt"
        problems.append(Problem("method", f"{size} bytes", f"a program has at most {most} bytes", fix))
    return problems


def _title(protocol: Protocol, cell: Cell) -> str:
    return f"protocol {protocol.sha256[:8]} on cell {cell.name}"
