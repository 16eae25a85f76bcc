"""What all tests share: how hard hypothesis tries."""

import os

from hypothesis import settings

# No deadline: tests do not assert on time. In CI a run must mean the same when it is run again.
settings.register_profile("here", deadline=None, max_examples=50)
settings.register_profile("ci", settings.get_profile("here"), derandomize=True, database=None)
settings.load_profile("ci" if os.environ.get("CI") else "here")
