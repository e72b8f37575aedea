"""`python -m measure`: what only reads loads no engine, which takes its time."""

import sys

from measure.cli_reading import app

if sys.argv[1:2] and sys.argv[1] not in {one.callback.__name__ for one in app.registered_commands}:
    import measure.cli  # noqa: F401 - adds those that build and measure

app(prog_name="measure")
