"""What the environment of a process that serves PVs says, before caproto is imported."""

LOOPBACK = "127.0.0.1"
BATCHING = {"CAPROTO_SERVER_HIGH_LOAD_TIMEOUT_SEC": "0.001"}
"""Window in which caproto gathers what it sends, in s; read when caproto is imported."""


def server_environment(port: int) -> dict[str, str]:
    """Environment variables of a process that serves PVs to this machine alone.

    Parameters
    ----------
    port
        Of this server. Several servers of one machine need a port each: a search sent to one loopback
        address reaches one of them only.

    Returns
    -------
    dict
        Loopback only, no beacons, and caproto's batching window at 1 ms.
    """
    return {
        "EPICS_CA_SERVER_PORT": str(port),
        "EPICS_CAS_AUTO_BEACON_ADDR_LIST": "NO",
        "EPICS_CAS_BEACON_ADDR_LIST": "",
        "EPICS_CAS_INTF_ADDR_LIST": LOOPBACK,
        **BATCHING,
    }
