"""Python imports this at its start in the processes that a row of the fault rig starts: their traffic is taken down, too."""

import os

from tests.faults.tap import FOLDER, tap_for_good

tap_for_good(os.environ.get(FOLDER))
