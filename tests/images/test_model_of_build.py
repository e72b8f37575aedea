"""The model that edits of Dockerfiles are held against does to files what the builder does."""

import json
import random
import subprocess

import pytest

from measure.base.dockerfiles import Dockerfile
from measure.mine import building
from measure.mine.building import Source
from tests.model_of_build import CONTEXT, FOLDER, Fails, built
from tests.unit.test_mine_same_image import COPIES, OTHERS, OWNED

#: What needs no network, and no script of the reader's.
LINES = [f"COPY {one}" for one in COPIES] + [f"RUN {one}" for one in OWNED]
LINES += [one for one in OTHERS if not one.startswith(("RUN ./", "RUN sed", "COPY --from"))]
#: By its path what is there: content, owner and mode.
SCRIPT = f"""
import json, os, pwd, sys
found = {{}}
for top in sys.argv[1:]:
    inner = [os.path.join(at, name) for at, folders, files in os.walk(top) for name in folders + files]
    for path in [top, *inner]:
        try:
            one = os.lstat(path)
        except FileNotFoundError:
            continue
        content = {FOLDER!r} if os.path.isdir(path) else open(path).read().strip()
        found[path] = content, pwd.getpwuid(one.st_uid).pw_name, f"{{one.st_mode & 0o777:o}}"
print(json.dumps(found))
"""


def drawn(seed: int) -> list[str]:
    """Lines that build by the model, the same ones for the same number."""
    draw, kept = random.Random(seed), ["RUN useradd -m web"]
    while len(kept) < 10:
        line = draw.choice(LINES)
        try:
            built(Dockerfile("Dockerfile", "\n".join(["FROM a", *kept, line, ""])))
        except Fails:
            continue
        kept.append(line)
    return kept


@pytest.mark.study
@pytest.mark.parametrize("seed", range(12))
def test_the_model_makes_what_the_builder_makes(engine, tmp_path, seed):
    dockerfile = tmp_path / "Dockerfile"
    dockerfile.write_text("\n".join(["FROM python:3.14-slim", *drawn(seed), ""]))
    for name, content in CONTEXT.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name != "Dockerfile":
            path.write_text(f"{content}\n")
    for path in (tmp_path, *tmp_path.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    context = CONTEXT | {"Dockerfile": dockerfile.read_text().strip()}
    wanted = built(Dockerfile("Dockerfile", dockerfile.read_text()), context).files
    tops = sorted({f"/{path.split('/')[1]}" for path in wanted} - {"/", "/home", "/tmp"})
    of = Source(tmp_path, dockerfile)
    with building.built(of), building.loaded(building.client_of(of), of) as image:
        run = ["run", "--rm", "--user=0", "--network=none", "--entrypoint=python", image, "-c", SCRIPT, *tops]
        command = building.client_of(of).command
        made = json.loads(subprocess.run([*command, *run], check=True, capture_output=True, text=True).stdout)
    known = {path: [*what] for path, what in wanted.items() if path.startswith(tuple(tops))}
    assert made == known, dockerfile.read_text()
