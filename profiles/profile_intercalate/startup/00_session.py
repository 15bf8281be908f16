"""IPython at the instrument, and the worker of the queue: `intercalate console`, `intercalate queue up`."""

from intercalate.startup import start

start(globals())
