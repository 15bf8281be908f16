"""IPython at the instrument: `ipython --ipython-dir=profiles --profile=intercalate`."""

from intercalate.session import open_session
from intercalate_plans import *  # noqa: F403

session = open_session()
RE = session.RE
globals().update(session.devices)
