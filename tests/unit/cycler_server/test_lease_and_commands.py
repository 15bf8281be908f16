"""Who may command, what a command answers, and what becomes of a client that is gone."""

import asyncio
import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from intercalate.contract import CyclerState, Verb
from intercalate.cycler_server.commands import ANSWERS_KEPT
from intercalate.cycler_server.ioc import ChannelPVs
from intercalate.cycler_server.lease import Lease, LeaseRefused

from .fakes import Bench, charge, make_program, rest


def load(bench: Bench, owner: str, program_id: str, on_client_lost: str = "rest", **more) -> dict:
    program = make_program(charge(100), rest(100)).to_json()
    arguments = {"program_id": program_id, "program": program, "on_client_lost": on_client_lost}
    return bench.ask("load", owner, **(arguments | more))


def start(bench: Bench, owner: str = "me", program_id: str = "p1", on_client_lost: str = "rest") -> None:
    assert bench.ask("take_lease", owner, duration_s=10)["ok"]
    assert load(bench, owner, program_id, on_client_lost)["ok"]
    assert bench.ask("start", owner, program_id=program_id)["ok"]


def test_no_reading_is_no_number_of_volts(bench: Bench) -> None:
    async def shown() -> list[float]:
        group = ChannelPVs("CH1:", desk=bench.desk, boot_id=1)
        await group.publish()
        return [(await one.read(one.data_type))[1][0] for one in (group.voltage, group.current)]

    sample, bench.executor.sample = bench.executor.sample, None
    assert np.isnan(asyncio.run(shown())).all()
    bench.executor.sample = sample
    assert asyncio.run(shown()) == [3.0, 0.0]


def test_only_the_owner_commands_and_anybody_stops(bench: Bench) -> None:
    start(bench)
    for verb in ("hold", "resume", "release", "clear_fault", "acknowledge", "start", "load", "renew_lease"):
        answer = bench.ask(verb, "stranger", program_id="p1", program="{}", on_client_lost="rest")
        assert not answer["ok"]
        assert "'me'" in answer["message"]
    assert not bench.ask("take_lease", "stranger", duration_s=5)["ok"]
    assert bench.ask("drop_lease", "stranger")["ok"]
    assert bench.desk.lease.owner == "me"
    bench.pass_time(5)
    assert bench.ask("stop", "stranger")["ok"]
    assert bench.executor.state is CyclerState.INTERRUPTED
    assert "stranger" in bench.executor.program_info()["why"]
    bench.pass_time(1)
    assert bench.cell.current_a == 0


@pytest.mark.parametrize(
    ("on_client_lost", "state"), [("rest", CyclerState.INTERRUPTED), ("continue", CyclerState.RUNNING)]
)
def test_a_lost_client(bench: Bench, on_client_lost: str, state: CyclerState) -> None:
    start(bench, on_client_lost=on_client_lost)
    bench.pass_time(50)
    for bench.monotonic_s in (9.9, 19.7, 29.5):
        assert bench.ask("renew_lease", "me")["ok"]
        bench.desk.expire()
    assert bench.executor.state is CyclerState.RUNNING
    bench.monotonic_s = 39.6
    bench.desk.expire()
    assert bench.executor.state is state
    assert bench.desk.lease.owner == ""
    bench.finish()
    expected = CyclerState.COMPLETE if on_client_lost == "continue" else CyclerState.INTERRUPTED
    assert bench.executor.state is expected


def test_the_next_owner_does_not_hide_that_the_first_is_gone(bench: Bench) -> None:
    start(bench, "me")
    bench.monotonic_s = 11.0
    assert bench.ask("take_lease", "other", duration_s=10)["ok"]
    assert bench.executor.state is CyclerState.INTERRUPTED


def test_another_client_attaches_to_a_program_that_goes_on(bench: Bench) -> None:
    start(bench, "me", on_client_lost="continue")
    bench.monotonic_s = 11.0
    assert bench.ask("take_lease", "other", duration_s=10)["ok"]
    assert load(bench, "other", "p1", "continue")["result"] == "running"
    assert bench.ask("start", "other", program_id="p1")["result"] == "running"
    assert not load(bench, "other", "p2", "continue")["ok"]
    bench.finish()
    assert bench.ask("start", "other", program_id="p1")["result"] == "complete"
    assert bench.executor.run is None


def test_a_lease_is_not_dropped_from_a_program_that_rests_without_it(bench: Bench) -> None:
    start(bench)
    assert "stop it before" in bench.ask("drop_lease", "me")["message"]
    bench.finish()
    assert bench.ask("drop_lease", "me")["ok"]


def test_the_same_request_is_obeyed_once_and_answered_alike(bench: Bench) -> None:
    start(bench)
    text = json.dumps({"request_id": "again", "verb": "stop", "owner": "me"})
    first = bench.desk.answer(text)
    assert bench.ask("acknowledge", "me", program_id="p1")["ok"]
    start(bench, program_id="p2")
    assert bench.desk.answer(text) == first
    assert bench.executor.state is CyclerState.RUNNING
    for _ in range(ANSWERS_KEPT):
        bench.ask("renew_lease", "me")
    bench.desk.answer(text)
    assert bench.executor.state is CyclerState.INTERRUPTED, "a request forgotten is a new one"


def test_a_refusal_is_repeated_too(bench: Bench) -> None:
    text = json.dumps({"request_id": "r", "verb": "start", "owner": "me", "program_id": "p1"})
    first = bench.desk.answer(text)
    assert not first["ok"]
    bench.ask("take_lease", "me", duration_s=10)
    load(bench, "me", "p1")
    assert bench.desk.answer(text) == first
    assert bench.executor.state is CyclerState.LOADED


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("not json", "no JSON"),
        ("[1]", "JSON object"),
        ("{}", "request_id"),
        ('{"request_id": "a"}', "verb"),
        ('{"request_id": "a", "verb": "explode"}', "explode"),
        ('{"request_id": "a", "verb": "take_lease", "owner": "me"}', "duration_s"),
        ('{"request_id": "a", "verb": "take_lease", "owner": "me", "duration_s": 1e9}', "3600"),
        ('{"request_id": "a", "verb": "take_lease", "duration_s": 5}', "owner"),
    ],
)
def test_a_wrong_command_says_what_is_wrong(bench: Bench, command: str, message: str) -> None:
    answer = bench.desk.answer(command)
    assert not answer["ok"]
    assert message in answer["message"]


_json = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=8) | st.sampled_from(list(Verb)),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=8), inner, max_size=2),
    max_leaves=4,
)
_keys = ("verb", "owner", "program_id", "program", "on_client_lost", "duration_s", "why")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(_keys), _json), st.sampled_from(["text", "json"]))
def test_no_command_raises(bench: Bench, command: dict, how: str) -> None:
    text = str(command) if how == "text" else json.dumps({"request_id": str(command), **command})
    answer = bench.desk.answer(text)
    assert set(answer) == {"request_id", "ok", "result", "message"}
    assert answer["ok"] or answer["message"]


def test_a_lease_has_bounds_and_an_owner() -> None:
    now = 0.0
    lease = Lease(lambda: now)
    with pytest.raises(LeaseRefused, match="owner"):
        lease.take("", 10)
    for wrong in (0.5, 4000, float("nan")):
        with pytest.raises(LeaseRefused, match="1 to 3600"):
            lease.take("me", wrong)
    lease.take("me", 10)
    now = 4.0
    assert lease.remaining_s == 6
    with pytest.raises(LeaseRefused, match="another 6 s"):
        lease.take("other", 10)
    now = 10.0
    with pytest.raises(LeaseRefused):
        lease.require("me")
    assert lease.expire() == "me"
    assert lease.expire() is None
