"""Configuration files with other cells than the two that are shipped."""

SPACING_MM = 12.0
ROW_MM = 20.0
"""Where the row of cells is, beside calibrants and foils."""


def with_cells(name: str, text: str, count: int) -> str:
    """One of the two configuration files as shipped, with a row of `count` cells on as many channels.

    Parameters
    ----------
    name
        `simulated.toml` or `simulation.toml`.
    """
    numbers = range(1, count + 1)
    is_session = name == "simulated.toml"
    where, what = ("changer.places", 'channel = "CH{}"') if is_session else ("holders", 'content = "K{}"')
    head, _, tail = text.partition(f"[{where}.H1]")
    tail = tail[tail.index(f"[{where}.LaB6]") :]
    rows = []
    for number in numbers:
        x_mm = SPACING_MM * (number - (count + 1) / 2)
        rows.append(f"[{where}.H{number}]\nx_mm = {x_mm}\ny_mm = {ROW_MM}\n{what.format(number)}\n")
    text = head + "\n".join(rows) + "\n" + tail
    if is_session:
        channels = ", ".join(f'"CH{number}"' for number in numbers)
        return text.replace('channels = ["CH1", "CH2"]', f"channels = [{channels}]")
    cells = "".join(f'K{number} = "nmc811-graphite"\n' for number in numbers)
    channels = "".join(f'CH{number} = "K{number}"\n' for number in numbers)
    text = text.replace('A1 = "nmc811-graphite"\nB1 = "nmc811-graphite"\n', cells)
    return text.replace('CH1 = "A1"\nCH2 = "B1"\n', channels)
