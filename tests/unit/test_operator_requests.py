"""Requests of people to a running experiment: each is heard once, answered, or withdrawn."""

import threading
from pathlib import Path

import pytest

from intercalate.operator_requests import Action, OperatorRequest, RequestDesk, RequestError, parse_request
from polling import wait_for


@pytest.fixture
def desk(tmp_path: Path) -> RequestDesk:
    return RequestDesk(tmp_path / "requests")


def test_nobody_there_is_said_at_once(desk: RequestDesk) -> None:
    assert not desk.is_heard()
    with pytest.raises(RequestError, match="no experiment that measures is running"):
        desk.ask(OperatorRequest(Action.SKIP_CELL))


def test_a_request_is_taken_once_in_order_and_answered(desk: RequestDesk) -> None:
    other = RequestDesk(desk._folder)
    with desk.listening() as is_heard:
        assert is_heard
        asked = [other.ask(OperatorRequest(action, "H1", who="ada")) for action in Action]
        assert other.answer_to(asked[0]) is None
        assert desk.take() == asked
        assert desk.take() == other.take() == []
        desk.answer(asked[0], "done")
        assert other.wait_for_answer(asked[0]) == "done"
        late = other.ask(OperatorRequest(Action.FRESH_SPOT, to_mm=(0.5, -0.25)))
    assert other.wait_for_answer(late) == "not done: the experiment has ended"
    assert not desk.is_heard()


def test_a_position_survives_the_way(desk: RequestDesk) -> None:
    with desk.listening():
        asked = desk.ask(OperatorRequest(Action.FRESH_SPOT, to_mm=(0.5, -0.25)))
        (taken,) = desk.take()
    assert taken == asked
    assert taken.to_mm == (0.5, -0.25)
    assert isinstance(taken.action, Action)


def test_one_that_is_given_up_is_not_heard_later(desk: RequestDesk) -> None:
    with desk.listening():
        asked = desk.ask(OperatorRequest(Action.SKIP_CELL))
        assert desk.withdraw(asked)
        assert not desk.withdraw(asked)
        assert desk.take() == []


def test_what_a_dead_experiment_left_is_not_heard_by_the_next(desk: RequestDesk) -> None:
    with desk.listening():
        asked = desk.ask(OperatorRequest(Action.SKIP_CELL))
        (left,) = desk._folder.glob("*.asked.json")
        kept = left.read_text()
        assert desk.take() == [asked]
    left.write_text(kept)
    (desk._folder / f"{asked.uid}.answer.txt").unlink()
    with desk.listening():
        assert desk.take() == []
    left.write_text(kept)
    with pytest.raises(RequestError, match="ended before it heard"):
        desk.wait_for_answer(asked)
    assert not left.exists()


def test_a_second_experiment_leaves_the_requests_to_the_first(desk: RequestDesk) -> None:
    with desk.listening() as first, RequestDesk(desk._folder).listening() as second:
        assert (first, second) == (True, False)
        asked = desk.ask(OperatorRequest(Action.SKIP_CELL))
        assert desk.take() == [asked]


def test_many_ask_at_once_and_each_request_is_taken_by_one(desk: RequestDesk) -> None:
    taken: list[OperatorRequest] = []
    with desk.listening():
        askers = [
            threading.Thread(target=desk.ask, args=(OperatorRequest(Action.REPEAT_FRAME, f"H{n}"),))
            for n in range(20)
        ]
        for one in askers:
            one.start()
        wait_for(lambda: taken.extend(desk.take()) or len(taken) == 20, 30, "all requests")
        for one in askers:
            one.join()
    assert sorted(one.place for one in taken) == sorted(f"H{n}" for n in range(20))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("skip cell", OperatorRequest(Action.SKIP_CELL)),
        ("skip H2", OperatorRequest(Action.SKIP_CELL, "H2")),
        ("skip cell H2 raman", OperatorRequest(Action.SKIP_CELL, "H2", "raman")),
        ("repeat frame", OperatorRequest(Action.REPEAT_FRAME)),
        ("Repeat", OperatorRequest(Action.REPEAT_FRAME)),
        ("move to fresh spot", OperatorRequest(Action.FRESH_SPOT)),
        ("move H1 to 0.5 -0.25", OperatorRequest(Action.FRESH_SPOT, "H1", to_mm=(0.5, -0.25))),
        ("fresh spot H1 xrd to 0.5, 1", OperatorRequest(Action.FRESH_SPOT, "H1", "xrd", (0.5, 1.0))),
    ],
)
def test_what_people_say_is_understood(words: str, expected: OperatorRequest) -> None:
    assert parse_request(words) == expected


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("", "say `skip cell`"),
        ("skipp cell", "did you mean skip cell"),
        ("stop", "say `skip cell`"),
        ("skip cell H1 xrd now", "too many words"),
        ("move to 0.5", "two numbers"),
        ("move to nan 1", "two numbers"),
        ("skip cell to 1 1", "has no position"),
    ],
)
def test_what_is_not_understood_is_refused(words: str, why: str) -> None:
    with pytest.raises(RequestError, match=why):
        parse_request(words)
