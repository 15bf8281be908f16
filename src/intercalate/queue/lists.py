"""The lists of plans and devices that the manager offers before an environment was ever open."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from intercalate.queue.manager import LISTS


def lists_of(namespace: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """`existing_plans` and `existing_devices` of a namespace, as the worker finds them."""
    from bluesky_queueserver.manager.profile_ops import existing_plans_and_devices_from_nspace

    plans, devices, _, _ = existing_plans_and_devices_from_nspace(nspace=dict(namespace), max_depth=1)
    return {"existing_plans": plans, "existing_devices": devices}


def shipped_namespace() -> dict[str, Any]:
    """The plans of the menu; devices depend on what is configured, and are found when they are connected."""
    import intercalate_plans

    return {name: getattr(intercalate_plans, name) for name in intercalate_plans.__all__}


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
def main(folder: Path) -> None:
    """Write the list of plans into a startup FOLDER."""
    from bluesky_queueserver.manager.profile_ops import save_existing_plans_and_devices

    lists = lists_of(shipped_namespace())
    save_existing_plans_and_devices(**lists, file_dir=str(folder), file_name=LISTS, overwrite=True)


if __name__ == "__main__":
    main()
