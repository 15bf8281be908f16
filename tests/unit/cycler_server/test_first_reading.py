"""A server answers clients once its channels have given a reading, or are known to be silent."""

import asyncio
from pathlib import Path

import pytest

from intercalate.cycler_server import server as module
from intercalate.cycler_server.server import CyclerServer

from .fakes import SITE, FakeCell, FakeChannel

PREFIX = "T:CYC:"


@pytest.mark.parametrize(("silent", "limit_s"), [(False, 30.0), (True, 0.5)])
def test_it_waits_for_all_channels_but_not_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, silent: bool, limit_s: float
) -> None:
    monkeypatch.setattr(module, "FIRST_READING_S", limit_s)
    first, second = FakeChannel(FakeCell(3.0)), FakeChannel(FakeCell(3.0))
    server = CyclerServer({"CH1": first, "CH2": second}, tmp_path, PREFIX, SITE)

    async def hear() -> tuple[bool, float]:
        loop = asyncio.get_running_loop()
        begun_s = loop.time()
        hearing = asyncio.create_task(server.hear())
        first.step()
        await asyncio.sleep(0.1)
        early = hearing.done()
        if not silent:
            second.step()
        await hearing
        return early, loop.time() - begun_s

    early, took_s = asyncio.run(hear())
    assert not early
    assert (took_s >= limit_s) == silent
