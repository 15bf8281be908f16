"""What all commands share. Heavy imports happen inside the commands that need them."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from intercalate.config import Config

FOLDER = click.Path(path_type=Path, file_okay=False)
FILE = click.Path(path_type=Path, dir_okay=False)
_HANDLERS = ("intercalate-file", "intercalate-terminal")
COUNTED_FROM_THE_END = {"ignore_unknown_options": True}
"""-1 is the latest run, not an option."""


def configuration(context: click.Context) -> "Config":
    """The one that was asked for, or found."""
    from intercalate.config import Config, find_config

    config = Config.from_file(find_config(context.obj["config"]))
    _log_into(config.stored("logs/intercalate.log"))
    return config


def opened_catalog(context: click.Context, config: "Config") -> Any:
    """The configured catalog, until the command ends; raises as `open_configured_catalog`."""
    from intercalate.catalog_services import open_configured_catalog

    catalog = open_configured_catalog(config)
    context.call_on_close(catalog.context.close)
    return catalog


def _log_into(path: Path) -> None:
    """Keep what the libraries report in a file: on the terminal it would bury what a person should read.

    Where there is no storage folder yet, or none that can be written, nothing is kept and nothing is made.
    """
    import logging
    import os

    root = logging.getLogger()
    for old in [one for one in root.handlers if one.name in _HANDLERS]:
        root.removeHandler(old)
        old.close()
    storage = path.parent.parent
    file: logging.Handler = logging.NullHandler()
    if storage.is_dir() and os.access(storage, os.W_OK):
        path.parent.mkdir(exist_ok=True)
        file = logging.FileHandler(path, delay=True)
    file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    terminal = logging.StreamHandler()
    terminal.addFilter(lambda record: record.name.startswith("intercalate"))
    for name, handler in zip(_HANDLERS, (file, terminal), strict=True):
        handler.name = name
        handler.setLevel(logging.WARNING)
        root.addHandler(handler)


@contextmanager
def waiting(what: str) -> Iterator[Callable[[float], None]]:
    """Progress bar for something of which a share from 0 to 1 is done."""
    from rich.console import Console

    from intercalate.views.progress import bar, task

    with bar(Console(stderr=True)) as progress, task(progress, what, 1.0) as update:
        yield update


class Group(click.Group):
    """Shows what was refused as a message, not as a stack of calls."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.exceptions.Exit, click.Abort, BrokenPipeError):
            # Nothing was refused: --help ends like this, and a reader who has seen enough.
            raise
        except (ValueError, RuntimeError, OSError) as error:
            if ctx.obj and ctx.obj.get("debug"):
                raise
            click.secho(str(error), fg="red", err=True)
            sys.exit(1)


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "-c", "--config", type=FILE, help="Configuration file (default: simulated.toml here, or shipped)."
)
@click.option("--debug", is_flag=True, help="Show where an error came from.")
@click.version_option(package_name="intercalate")
@click.pass_context
def main(context: click.Context, config: Path | None, debug: bool) -> None:
    """In situ and operando experiments on Li-ion cells, real or simulated."""
    context.obj = {"config": config, "debug": debug}
