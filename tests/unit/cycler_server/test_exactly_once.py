"""Whatever two clients do, and however often the server dies: nothing charges twice, no charge is lost."""

import itertools
import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intercalate.contract import CyclerState, OnLoss
from intercalate.cycler_server.executor import CommandRefused
from intercalate.cycler_server.ledger import ProgramStatus

from .fakes import Bench, charge, make_program, rest

PROGRAMS = {
    "p1": make_program(charge(60), rest(20), charge(30, -10)).to_json(),
    "p2": make_program(charge(40, 20), {"step": "wait_for_release", "max_s": 50}).to_json(),
    "p3": make_program(charge(30, -5), {"step": "marker", "marker": "m"}, charge(30, 5)).to_json(),
}

_clients = st.sampled_from(["a", "b"])
_ids = st.sampled_from(sorted(PROGRAMS))
_commands = st.one_of(
    st.tuples(st.just("run"), _clients, _ids),
    st.tuples(st.just("recover"), _clients, _ids),
    st.tuples(st.sampled_from(["load", "start", "acknowledge"]), _clients, _ids),
    st.tuples(
        st.sampled_from(["stop", "hold", "resume", "release", "clear_fault", "take_lease", "drop_lease"]),
        _clients,
        _ids,
    ),
)
_events = st.one_of(
    _commands,
    _commands,
    st.tuples(st.just("time"), st.integers(1, 60)),
    st.tuples(st.just("time"), st.integers(1, 60)),
    st.tuples(st.just("lost reply")),
    st.tuples(st.just("crash")),
    st.tuples(st.just("heat"), st.integers(1, 12)),
    st.tuples(st.just("unplugged")),
    st.tuples(st.just("client gone")),
)


class Story:
    """Plays events, as a client would send them, and keeps what was sent."""

    def __init__(self, folder: Path):
        self.bench = Bench(folder)
        self.sent: list[str] = []
        self._number = 0

    def send(self, verb: str, owner: str, program_id: str) -> None:
        self._number += 1
        command = {"request_id": str(self._number), "verb": verb, "owner": owner, "program_id": program_id}
        command |= {"program": PROGRAMS[program_id], "on_client_lost": "rest", "duration_s": 60}
        self.sent.append(json.dumps(command))
        self.bench.desk.answer(self.sent[-1])

    def play(self, event: tuple) -> None:
        bench = self.bench
        match event:
            case ("run", owner, program_id):
                for verb in ("take_lease", "load", "start"):
                    self.send(verb, owner, program_id)
            case ("recover", owner, program_id):
                self.send("take_lease", owner, program_id)
                self.send("clear_fault", owner, program_id)
                for known in PROGRAMS:
                    self.send("acknowledge", owner, known)
                self.play(("run", owner, program_id))
            case ("time", seconds):
                bench.pass_time(seconds)
                bench.monotonic_s += seconds
                bench.desk.expire()
            case ("lost reply",):
                if self.sent:
                    bench.desk.answer(self.sent[-1])
            case ("crash",):
                bench.kill()
                bench.boot()
            case ("heat", seconds):
                bench.channel.temperature_c = 90.0
                bench.pass_time(seconds)
                bench.channel.temperature_c = None
            case ("unplugged",):
                segment = bench.channel.segment
                bench.executor.on_lost("unplugged")
                if segment is not None:
                    bench.cell.advance(segment.mode, segment.setpoint, 1.0)
                bench.executor.on_found()
                bench.pass_time(1)
            case ("client gone",):
                bench.monotonic_s += 61
                bench.desk.expire()
            case (verb, owner, program_id):
                self.send(verb, owner, program_id)


def starts(bench: Bench) -> Counter:
    """How often each program was started, by the ledger's own file."""
    lines = (bench.folder / "programs.jsonl").read_text().splitlines()
    found: Counter = Counter()
    before: dict[str, str] = {}
    for event in map(json.loads, lines):
        if event["event"] == "program":
            was, before[event["program_id"]] = before.get(event["program_id"]), event["status"]
            found[event["program_id"]] += event["status"] == "running" and was != "running"
    return found


@settings(max_examples=120, deadline=None)
@given(st.lists(_events, min_size=1, max_size=25))
def test_no_story_charges_twice_or_loses_charge(tmp_path_factory, events: list[tuple]) -> None:
    story = Story(tmp_path_factory.mktemp("story"))
    bench = story.bench
    for event in events:
        story.play(event)
        if bench.executor.state not in (CyclerState.RUNNING, CyclerState.HOLDING):
            assert not bench.channel.flows, "a current without a program"
    bench.executor.stop("the story is over")
    bench.pass_time(3)
    assert bench.cell.current_a == 0
    assert all(count <= 1 for count in starts(bench).values())
    entries = bench.ledger.entries.values()
    assert sum(e.charge_ah for e in entries) == pytest.approx(bench.cell.charge_ah, abs=1e-12)
    records = bench.table()["record_seq"]
    assert list(records) == list(range(len(records)))
    taken = sorted((e.first_record, e.end_record) for e in entries if e.end_record > e.first_record)
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(taken))
    bench.kill()
    bench.boot()
    bench.pass_time(1)
    assert sum(e.charge_ah for e in bench.ledger.entries.values()) == pytest.approx(
        bench.cell.charge_ah, abs=1e-12
    )
    bench.kill()


def test_an_interrupted_program_latches_across_a_crash_until_it_is_acknowledged(bench: Bench) -> None:
    bench.run(make_program(charge(100)))
    bench.pass_time(30)
    bench.kill()
    bench.boot()
    assert bench.executor.state is CyclerState.INTERRUPTED
    entry = bench.ledger.entries["p1"]
    assert entry.charge_ah == pytest.approx(bench.cell.charge_ah)
    assert entry.charge_ah == pytest.approx(10e-3 * 31 / 3600)
    assert entry.end_record == len(bench.records) == 4
    for program_id in ("p1", "p2"):
        with pytest.raises(CommandRefused, match="p1"):
            bench.run(make_program(charge(100)), program_id)
    with pytest.raises(CommandRefused, match="'p1'"):
        bench.executor.acknowledge("p2")
    bench.executor.acknowledge("p1")
    with pytest.raises(CommandRefused, match="not repeated"):
        bench.run(make_program(charge(100)))
    bench.run(make_program(charge(10)), "p2")
    bench.finish()
    assert bench.executor.state is CyclerState.COMPLETE


def test_the_same_id_attaches_and_a_new_one_waits(bench: Bench) -> None:
    program = make_program(charge(100))
    bench.run(program)
    bench.pass_time(10)
    assert bench.executor.load("p1", program, OnLoss.REST) is ProgramStatus.RUNNING
    assert bench.executor.start("p1") is ProgramStatus.RUNNING
    with pytest.raises(CommandRefused, match="is running"):
        bench.executor.load("p2", program, OnLoss.REST)
    with pytest.raises(CommandRefused, match="belongs to another program"):
        bench.executor.load("p1", make_program(charge(50)), OnLoss.REST)
    bench.finish()
    passed = bench.cell.charge_ah
    bench.run(program)
    bench.pass_time(10)
    assert bench.executor.state is CyclerState.COMPLETE
    assert bench.cell.charge_ah == passed
    bench.kill()
    bench.boot()
    bench.run(program)
    assert bench.executor.state is CyclerState.COMPLETE
    assert not bench.channel.given


def test_what_was_never_started_may_be_loaded_again(bench: Bench) -> None:
    program = make_program(charge(100))
    bench.executor.load("p1", program, OnLoss.REST)
    bench.executor.load("p2", program, OnLoss.REST)
    with pytest.raises(CommandRefused, match="load it again"):
        bench.executor.start("p1")
    bench.kill()
    bench.boot()
    assert bench.executor.state is CyclerState.IDLE
    bench.executor.load("p1", program, OnLoss.REST)
    bench.executor.stop("no")
    with pytest.raises(CommandRefused):
        bench.executor.start("p1")
    bench.run(program)
    assert bench.executor.state is CyclerState.RUNNING
