"""Run a command with the variables of an env file: python - FILE COMMAND…

Read by the release's own Python from standard input, so that a new environment can be tried before it is in force.
"""

import os
import sys

from dotenv import dotenv_values

file, *command = sys.argv[1:]
values = dotenv_values(file, interpolate=False)
os.environ.update({name: value for name, value in values.items() if value is not None})
os.execv(command[0], command)
