"""A client that gives up ends its own program and no other, however late its commands arrive."""

import pytest

from intercalate.contract import CyclerState, OnLoss
from intercalate.cycler_server.executor import CommandRefused
from intercalate.cycler_server.ledger import ProgramStatus

from .fakes import Bench, charge, make_program

PROGRAM = make_program(charge(100))


def test_a_running_program_is_interrupted(bench: Bench) -> None:
    bench.run(PROGRAM)
    bench.pass_time(10)
    bench.executor.withdraw("p1", "the plan was aborted")
    bench.pass_time(1)
    assert bench.executor.state is CyclerState.INTERRUPTED
    assert bench.cell.current_a == 0


def test_a_start_that_arrives_after_the_withdrawal_comes_too_late(bench: Bench) -> None:
    bench.executor.load("p1", PROGRAM, OnLoss.REST)
    bench.executor.withdraw("p1", "the plan was aborted")
    with pytest.raises(CommandRefused, match="p1"):
        bench.executor.start("p1")
    bench.pass_time(5)
    assert bench.cell.charge_ah == 0


def test_a_load_that_arrives_after_the_withdrawal_comes_too_late(bench: Bench) -> None:
    bench.executor.withdraw("p1", "the plan was aborted")
    with pytest.raises(CommandRefused, match="withdrawn: the plan was aborted"):
        bench.executor.load("p1", PROGRAM, OnLoss.REST)
    bench.kill()
    bench.boot()
    with pytest.raises(CommandRefused, match="withdrawn"):
        bench.executor.load("p1", PROGRAM, OnLoss.REST)


def test_another_program_goes_on(bench: Bench) -> None:
    bench.run(PROGRAM, "theirs")
    bench.pass_time(10)
    bench.executor.withdraw("mine", "the plan was aborted")
    assert bench.executor.state is CyclerState.RUNNING
    bench.finish()
    assert bench.ledger.entries["theirs"].status is ProgramStatus.COMPLETE


def test_a_complete_program_stays_complete(bench: Bench) -> None:
    bench.run(PROGRAM)
    bench.finish()
    bench.executor.withdraw("p1", "the plan was aborted")
    assert bench.executor.state is CyclerState.COMPLETE
    assert bench.ledger.entries["p1"].status is ProgramStatus.COMPLETE


def test_over_the_wire_the_id_makes_the_difference(bench: Bench) -> None:
    bench.run(PROGRAM)
    assert bench.ask("stop", "me", program_id="another")["ok"]
    assert bench.executor.state is CyclerState.RUNNING
    assert bench.ask("stop", "me")["ok"]
    assert bench.executor.state is CyclerState.INTERRUPTED
