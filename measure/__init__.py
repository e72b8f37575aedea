"""Python Images, Measured: build, weigh, record, tell.

From the bottom to the top: base, weigh, steps, record, tell, build, run, studies, the claims (folklore/), and the
command line (cli.py). A folder imports those below it; what each holds, its __init__ says. import-linter keeps it so
(pyproject.toml).
"""
