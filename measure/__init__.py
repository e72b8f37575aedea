"""Python Images, Measured: build, weigh, record, tell.

From the bottom to the top: base, weigh, steps, record, tell, build, run, studies, the claims (folklore/), the command
line: cli_reading.py has what only reads and loads no engine, cli.py the rest. A folder imports those below it; what
each holds, its __init__ says. import-linter keeps it so (pyproject.toml).
"""
