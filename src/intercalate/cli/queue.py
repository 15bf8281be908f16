"""Commands for plans that wait their turn."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from intercalate.cli.base import Group, configuration, main, waiting

if TYPE_CHECKING:
    from intercalate.config import Config
    from intercalate.queue.client import QueueClient

NOW = click.option("--now", is_flag=True, help="Do not wait for the plan that runs.")


@main.group(cls=Group)
@click.option("--group", default="primary", show_default=True, help="Of users, by which plans are allowed.")
@click.pass_context
def queue(context: click.Context, group: str) -> None:
    """Queue plans, and watch over them."""
    context.obj["group"] = group


def _client(context: click.Context, config: "Config | None" = None) -> "QueueClient":
    from intercalate.queue.client import QueueClient

    return QueueClient(config or configuration(context), context.obj["group"])


@queue.command()
@click.pass_context
def up(context: click.Context) -> None:
    """Start Redis, the RE Manager and the supervisor, on this machine alone."""
    from intercalate.cli.services import show_services
    from intercalate.config import find_config
    from intercalate.queue.keys import public_key_file
    from intercalate.queue.serving import start_queue

    config = configuration(context)
    with waiting("starting the queue") as update:
        services = start_queue(config, find_config(context.obj["config"]), update)
    show_services(services)
    click.echo(f"key of clients: {public_key_file(config)}")


@queue.command()
@NOW
@click.pass_context
def down(context: click.Context, now: bool) -> None:
    """End all of it; queue, history and held items are kept."""
    from intercalate.queue.serving import stop_queue

    stopped = stop_queue(configuration(context), at_once=now)
    click.echo(f"stopped {', '.join(stopped)}" if stopped else "nothing was running")


@queue.command("status")
@click.pass_context
def show_status(context: click.Context) -> None:
    """Say what runs, what waits and what is held."""
    from intercalate.cli.services import show_services
    from intercalate.queue.held import HeldItems
    from intercalate.queue.serving import SUPERVISOR, queue_services

    config = configuration(context)
    services = queue_services(config).read()
    show_services(services)
    if not any(one.process for one in services):
        click.echo("`intercalate queue up` starts it")
    else:
        with _client(context, config) as client:
            status = client.status()
            environment = "open" if status["worker_environment_exists"] else "closed"
            click.echo(f"manager {status['manager_state']}, environment {environment}")
            if any(status["lock"].values()):
                lock = client.ask("lock_info")["lock_info"]
                said = f"locked by {lock['user']} at {lock['time_str']}: {lock['note'] or 'without a note'}"
                click.secho(f"{said}; `intercalate queue unlock` unlocks it", fg="red")
            if running := client.running():
                click.echo(f"running  {describe(running)}")
            for item in client.items():
                click.echo(f"waiting  {describe(item)}")
    if not any(one.process for one in services if one.name == SUPERVISOR):
        click.secho("nobody supervises the queue; `intercalate queue up` starts what is missing", fg="red")
    if not (all_held := HeldItems(config).read()):
        return
    for held in all_held:
        click.echo(f"held     {describe(dict(held.item))}: {held.why.splitlines()[0]}")
    click.echo(
        "See that the cells are well. `intercalate acknowledge` lets a cycler take programs again; "
        "`intercalate queue release ITEM` does an item once more, `... discard ITEM` forgets it."
    )


def describe(item: dict[str, Any]) -> str:
    """An item in a line: the beginning of its uid, its plan, and who queued it."""
    return f"{item['item_uid'][:8]}  {item.get('name', item['item_type'])}  by {item.get('user', 'nobody')}"


@queue.command("open")
@click.pass_context
def open_(context: click.Context) -> None:
    """Open the worker's environment: connect to instruments, and load plans."""
    from intercalate.queue.client import open_environment

    with _client(context) as client, waiting("opening the environment"):
        open_environment(client)
    click.echo("the environment is open")


@queue.command("close")
@click.pass_context
def close(context: click.Context) -> None:
    """Close the worker's environment, where no plan runs."""
    with _client(context) as client:
        client.ask("environment_close")
        client.wait(lambda status: not status["worker_environment_exists"], 30.0, "the environment is closed")
    click.echo("the environment is closed")


@queue.command("reload")
@click.pass_context
def reload(context: click.Context) -> None:
    """Read your own plans anew, in the open environment."""
    from intercalate.queue.reloading import reload_plans

    with _client(context) as client:
        click.echo(reload_plans(client))


@queue.command()
@click.argument("what", metavar="PLAN|EXPERIMENT_FILE")
@click.argument("parameters", metavar="[NAME=VALUE]...", nargs=-1)
@click.option("--front", is_flag=True, help="Before all others.")
@click.pass_context
def add(context: click.Context, what: str, parameters: tuple[str, ...], front: bool) -> None:
    """Queue an experiment file, or a plan: VALUE is JSON, words, or @FILE for what stands in a file.

    All is checked first, as the plan itself will do it.
    """
    from intercalate.queue.items import ItemError, experiment_items, plan_item

    config = configuration(context)
    is_file = what.endswith(".toml")
    if is_file and parameters:
        raise ItemError(f"an experiment file says all itself; {parameters[0]!r} is one word too many")
    items = experiment_items(Path(what), config) if is_file else [plan_item(what, parameters, config)]
    with _client(context, config) as client:
        queued = client.add(items, "front" if front else "back")
    for item in queued:
        click.echo(f"queued {describe(item)}")


@queue.command()
@click.argument("uid", metavar="ITEM")
@click.pass_context
def remove(context: click.Context, uid: str) -> None:
    """Take an item out of the queue: ITEM is the beginning of its uid."""
    with _client(context) as client:
        item = client.find(uid)
        client.ask("queue_item_remove", uid=item["item_uid"])
    click.echo(f"removed {describe(item)}")


@queue.command()
@click.pass_context
def start(context: click.Context) -> None:
    """Begin with the front of the queue, and go on until it is empty or a plan fails."""
    from intercalate.queue.client import QueueError
    from intercalate.queue.serving import SUPERVISOR, queue_services

    config = configuration(context)
    if not any(one.name == SUPERVISOR for one in queue_services(config).running()):
        raise QueueError("nobody supervises the queue; `intercalate queue up` starts what is missing")
    with _client(context, config) as client:
        client.ask("queue_start")
    click.echo("the queue runs; `intercalate queue watch` shows it")


@queue.command()
@NOW
@click.pass_context
def pause(context: click.Context, now: bool) -> None:
    """Pause the plan at its next checkpoint. Programs of cyclers go on: they are not the plan's to pause."""
    with _client(context) as client:
        client.ask("re_pause", option="immediate" if now else "deferred")
    click.echo("the plan pauses; `intercalate queue resume` goes on, `intercalate queue stop --now` ends it")


@queue.command()
@click.pass_context
def resume(context: click.Context) -> None:
    """Go on with a paused plan."""
    with _client(context) as client:
        client.ask("re_resume")
    click.echo("the plan goes on")


@queue.command()
@NOW
@click.pass_context
def stop(context: click.Context, now: bool) -> None:
    """Stop the queue after the plan that runs; with --now, end that plan in good order, and hold it."""
    from intercalate.queue.client import end_plan

    with _client(context) as client:
        if now:
            end_plan(client)
            click.echo("the plan has ended as its on_abort says; `intercalate queue status` shows it held")
            return
        client.ask("queue_stop")
    click.echo("the queue stops after the plan that runs")


@queue.command()
@click.argument("uids", metavar="ITEM...", nargs=-1, required=True)
@click.option("--back", is_flag=True, help="Behind all others.")
@click.pass_context
def release(context: click.Context, uids: tuple[str, ...], back: bool) -> None:
    """Queue held items once more, as a new order. See first why they ended, and that the cell is well."""
    from intercalate.queue.held import HeldItems
    from intercalate.queue.items import release as release_items

    config = configuration(context)
    held = HeldItems(config)
    with _client(context, config) as client:
        queued = release_items(client, held, [held.find(uid) for uid in uids], "back" if back else "front")
    for item in queued:
        click.echo(f"queued {describe(item)}")


@queue.command()
@click.argument("uid", metavar="ITEM")
@click.pass_context
def discard(context: click.Context, uid: str) -> None:
    """Forget a held item; its runs are kept."""
    from intercalate.queue.held import HeldItems

    held = HeldItems(configuration(context))
    found = held.find(uid)
    held.drop(found.uid)
    click.echo(f"discarded {describe(dict(found.item))}")


@queue.command()
@click.pass_context
def unlock(context: click.Context) -> None:
    """Unlock a manager that somebody has locked and left, without the key it was locked with."""
    from intercalate.queue.keys import lock_key

    config = configuration(context)
    with _client(context, config) as client:
        client.ask("unlock", lock_key=lock_key(config))
    click.echo("the manager is unlocked")


@queue.command()
@click.option("-n", "--number", default=20, show_default=True, help="How many of the latest.")
@click.pass_context
def history(context: click.Context, number: int) -> None:
    """Show what has been done, and how it ended."""
    with _client(context) as client:
        for item in client.history()[-number:]:
            result = item["result"]
            when = time.strftime("%Y-%m-%d %H:%M", time.gmtime(result["time_stop"]))
            runs = " ".join(uid[:8] for uid in result["run_uids"])
            click.echo(f"{when}  {result['exit_status']:10}  {describe(item)}  {runs}")


@queue.command()
@click.option("--until-idle", is_flag=True, help="End when no plan runs any more.")
@click.pass_context
def watch(context: click.Context, until_idle: bool) -> None:
    """Show what manager and plans say, until Ctrl-C; needs no key, and commands nothing."""
    from intercalate.queue.watching import lines

    for line in lines(configuration(context), until_idle=until_idle):
        click.echo(line)


@queue.command()
@click.pass_context
def environment(context: click.Context) -> None:
    """Print what a shell needs for `qserver` and others: eval "$(intercalate queue environment)"."""
    from intercalate.queue.keys import public_key_file

    config = configuration(context)
    click.echo(f"export QSERVER_ZMQ_CONTROL_ADDRESS=tcp://127.0.0.1:{config.queue.control_port}")
    click.echo(f"export QSERVER_ZMQ_INFO_ADDRESS=tcp://127.0.0.1:{config.queue.info_port}")
    click.echo(f'export QSERVER_ZMQ_PUBLIC_KEY="$(cat {public_key_file(config)})"')
