"""Wheels today: asks pip, in a container, which wheels it would choose for the packages in wheels.toml."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from python_on_whales.exceptions import DockerException

from measure.base import progress
from measure.base.errors import Problem, say
from measure.base.files import shown, write_whole
from measure.base.packages import normal
from measure.base.platforms import native_platform
from measure.build.engine import Engine
from measure.record.records import as_json
from measure.run import probe
from measure.studies.wheels.model import LIST, Package, WheelTable, listed, load, record_path
from measure.studies.wheels.table import wheels_table
from measure.tell.table import out

SCRIPT = Path(__file__).with_name("ask_pip.py")
IMAGE = "python:3.14-slim"
#: All packages together take half a minute; a container that asks for longer than this many seconds is stopped.
LIMIT = 600
#: `timeout` says by this exit code that it had to stop the command.
TIMED_OUT = 124


def understand(text: str) -> list[Package]:
    """The rows that the script in the container printed. Raises Problem when the index did not answer."""
    try:
        answer = json.loads(text)
        if "failed" not in answer:
            return WheelTable(packages=answer["packages"]).packages
    except (ValueError, KeyError, TypeError) as error:
        raise Problem("pip's answer is not understood.", why=f"{error}\n{text[-500:]}", next="make wheels") from None
    if "404 Client Error" in answer["why"]:
        raise Problem(f"The package index knows no {answer['failed']}.", why=answer["why"], next=f"see {shown(LIST)}")
    raise Problem(
        f"The package index did not answer for {answer['failed']}; nothing is recorded.",
        why=answer["why"],
        next="make lab-status, then the same command again",
    )


def ask(engine: Engine, names: list[str], **options: Any) -> list[Package]:
    """Ask pip about these packages, in a container. `options` are those of `docker run`.

    Raises Problem when the index does not answer for all of them.
    """
    engine.provide([IMAGE], [native_platform()])
    with probe.named_container(engine) as known_as:
        try:
            command = ["timeout", str(LIMIT), "python", "-c", SCRIPT.read_text(), *names]
            printed = engine.docker.run(IMAGE, command, **known_as, **options)
        except DockerException as error:
            late = error.return_code == TIMED_OUT
            raise Problem(
                f"pip in {IMAGE} {f'took longer than {LIMIT} seconds' if late else 'failed'}; nothing is recorded.",
                why=engine.diagnose() if late else "Its own words stand above.",
                next="make lab-status, then the same command again",
            ) from None
    return understand(printed)


def measure_wheels(engine: Engine, names: list[str]) -> None:
    """Ask about these packages, all that are listed when there are none, record what is listed, print the rows.

    Rows that are not asked for stay. Nothing is recorded unless the index answered for every package.
    """
    asked = list(dict.fromkeys(map(normal, names))) or listed()
    before = load() if names else WheelTable(packages=[])
    probe.remove_orphans(engine)
    with progress.task(f"asking pip in {IMAGE} about {len(asked)} packages"):
        rows = ask(engine, asked)
    out.print(wheels_table(rows))
    if kept := [row for row in rows if row.name in listed()]:
        write_whole(record_path(), as_json(before.renewed(kept, listed())))
        out.print(f"Record: {shown(record_path())}")
    if others := [row.name for row in rows if row not in kept]:
        say(f"not recorded, because {shown(LIST)} does not list it: {', '.join(others)}")
