"""The lists of plans and devices that the manager offers before an environment was ever open."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import yaml

from intercalate.orchestration.annotations import as_queued
from intercalate.queue.manager import LISTS
from intercalate.session import open_session


def lists_of(namespace: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """`existing_plans` and `existing_devices` of a namespace, as the worker finds them."""
    from bluesky_queueserver.manager.profile_ops import existing_plans_and_devices_from_nspace

    found = {name: as_queued(one) for name, one in namespace.items()}
    plans, devices, _, _ = existing_plans_and_devices_from_nspace(nspace=found, max_depth=1)
    return {"existing_plans": plans, "existing_devices": devices}


def shipped_namespace() -> dict[str, Any]:
    """The plans of the menu; devices depend on what is configured, and are found when they are connected."""
    import intercalate_plans

    return {name: getattr(intercalate_plans, name) for name in intercalate_plans.__all__}


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--devices", is_flag=True, help="Those too, of the configured beamline: all must answer.")
def main(folder: Path, devices: bool) -> None:
    """Write the lists into a startup FOLDER; without --devices, those listed stay."""
    from bluesky_queueserver.manager.profile_ops import save_existing_plans_and_devices

    lists = lists_of(shipped_namespace())
    if devices:
        session = open_session()
        lists["existing_devices"] = lists_of(session.devices)["existing_devices"]
        session.close()
    else:
        lists["existing_devices"] = read_lists(folder / LISTS)["existing_devices"]
    save_existing_plans_and_devices(**lists, file_dir=str(folder), file_name=LISTS, overwrite=True)


def read_lists(path: Path) -> dict[str, dict[str, Any]]:
    """The lists in a file."""
    return yaml.safe_load(path.read_text())


if __name__ == "__main__":
    main()
