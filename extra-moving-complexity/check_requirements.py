"""Is requirements.txt what poetry.lock says? Needs neither Poetry nor a network, so that any CI can ask.

Packages, versions and hashes are compared, and a line that is anything else but a comment is refused. Markers are not
compared: that takes Poetry, and the hook does it.
"""

import re
import sys
import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent


def locked() -> dict[str, set[str]]:
    """The hashes that poetry.lock has of each NAME==VERSION of the group main."""
    packages = tomllib.loads((HERE / "poetry.lock").read_text())["package"]
    return {f"{p['name']}=={p['version']}": {f["hash"] for f in p["files"]} for p in packages if "main" in p["groups"]}


def listed() -> dict[str, set[str]]:
    """The hashes that requirements.txt has of each. Extras, as in NAME[EXTRA]==VERSION, are left out."""
    lines = re.sub(r"^#.*\n", "", (HERE / "requirements.txt").read_text(), flags=re.MULTILINE)
    entries = lines.replace("\\\n", " ").splitlines()
    return {re.sub(r"\[.*?\]|[ ;].*", "", entry): set(re.findall(r"--hash=(\S+)", entry)) for entry in entries}


def differences() -> list[str]:
    """What differs, a line for each; none when all is well."""
    lock, requirements = locked(), listed()
    found = []
    for package in sorted({*lock, *requirements}):
        if package not in requirements:
            found.append(f"{package} is in poetry.lock alone")
        elif package not in lock:
            found.append(f"{package} is in requirements.txt alone")
        elif lock[package] != requirements[package]:
            found.append(f"{package} has other hashes")
    return found


if __name__ == "__main__":
    if found := differences():
        print("requirements.txt is not what poetry.lock says:", *found, sep="\n  ", file=sys.stderr)
        print("Next: pre-commit run --all-files, and commit what it changed.", file=sys.stderr)
        sys.exit(1)
