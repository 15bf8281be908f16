"""A world that lives while a test talks to it through the link of an instrument."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

from intercalate_sims.link import InstrumentLink
from intercalate_sims.world import World


def tell(folder: Path, world: World, story: Callable[[World, InstrumentLink], Awaitable[None]]) -> None:
    """Let the world live while the story is told through an instrument's link."""

    async def live() -> None:
        server = await asyncio.get_running_loop().create_server(world.connect, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        (folder / "world.json").write_text(json.dumps({"port": port}))
        link = InstrumentLink(folder / "world.json")
        linked = asyncio.ensure_future(link.run())
        while not link.up:
            await asyncio.sleep(0.002)
        world.start()
        try:
            await story(world, link)
        finally:
            linked.cancel()
            await asyncio.gather(linked, return_exceptions=True)
            world.stop()
            server.close()
            await asyncio.sleep(0.02)

    asyncio.run(asyncio.wait_for(live(), 20.0))
