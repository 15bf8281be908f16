"""What is left of a program after an interruption: executed once, asked for, and from where it ended."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from intercalate.contract import CyclerState
from intercalate.cycler_server.executor import CommandRefused
from intercalate.cycler_server.ledger import ProgramStatus
from intercalate.protocol import Beginning, BoundProgram, ProtocolError

from .fakes import Bench, charge, make_program, rest

LOOPED = (
    charge(60.0),
    rest(30.0),
    charge(40.0, -10.0),
    {"step": "marker", "marker": "passed"},
    rest(20.0),
    {"step": "loop", "loop_to": 1, "cycle_count": 3},
    charge(50.0, 5.0),
)


def left(bench: Bench, program: BoundProgram) -> BoundProgram:
    """What is left of the last program, acknowledged."""
    info = json.loads(json.dumps(bench.executor.program_info()))
    assert info["settled"]
    bench.executor.acknowledge(info["program_id"])
    return program.rest(Beginning.model_validate(info["left"]))


def interrupt(bench: Bench, way: str) -> None:
    if way == "kill":
        bench.kill()
        bench.boot()
    else:
        bench.executor.stop("a test")
    bench.pass_time(7)


def course(bench: Bench) -> list[tuple[float, float, float, float]]:
    """Step count, step, cycle and net capacity at the end of every segment."""
    table = bench.table()
    last = np.append(np.diff(table["step_count"]) != 0, True)
    names = ("step_count", "step_id", "cycle_count", "net_capacity_ah")
    return [tuple(row) for row in np.array([table[name][last] for name in names]).T.tolist()]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    at_s=st.lists(st.integers(1, 150), min_size=1, max_size=3),
    ways=st.lists(st.sampled_from(["kill", "stop"]), min_size=3, max_size=3),
)
def test_the_parts_together_are_the_whole(
    tmp_path_factory: pytest.TempPathFactory, at_s: list[int], ways: list[str]
) -> None:
    whole, parts = (Bench(tmp_path_factory.mktemp("bench")) for _ in range(2))
    program = make_program(*LOOPED, record={"time_s": 1})
    whole.run(program)
    whole.finish()
    parts.run(program, "p0")
    for number, (part_s, way) in enumerate(zip(at_s, ways), 1):
        parts.pass_time(part_s)
        if parts.executor.run is None:
            break
        interrupt(parts, way)
        parts.run(left(parts, program), f"p{number}")
    parts.finish()
    assert parts.executor.state is CyclerState.COMPLETE
    found = {row[0]: row for row in course(parts)}
    expected = {row[0]: row for row in course(whole)}
    assert found.keys() == expected.keys()
    for step_count, row in expected.items():
        assert found[step_count][1:3] == row[1:3]
        # Up to two seconds of 10 mA more or less for each interruption: readings are a second apart.
        assert found[step_count][3] == pytest.approx(row[3], abs=3 * 2 * 10e-3 / 3600)
    accounts = parts.ledger.entries.values()
    assert sum(entry.charge_ah for entry in accounts) == pytest.approx(parts.cell.charge_ah, abs=1e-12)
    assert parts.table()["net_capacity_ah"][-1] == pytest.approx(parts.cell.charge_ah, abs=1e-12)
    assert (np.diff(parts.table()["test_time_second"]) >= 0).all()


def interrupted(tmp_path: Path, **options: Any) -> tuple[Bench, BoundProgram, BoundProgram]:
    bench = Bench(tmp_path)
    program = make_program(charge(100.0), rest(50.0), **options)
    bench.run(program)
    bench.pass_time(40)
    interrupt(bench, "kill")
    return bench, program, left(bench, program)


def test_what_is_left_is_not_executed_twice(tmp_path: Path) -> None:
    bench, _, rest_of_it = interrupted(tmp_path)
    bench.run(rest_of_it, "p2")
    bench.pass_time(10)
    bench.executor.stop("a test")
    bench.pass_time(5)
    bench.executor.acknowledge("p2")
    with pytest.raises(CommandRefused, match="goes on with 'p1', but on this channel the last was 'p2'"):
        bench.run(rest_of_it, "p3")
    assert bench.executor.run is None


def test_what_is_left_begins_where_the_ledger_says(tmp_path: Path) -> None:
    bench, program, rest_of_it = interrupted(tmp_path)
    assert rest_of_it.begin is not None
    earlier = program.rest(rest_of_it.begin.model_copy(update={"passed_s": 0.0}))
    with pytest.raises(CommandRefused, match="does not begin where 'p1' ended"):
        bench.run(earlier, "p2")


def test_what_is_left_of_an_interrupted_program_waits_for_the_acknowledgement(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    program = make_program(charge(100.0))
    bench.run(program)
    bench.pass_time(40)
    interrupt(bench, "kill")
    begin = Beginning.model_validate(bench.executor.program_info()["left"])
    with pytest.raises(CommandRefused, match="acknowledge that id first"):
        bench.run(program.rest(begin), "p2")


def test_another_program_in_between_ends_it(tmp_path: Path) -> None:
    bench, _, rest_of_it = interrupted(tmp_path)
    bench.run(make_program(charge(10.0, -10.0)), "another")
    bench.finish()
    with pytest.raises(CommandRefused, match="start what is left as a new protocol"):
        bench.run(rest_of_it, "p2")


def test_the_state_of_charge_and_its_end_go_on(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    program = make_program(
        {"step": "constant_current", "current_mA": 10.0, "until_soc": 0.5, "until_time_s": 3600},
        initial_soc=0.4,
    )
    bench.run(program)
    bench.pass_time(200)
    interrupt(bench, "kill")
    bench.run(left(bench, program), "p2")
    bench.finish()
    assert bench.table()["soc"][-1] == pytest.approx(0.5, abs=1e-3)


def test_a_program_that_is_complete_has_nothing_left(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.run(make_program(charge(20.0)))
    bench.finish()
    info = bench.executor.program_info()
    assert (info["status"], info["left"]) == (ProgramStatus.COMPLETE, None)


def test_a_position_of_another_program_is_refused(tmp_path: Path) -> None:
    *_, rest_of_it = interrupted(tmp_path)
    begin = rest_of_it.begin
    assert begin is not None
    elsewhere = begin.position.model_copy(update={"block": 7})
    with pytest.raises(ProtocolError, match="belongs to another program"):
        make_program(charge(10.0)).rest(begin.model_copy(update={"position": elsewhere}))
    again = BoundProgram.from_json(rest_of_it.to_json())
    assert again == rest_of_it
    assert again.sha256 == rest_of_it.sha256
