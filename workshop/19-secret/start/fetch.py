"""Fetches what needs a token: from the environment, or from a file that the build mounts."""

import os
from pathlib import Path

mounted = Path("/run/secrets/token")
token = mounted.read_text() if mounted.exists() else os.environ.get("TOKEN", "")
if not token.startswith("workshop-"):
    raise SystemExit("This token is not accepted.")
Path("fetched.txt").write_text("fetched\n")
