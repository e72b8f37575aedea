"""Images and Dockerfiles as other people have them: advice that would break an application, wrong names, said twice."""

import random

import pytest

from measure.base.dockerfiles import Dockerfile
from measure.base.errors import Problem
from measure.mine.archives import read_archive
from measure.mine.editing import edited
from measure.mine.reporting import Asked, report, report_of
from tests.handmade import tar
from tests.images_by_hand import SITE, layout, package
from tests.model_of_build import sent
from tests.unit.test_mine_trying import report_with, step

pytestmark = pytest.mark.usefixtures("cache")

NOISE = random.Random(2).randbytes(200_000)
#: What a file of this size takes of a tar stream.
BLOCKS = 512 + len(NOISE) + -len(NOISE) % 512
ENDS = [{"created_by": "COPY / / # buildkit"}, {"created_by": 'CMD ["python3"]', "empty_layer": True}]


def weigh(tmp_path, *own, lines=(), text="", base=None, settings=None):
    """The report of an image of a base and own layers; `lines` are steps of its history, as the builder writes them."""
    lines = lines or [f"RUN /bin/sh -c {number} # buildkit" for number in range(len(own))]
    history = [*ENDS, *(one if isinstance(one, dict) else {"created_by": one} for one in lines)]
    tars = [tar(base or {"base": b"x"}), *map(tar, own)]
    image, platform, _ = read_archive(layout(tmp_path / "layout", tars, history=history, settings=settings).root)
    return report_of(image, platform, Dockerfile("Dockerfile", text) if text else None)


def steps(made):
    return {one.name: one for one in made.next_steps}


@pytest.mark.parametrize(
    "path",
    [
        "root/.cache/pypoetry/virtualenvs/app-x-py3.14/lib/python3.14/site-packages/flask/app.py",
        "root/.cache/huggingface/hub/models--a--b/blobs/0", "home/app/.cache/torch/hub/checkpoints/a.pth",
        "root/.cache/ms-playwright/chromium/chrome", "root/.cache/whisper/base.pt",
    ],
)  # fmt: skip
def test_what_an_application_reads_below_cache_is_no_cache(tmp_path, path):
    made = weigh(tmp_path, {path: NOISE})
    assert (made.facts.caches, steps(made)) == ({}, {})


@pytest.mark.parametrize(
    ("path", "folder"),
    [
        ("root/.cache/pypoetry/artifacts/a/b.whl", "/root/.cache/pypoetry/artifacts"),
        ("var/cache/dnf/x/packages/a.rpm", "/var/cache/dnf"), ("var/cache/libdnf5/a/b", "/var/cache/libdnf5"),
        ("root/.cache/rattler/cache/pkgs/a", "/root/.cache/rattler"), ("root/.conda/pkgs/a", "/root/.conda/pkgs"),
        ("opt/miniforge3/pkgs/a.conda", "/opt/miniforge3/pkgs"), ("root/.cache/pdm/http/a", "/root/.cache/pdm"),
    ],
)  # fmt: skip
def test_caches_of_other_tools_are_found_with_the_folder_to_mount(tmp_path, path, folder):
    one = steps(weigh(tmp_path, {path: NOISE}))["caches"]
    assert (one.of, one.unpacked_tar_bytes) == ([folder], BLOCKS)


@pytest.mark.parametrize("command", [["jupyter", "lab", "--ip=0.0.0.0"], ["/opt/venv/bin/jupyter-lab"]])
def test_a_tool_that_the_image_runs_is_its_application(tmp_path, command):
    own = package("jupyterlab", {"jupyterlab/a.py": NOISE}) | package("pytest", {"pytest/a.py": NOISE})
    found = steps(weigh(tmp_path, own, settings={"Cmd": command}))
    assert found["development tools"].of == ["pytest"]
    assert steps(weigh(tmp_path / "b", own))["development tools"].of == ["jupyterlab", "pytest"]
    tool = package("uv", {"uv/uv": NOISE}) | package("uvicorn", {"uvicorn/a.py": NOISE})
    assert steps(weigh(tmp_path / "c", tool, settings={"Cmd": ["uv", "run", "main.py"]})) == {}
    assert steps(weigh(tmp_path / "d", tool, settings={"Cmd": ["uvicorn", "main:app"]}))["development tools"].of == [
        "uv"
    ]


def test_browsers_drivers_are_what_an_application_may_be_for(tmp_path):
    assert steps(weigh(tmp_path, package("playwright", {"playwright/driver/node": NOISE}))) == {}


def test_modules_called_test_stay_and_so_do_stubs_that_are_read(tmp_path):
    own = package("django", {"django/test/client.py": NOISE, "django/tests/a.py": NOISE})
    own |= package("skimage", {"skimage/__init__.pyi": NOISE}, ("lazy-loader",))
    lazy = package("lazy_loader", {"lazy_loader/__init__.py": b"x"})
    with_stubs, without = (steps(weigh(tmp_path / n, more))["tests"] for n, more in (("a", own), ("b", own | lazy)))
    assert (with_stubs.unpacked_tar_bytes, without.unpacked_tar_bytes) == (2 * BLOCKS, BLOCKS)
    draft = edited(Dockerfile("Dockerfile", "FROM a\nRUN b\n"), None, report_with(), without.model_copy(
        update={"where": "Dockerfile:2"}
    ))  # fmt: skip
    assert draft.text == f"FROM a\nRUN b && find /{SITE} -type d -name tests -prune -exec rm -rf {{}} +\n"


def test_a_slim_twin_is_that_of_an_official_python_alone(tmp_path):
    entry = "Package: {}\nStatus: install ok installed\nVersion: 1\n"
    status = "\n".join(entry.format(name) for name in ["gcc-13", *(f"lib{number}" for number in range(200))]).encode()
    base = {"var/lib/dpkg/status": status, "usr/lib/libcudnn.so.9": NOISE}
    python = {"usr/local/bin/python3": b"x"}
    assert set(steps(weigh(tmp_path, {"a": b"1"}, base=base | python))) == {"slim base"}
    assert steps(weigh(tmp_path / "cuda", {"a": b"1"}, base=base)) == {}
    assert steps(weigh(tmp_path / "built", python, base=base)) == {}, "its Python is built in a line of its own"


def test_the_library_that_headers_were_asked_for_stays(tmp_path):
    """A compiled psycopg2 needs libpq5, which only libpq-dev brings, and what libpq5 needs."""
    entry = "Package: {}\nStatus: install ok installed\nVersion: 1\nSource: {}\nDepends: {}\n"
    known = [
        ("gcc", "gcc-defaults", "gcc-14"), ("gcc-14", "gcc-14", "libcc1-0, libgcc-14-dev"),
        ("libcc1-0", "gcc-14", "libc6"), ("libgcc-14-dev", "gcc-14", "libitm1"), ("libitm1", "gcc-14", "libc6"),
        ("libpq-dev", "postgresql-17 (17.1)", "libpq5, libssl-dev"), ("libpq5", "postgresql-17", "libldap2"),
        ("libldap2", "openldap", "libc6"), ("libssl-dev", "openssl", "libc6"),
    ]  # fmt: skip
    own = {"var/lib/dpkg/status": "\n".join(entry.format(*one) for one in known).encode()}
    for name, *_ in known:
        own |= {f"var/lib/dpkg/info/{name}.list": f"/usr/{name}\n".encode(), f"usr/{name}": NOISE}
    found = steps(weigh(tmp_path, own))["compilers"]
    assert set(found.of) == {name for name, *_ in known} - {"libpq5", "libldap2"}
    assert found.unpacked_tar_bytes == 7 * BLOCKS


def test_packages_of_the_base_that_list_no_files_are_the_bases(tmp_path):
    """As Fedora, UBI and Debian install them: without a RECORD, or as one file."""
    folder = "usr/lib/python3.12/site-packages"
    base = {
        f"{folder}/setuptools-69.dist-info/METADATA": b"Name: setuptools\nVersion: 69\n",
        f"{folder}/dbus_python-1-py3.12.egg-info": b"Name: dbus-python\nVersion: 1\n",
    }
    own = {f"{folder}/own-1.dist-info/METADATA": b"Name: own\nVersion: 1\n"}
    found = {one.name: one.of_base for one in weigh(tmp_path, own, base=base).packages}
    assert found == {"setuptools": True, "dbus-python": True, "own": False}


def test_packages_of_a_base_without_a_package_manager_are_the_bases(tmp_path):
    base = {f"var/lib/dpkg/status.d/{name}": f"Package: {name}\nVersion: 1\n".encode() for name in ("libc6", "openssl")}
    own = {"var/lib/dpkg/status.d/own": b"Package: own\nVersion: 1\n"}
    found = {one.name: one.of_base for one in weigh(tmp_path, own, base=base).packages}
    assert found == {"libc6": True, "openssl": True, "own": False}


def test_what_comes_from_a_stage_is_not_the_ignore_files_where_the_history_alone_tells(tmp_path):
    own = {"app/.venv/lib/a.py": NOISE, "app/node_modules/b.js": NOISE}
    for number, line in enumerate(("COPY /app /app # buildkit", "COPY --chown=1 --link /app/.venv /app/.venv")):
        assert steps(weigh(tmp_path / str(number), own, lines=[line])) == {}
    assert steps(weigh(tmp_path / "c", own, lines=["COPY . /app # buildkit"]))["ignore file"].of == [
        "**/.venv", "**/node_modules"
    ]  # fmt: skip


def test_files_that_two_lines_copy_have_not_changed_their_owner(tmp_path):
    lines = ["COPY models /app/models", "COPY . /app"]
    own = {"app/models/m.bin": NOISE}, {"app/models/m.bin": NOISE, "app/a.py": b"1"}
    one = steps(weigh(tmp_path, *own, lines=lines, text="\n".join(["FROM a", *lines])))["written twice"]
    assert (one.where, one.of, one.unpacked_tar_bytes) == ("Dockerfile:3", ["Dockerfile:2"], BLOCKS)
    assert "already" in one.what and "--chown" not in one.what


def test_what_is_named_for_the_image_is_not_named_again_for_the_context(tmp_path):
    folder = tmp_path / "app"
    for name in (".git/a", "web/node_modules/b", ".venv/c"):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_bytes(NOISE)
    (folder / "Dockerfile").write_text("FROM a\nCOPY . /app\n")
    (folder / ".dockerignore").write_bytes(b"\xef\xbb\xbf.venv\r\n")
    tars = [tar({"b": b"x"}), tar({"app/.git/a": NOISE, "app/web/node_modules/b": NOISE})]
    history = [*ENDS, {"created_by": "COPY . /app # buildkit"}]
    archive = layout(tmp_path / "layout", tars, history=history).root
    asked = Asked(folder=folder, dockerfile=folder / "Dockerfile", subject=".")
    assert [one.what for one in report(asked).next_steps] == ["name **/node_modules, .git in .dockerignore"]
    both = report(Asked(archive, folder=folder, dockerfile=folder / "Dockerfile", subject="."))
    assert [(one.name, one.unpacked_tar_bytes) for one in both.next_steps] == [("ignore file", 2 * BLOCKS)]


SCRIPT = "".join(f"print({number}, 'some words that make it long')\n" for number in range(100))


@pytest.mark.parametrize(
    ("history", "text"),
    [
        ("RUN /dev/pipes/EOF # buildkit", "RUN <<EOF\n#!/usr/bin/env python3\nprint(1)\nEOF\n"),
        (f"RUN /bin/sh -c python3 - <<EOF\n{SCRIPT}EOF # buildkit", f"RUN python3 - <<EOF\n{SCRIPT}EOF\n"),
        ("RUN /bin/sh -c a &&   b # buildkit", "RUN a && \\\n  b \\\n"),
        ("RUN /bin/sh -c a &&   b # buildkit", "RUN a && \\\n  b \\\n# c\n\n"),
        ("RUN /bin/bash -o pipefail -c a | b # buildkit", "RUN a | b\n"),
        ("RUN |1 A=b c /bin/bash -euo pipefail -c a | b # buildkit", "RUN a | b\n"),
        ('RUN /bin/sh -c [ -f "a" ] && echo "c" # buildkit', 'RUN [ -f "a" ] && echo "c"\n'),
    ],
)
def test_a_line_that_did_not_change_is_not_said_to_have(tmp_path, history, text):
    line = weigh(tmp_path, {"a": b"1"}, lines=[history], text=f"FROM a\n{text}").lines[-1]
    assert (line.where, line.changed) == ("Dockerfile:2", False)


@pytest.mark.parametrize(
    ("history", "told"),
    [
        ("RUN /bin/bash -o pipefail -c pip install x # buildkit", "RUN pip install x"),
        ("RUN |2 A=1 B=two words /bin/bash -euxo pipefail -c pip install x # buildkit", "RUN pip install x"),
        ("RUN /bin/bash --login -c conda activate x # buildkit", "RUN conda activate x"),
        ("RUN conda run --no-capture-output -n x /bin/bash -c pip install x # buildkit", "RUN pip install x"),
        ("RUN /bin/sh -c bash -c 'a b' # buildkit", "RUN bash -c 'a b'"),
        ("|1 A=1 /bin/ash -eo pipefail -c apk add x", "RUN apk add x"),
        ({"comment": "store paths: ['/nix/store/a-python3-3.14']"}, "store paths: ['/nix/store/a-python3-3.14']"),
        ({"created_by": "RUN pip install x", "author": "kaniko"}, "RUN pip install x"),
        ('RUN /bin/sh -c [ -f "a b" ] && echo "c" # buildkit', 'RUN [ -f "a b" ] && echo "c"'),
    ],
)
def test_the_history_alone_says_what_was_run(tmp_path, history, told):
    assert weigh(tmp_path, {"a": b"1"}, lines=[history]).lines[-1].instruction == told


def test_a_layer_that_nothing_is_said_of_is_no_line_that_copies(tmp_path):
    made = weigh(tmp_path, {"app/.git/a": NOISE}, lines=[{"author": "crane"}])
    assert [(one.where, one.instruction) for one in made.lines[1:]] == [("layer 2", "")]
    assert steps(made) == {}


def test_an_image_that_was_squashed_is_one_layer_with_what_the_builder_says(tmp_path):
    lines = [{"created_by": "COPY . .", "empty_layer": True}, {"comment": "merge sha256:1 to sha256:2"}]
    made = weigh(tmp_path, {"a": NOISE}, lines=lines, text="FROM a\nCOPY . .\n")
    assert [(one.where, one.instruction) for one in made.lines[1:]] == [("layer 2", "merge sha256:1 to sha256:2")]


def test_a_secret_that_is_read_when_a_line_runs_and_a_switch_are_none(tmp_path):
    run = 'RUN /bin/sh -c TOKEN=$(cat /run/secrets/t) a; export API_KEY="$(cat b)"; AUTH=`c` X_TOKEN=${Y} d # buildkit'
    settings = {
        "Env": [
            "HF_HUB_DISABLE_IMPLICIT_TOKEN=1",
            "ACCESS_TOKEN_EXPIRE_MINUTES=30",
            "AUTH_ON=true",
            "PIN_PASSWORD=123456",
        ]
    }
    assert weigh(tmp_path, {"a": b"1"}, lines=[run], settings=settings).facts.secrets == ["PIN_PASSWORD"]


@pytest.mark.parametrize(
    ("command", "shell"),
    [
        (["/bin/bash", "-o", "pipefail", "-c", "gunicorn app"], True), (["/bin/bash", "-lc", "x y"], True),
        (["/bin/bash", "-o", "pipefail", "-c", "exec gunicorn app"], False), (["bash"], False),
        (["bash", "start.sh"], False), (["gunicorn", "-c", "conf.py"], False), (["sh", "-x", "start.sh"], False),
    ],
)  # fmt: skip
def test_a_shell_with_options_is_a_shell(tmp_path, command, shell):
    assert weigh(tmp_path, {"a": b"1"}, settings={"Cmd": command}).facts.shell_form is shell


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("RUN uv sync --locked --no-install-project\nCOPY . .\nRUN uv sync --locked", None),
        ("RUN poetry install --no-root\nCOPY . .\nRUN poetry install --only main", None),
        ("RUN pip install -r r.txt\nCOPY . .\nRUN pip install -e .", None),
        ("RUN npm ci\nCOPY . .\nRUN pip install -r r.txt", 4), ("COPY . .\nRUN pip install --no-deps .", None),
        ("RUN pip install -U pip\nCOPY . .\nRUN pip install -r r.txt", 4), ("COPY . .\nRUN uv run a.py update", None),
        ("RUN pip install -r a.txt\nCOPY . .\nRUN pip install -r b.txt", 4), ("COPY . .\nRUN npm run ci", None),
        ("RUN pip install poetry\nCOPY . .\nRUN poetry install", 4), ("COPY . .\nRUN poetry run a install", None),
        ("COPY . .\nRUN poetry config installer.no-binary x && poetry install", 3),
        ('COPY [".", "/app/"]\nRUN pip install -r r.txt', 3), ("COPY . .\nRUN conda env create -f e.yml", 3),
        ("COPY . .\nRUN micromamba install -y -f e.yml", 3), ("COPY . .\nRUN pixi install --locked", 3),
        ("COPY . .\nRUN pip install -r r.txt\nFROM first AS last\nUSER 1", 3),
    ],
)  # fmt: skip
def test_where_all_is_installed_again_after_an_edit(tmp_path, text, line):
    (tmp_path / "Dockerfile").write_text(f"FROM a AS first\n{text}\n")
    made = report(Asked(folder=tmp_path, dockerfile=tmp_path / "Dockerfile", subject="."))
    assert [one.where for one in made.next_steps] == ([f"Dockerfile:{line}"] if line else [])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("COPY . .\nRUN pip install -r requirements/prod.txt\n",
         "COPY requirements ./requirements\nRUN pip install -r requirements/prod.txt\nCOPY . .\n"),
        ("WORKDIR /app\nCOPY . .\nRUN pip install -r /app/requirements.txt\n",
         "WORKDIR /app\nCOPY requirements.txt /app/\nRUN pip install -r /app/requirements.txt\nCOPY . .\n"),
        ("COPY . .\nRUN pip install -r r.txt .\n", None), ("COPY . /a\nRUN cd /a && pip install -r r.txt\n", None),
        ("COPY . /app\nRUN pip install -r /tmp/r.txt\n", None),
        ("COPY . .\nFROM x\nRUN pip install -r r.txt\n", None),
    ],
)  # fmt: skip
def test_lists_of_requirements_are_copied_to_where_they_are_read(before, after):
    dockerfile, late = Dockerfile("Dockerfile", f"FROM a AS x\n{before}"), step("order of lines", "", [])
    if after:
        assert edited(dockerfile, None, report_with(), late, sent(before, after)).text == f"FROM a AS x\n{after}"
    else:
        with pytest.raises(Problem, match="not done by itself"):
            edited(dockerfile, None, report_with(), late)


def test_who_gets_files_is_there_when_they_are_copied():
    """COPY --chown takes a name that is known: the user is added before, or that is left to a person."""
    for text, wanted in (
        ("COPY . /app\nRUN useradd app && chown -R app:app /app\n", "RUN useradd app\nCOPY --chown=app:app . /app\n"),
        ("COPY . /app\nRUN adduser -D app\nRUN chown -R app /app\n", "RUN adduser -D app\nCOPY --chown=app:0 . /app\n"),
        ("COPY . /app\nRUN id app || useradd app && chown -R app:app /app\n", None),
        ("COPY . /app\nRUN set -e; useradd app && chown -R app:app /app\n", None),
        ("USER 1\nCOPY . /app\nUSER root\nRUN useradd app && chown -R app:app /app\n", None),
    ):
        dockerfile = Dockerfile("Dockerfile", f"FROM a\n{text}")
        late = f"Dockerfile:{dockerfile.structure[-1].first}"
        made = [f"Dockerfile:{one.first}" for one in dockerfile.structure if one.word == "COPY"]
        if wanted:
            draft = edited(dockerfile, None, report_with(), step("written twice", late, made))
            assert draft.text == f"FROM a\n{wanted}"
            continue
        with pytest.raises(Problem, match="not done by itself"):
            edited(dockerfile, None, report_with(), step("written twice", late, made))
    known = Dockerfile("Dockerfile", "FROM a\nRUN useradd app\nCOPY . /app\nRUN chown -R app:app /app\n")
    draft = edited(known, None, report_with(), step("written twice", "Dockerfile:4", ["Dockerfile:3"]))
    assert draft.text == "FROM a\nRUN useradd app\nCOPY --chown=app:app . /app\n"


@pytest.mark.parametrize(
    ("user", "more"), [("1000:1000", ",uid=1000"), ("root", ""), ("1000\nUSER 0", ""), ("app", None)]
)
def test_a_cache_is_for_whom_the_line_runs_as(user, more):
    """A mount that is root's is of no use to others, and leaves them a .cache that they cannot write to."""
    dockerfile = Dockerfile("Dockerfile", f"FROM a\nUSER {user}\nRUN pip install b\n")
    late = step("caches", f"Dockerfile:{dockerfile.structure[-1].first}", ["/home/app/.cache/pip"])
    if more is None:
        with pytest.raises(Problem, match="not done by itself"):
            edited(dockerfile, None, report_with(), late)
    else:
        text = edited(dockerfile, None, report_with(), late).text
        assert text.endswith(f"RUN --mount=type=cache,target=/home/app/.cache/pip{more} pip install b\n")


def test_what_an_ignore_file_keeps_out_is_found_where_its_owner_was_changed(tmp_path):
    lines, own = ["COPY . /app", "RUN chown -R app /app"], {"app/.git/a": NOISE}
    found = steps(weigh(tmp_path, own, own, lines=lines, text="\n".join(["FROM a", *lines])))
    assert {name: one.unpacked_tar_bytes for name, one in found.items()} == {
        "written twice": BLOCKS, "ignore file": BLOCKS
    }  # fmt: skip


def test_what_uv_installs_needs_no_pip():
    text = "FROM a\nRUN python -m venv /v\nRUN uv pip install -r r.txt && pip install b\n"
    draft = edited(Dockerfile("Dockerfile", text), None, report_with(), step("a second pip", "Dockerfile:3", []))
    assert draft.text == text.replace("venv /v", "venv --without-pip /v").replace(
        "&& pip", "&& /usr/local/bin/python -m pip --python /v/bin/python"
    )


def test_a_name_in_quotes_is_the_same_name(tmp_path):
    dockerfile = Dockerfile("Dockerfile", 'ARG I="a:1"\nFROM "${I}" AS one\nFROM \'b:2\'\n')
    assert dockerfile.external_images == ["a:1", "b:2"]


def test_the_wheels_of_pythons_own_venv_are_not_copied_to_be_installed_from(tmp_path):
    own = {"usr/local/lib/python3.14/ensurepip/_bundled/pip-26-py3-none-any.whl": NOISE}
    assert steps(weigh(tmp_path, own, lines=["COPY --from=a /usr/local /usr/local"])) == {}


def test_what_conda_brings_with_python_is_no_virtual_environments(tmp_path):
    site = "opt/conda/envs/app/lib/python3.11/site-packages"
    own = package("pip", {"pip/a.py": NOISE}, site=site) | package("setuptools", {"setuptools/a.py": NOISE}, site=site)
    base = package("pip", {"pip/a.py": b"x"}, site="opt/conda/lib/python3.13/site-packages")
    assert set(steps(weigh(tmp_path, own, base=base))) == {"a second pip", "development tools"}
    own["opt/conda/envs/app/conda-meta/history"] = b"x"
    assert steps(weigh(tmp_path / "conda", own, base=base)) == {}


def test_packages_of_a_store_require_each_other(tmp_path):
    def place(name):
        return f"nix/store/0a-python3.14-{name}/lib/python3.14/site-packages"

    own = package("a", {"a.py": b"x"}, ("setuptools",), site=place("a"))
    made = weigh(tmp_path, own | package("setuptools", {"s.py": NOISE}, site=place("setuptools")))
    assert {one.name: one.brought_by for one in made.packages} == {"a": [], "setuptools": ["a"]}
    assert steps(made) == {}


def test_bytecode_for_another_python_than_that_of_its_folder_is_of_no_use(tmp_path):
    source = package("a", {"a.py": b"x"})
    header = (0x0A0D0E2B).to_bytes(4, "little") + bytes(8) + (1).to_bytes(4, "little")
    for tag, stale in (("cpython-312", 1), ("cpython-314", 0), ("cpython-314.opt-1", 0)):
        own = source | {f"{SITE}/__pycache__/a.{tag}.pyc": header + NOISE}
        made = weigh(tmp_path / tag, own)
        assert (made.facts.bytecode.files, made.facts.bytecode.stale_files) == (1, stale)
        assert ("stale bytecode" in steps(made)) is bool(stale)
