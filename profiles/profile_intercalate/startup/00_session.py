"""IPython at the instrument: `ipython --ipython-dir=profiles --profile=intercalate`."""

from intercalate_plans import *  # noqa: F403

from intercalate.session import open_session

session = open_session()
RE = session.RE
cycler, diffractometer = session.cycler, session.diffractometer
shutter, stage, clocks = session.shutter, session.stage, session.clocks
