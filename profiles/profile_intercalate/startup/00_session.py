"""IPython at the instrument, and the worker of the queue: `intercalate console`, `intercalate queue up`."""

from intercalate.garbage import nothing_collected

with nothing_collected(for_good=True):
    from intercalate.startup import start

    start(globals())
del nothing_collected, start
