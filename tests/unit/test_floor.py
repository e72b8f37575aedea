"""The floor: what a trace says was looked at, what of an image that touches, and what the smaller image is made of."""

import contextlib
import io
import json
import tarfile
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from jsonschema import Draft202012Validator

from measure.base.dockerfiles import instructions
from measure.base.errors import Problem
from measure.base.files import ROOT
from measure.record import check, records
from measure.record.records import load, record_path
from measure.steps.compose import all_steps, find_step
from measure.studies.floor import finding as floor
from measure.studies.floor import model as floor_model
from measure.studies.floor.model import Answered, Floor, FloorTable, Untouched, Weight
from measure.studies.floor.trace import Look, Touched, belongs_to, interpreter, looks, trail
from measure.weigh import layers
from measure.weigh.filesystem import FileSystem
from tests.conftest import run
from tests.handmade import tar

#: As strace 6.13 writes it.
TRACE = r"""execve("/opt/venv/bin/gunicorn", ["gunicorn", "whichimage:app"], 0x7ffc49a301f0 /* 9 vars */) = 0
access("/etc/ld.so.preload", R_OK)      = -1 ENOENT (No such file or directory)
openat(AT_FDCWD</app>, "/etc/ld.so.cache", O_RDONLY|O_CLOEXEC) = 3</etc/ld.so.cache>
newfstatat(3</etc/ld.so.cache>, "", {st_mode=S_IFREG|0644, st_size=34547, ...}, AT_EMPTY_PATH) = 0
openat(AT_FDCWD</app>, "whichimage/__init__.py", O_RDONLY) = 4</app/whichimage/__init__.py>
newfstatat(5</opt/venv/lib>, "python3.14/site-packages", {st_mode=S_IFDIR|0755, ...}, AT_SYMLINK_NOFOLLOW) = 0
readlink("/usr/local/bin/python", "python3", 4095) = 7
readlink("/usr/local/bin/python3.14", 0x7ffe, 4095) = -1 EINVAL (Invalid argument)
openat(AT_FDCWD</app>, "/etc/shadow", O_RDONLY) = -1 EACCES (Permission denied)
newfstatat(AT_FDCWD</etc>, "\303\244 \"b\".py", 0x7fbd11c77950, 0) = -1 ENOENT (No such file or directory)
chdir("..")                             = 0
access("hosts", R_OK)                   = 0
chdir("/nowhere")                       = -1 ENOENT (No such file or directory)
access("passwd", R_OK)                  = 0
execve("/usr/bin/ls", ["ls"], 0x7ffc49a301f0 /* 9 vars */) = -1 ENOENT (No such file or directory)
openat(AT_FDCWD</app>, "/dev/shm/w", O_RDWR|O_CREAT|O_EXCL, 0600) = 6</dev/shm/w>(deleted)
+++ exited with 0 +++
"""


def test_a_trace_is_read():
    found = list(looks(TRACE.splitlines(), "/begin"))
    assert found == [
        Look("/opt/venv/bin/gunicorn", there=True, executed=True),
        Look("/etc/ld.so.preload", there=False),
        Look("/etc/ld.so.cache", there=True),
        Look("/app/whichimage/__init__.py", there=True),
        Look("/opt/venv/lib/python3.14/site-packages", there=True, follow=False),
        Look("/usr/local/bin/python", there=True, follow=False),
        Look("/usr/local/bin/python3.14", there=True, follow=False),
        Look("/etc/shadow", there=True),
        Look('/etc/ä "b".py', there=False),
        Look("/etc/..", there=True),
        Look("/etc/../hosts", there=True),
        Look("/nowhere", there=False),
        Look("/etc/../passwd", there=True),
        Look("/usr/bin/ls", there=False),
        Look("/dev/shm/w", there=True),
    ]


@pytest.fixture
def stacked(tmp_path):
    """The file system of one hand-made layer."""

    def stack(members, links=None) -> FileSystem:
        path = tmp_path / "layer.tar"
        path.write_bytes(tar(members, links))
        return FileSystem([layers.read_layer(path)])

    return stack


USR = {
    "usr/lib/libc.so.6": b"c" * 100,
    "usr/lib/libm.so.6": b"m" * 50,
    "lib": "usr/lib",
    "usr/bin/python": "python3",
    "usr/bin/python3": "/usr/bin/python3.14",
    "usr/bin/python3.14": b"\x7fELF",
    "usr/bin/round": "round",
}


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("/lib/libc.so.6", ["/lib", "/usr", "/usr/lib", "/usr/lib/libc.so.6"]),
        ("/usr/bin/python", ["/usr", "/usr/bin", "/usr/bin/python", "/usr/bin/python3", "/usr", "/usr/bin",
                             "/usr/bin/python3.14"]),
        ("/usr/../usr//./lib/nothing.so", ["/usr", "/usr", "/usr/lib"]),
        ("/usr/bin/python3.14/x", ["/usr", "/usr/bin", "/usr/bin/python3.14"]),
        ("/", []),
    ],
)  # fmt: skip
def test_the_way_along_a_path_leads_through_links(stacked, path, names):
    assert [name for name, _ in trail(stacked(USR), path)] == names


def test_a_link_itself_may_be_meant_and_one_that_leads_round_ends(stacked):
    files = stacked(USR)
    assert [name for name, _ in trail(files, "/usr/bin/python", follow=False)][-1] == "/usr/bin/python"
    assert len(list(trail(files, "/usr/bin/round"))) < 50


def test_what_is_untouched_is_summed_by_what_it_belongs_to(stacked):
    site = "opt/venv/lib/python3.14/site-packages"
    files = stacked(
        {
            **USR,
            "var/lib/dpkg/status": b"",
            "var/lib/dpkg/info/libm:amd64.list": b"/.\n/lib/libm.so.6\n",
            f"{site}/numpy/__init__.py": b"n" * 10,
            f"{site}/numpy/linalg/__pycache__/a.pyc": b"n" * 7,
            f"{site}/numpy/linalg/a.py": b"n" * 3,
            f"{site}/numpy.libs/libx.so": b"n" * 5,
            f"{site}/six.py": b"n",
            "usr/local/lib/python3.14/idlelib/a.py": b"i" * 4,
            "usr/local/lib/python3.14/abc.py": b"i" * 6,
            "a/b/c/d/e": b"e" * 9,
        },
        {"usr/lib/again.so": "usr/lib/libc.so.6"},
    )
    touched = Touched(files)
    touched.add(Look("/lib/libc.so.6", there=True))  # and so, by its other name, is again.so
    touched.add(Look(f"/{site}/numpy/__init__.py", there=True))
    touched.add(Look(f"/{site}/numpy/no.py", there=False))
    found = {one.name: (one.bytes, one.files) for one in touched.untouched()}
    assert found == {
        "libm, a Debian package": (50, 1),
        "/var/lib/dpkg": (len("/.\n/lib/libm.so.6\n"), 2),
        "site-packages/numpy/linalg": (10, 2),
        "/a/b/c": (9, 1),
        "Python's own modules of one file": (6, 1),
        "site-packages/numpy.libs": (5, 1),
        "/usr/bin": (4, 1),
        "Python's own idlelib": (4, 1),
        "site-packages/six.py": (1, 1),
    }
    assert touched.missing == {f"/{site}/numpy/no.py"}
    assert [one.bytes for one in touched.untouched()] == sorted((size for size, _ in found.values()), reverse=True)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/app", "/app"),
        ("/usr/share/zoneinfo/Europe/Berlin", "/usr/share/zoneinfo"),
        ("/etc/passwd", "/etc"),
        ("/x/site-packages/numpy/__pycache__/a.pyc", "site-packages/numpy"),
    ],
)
def test_a_file_belongs_to_a_directory_where_it_belongs_to_nothing_else(path, name):
    assert belongs_to(path, None) == name


def test_the_interpreter_of_a_script_and_of_a_program():
    assert interpreter(b"#!/opt/venv/bin/python\nimport x\n") == "/opt/venv/bin/python"
    assert interpreter(b"#! /usr/bin/env python\n") == "/usr/bin/env"
    assert interpreter(b"just text") is None
    assert interpreter(b"") is None
    shown = run("readelf", "--program-headers", "/bin/ls").stdout
    assert f"interpreter: {interpreter(Path('/bin/ls').read_bytes()[:8192])}]" in shown


def opened(members, links=None) -> tarfile.TarFile:
    """A file system as `docker export` gives it."""
    return tarfile.open(fileobj=io.BytesIO(tar(members, links)))


def test_what_the_kernel_opens_by_itself_is_touched(stacked):
    loader = Path("/bin/ls").read_bytes()[:8192]
    own = interpreter(loader).lstrip("/")
    members = {"bin/app": b"#!/bin/py\n", "bin/py": "python3", "bin/python3": loader, own: b"loader"}
    found = [Look("/bin/app", there=True, executed=True)]
    with opened(members) as exported:
        touched = floor.touched_by(stacked(members), found, exported)
    assert {"/bin/app", "/bin/py", "/bin/python3", f"/{own}"} <= touched.names


def test_what_the_engine_puts_over_the_images_own_is_not_touched(stacked):
    members = {"etc/hosts": b"127.0.0.1 localhost", "etc/resolv.conf": b"nameserver 127.0.0.1", "etc/passwd": b"app:x"}
    found = [Look(f"/{name}", there=True) for name in members]
    with opened(members) as exported:
        touched = floor.touched_by(stacked(members), found, exported)
    assert {"/etc", "/etc/passwd"} <= touched.names
    assert sum(one.bytes for one in touched.untouched()) == len(members["etc/hosts"]) + len(members["etc/resolv.conf"])


def test_a_packed_floor_has_the_named_files_with_what_links_share(tmp_path):
    members = {"d": None, "d/a": b"a" * 9, "d/no": b"no", "l": "d/a"}
    with opened(members, {"d/hard": "d/no", "d/harder": "d/hard", "d/b": "d/a"}) as exported:
        for _ in range(2):  # one export serves more than one floor
            floor.pack(exported, {"/d", "/d/a", "/l", "/d/hard", "/d/b"}, tmp_path / "floor.tar")
    with tarfile.open(tmp_path / "floor.tar") as packed:
        assert packed.getnames() == ["d", "d/a", "l", "d/hard", "d/b"]
        assert packed.extractfile("d/hard").read() == b"no"
        assert packed.getmember("d/b").islnk()
        assert packed.getmember("l").linkname == "d/a"


def test_the_floors_dockerfile_has_the_images_configuration():
    config = {
        "Env": ["PATH=/opt/venv/bin:/bin", 'SAID=a "b" $c'],
        "WorkingDir": "/app",
        "User": "10001",
        "ExposedPorts": {"8000/tcp": {}},
        "Healthcheck": {"Test": ["CMD", "python", "-c", "x"], "Interval": 30_000_000_000, "StartInterval": 250_000_000},
        "Cmd": ["gunicorn", "whichimage:app"],
        "Entrypoint": None,
    }
    assert floor.floor_dockerfile(config).splitlines() == [
        "FROM scratch",
        "ADD floor.tar /",
        'ENV PATH="/opt/venv/bin:/bin"',
        r'ENV SAID="a \"b\" \$c"',
        "WORKDIR /app",
        "USER 10001",
        "EXPOSE 8000/tcp",
        'HEALTHCHECK --interval=30000000000ns --start-interval=250000000ns CMD ["python", "-c", "x"]',
        'CMD ["gunicorn", "whichimage:app"]',
    ]


@pytest.mark.parametrize("step", all_steps(), ids=lambda step: step.name)
def test_what_is_served_is_found_in_each_steps_command(step):
    last = instructions(step.recommended.dockerfile)[-1]
    config = {"Cmd": json.loads(last.removeprefix("CMD "))}
    assert floor.application(step.recommended, config) in ("app:app", "whichimage:app")


def test_an_image_that_does_not_say_what_it_serves_is_told():
    config = {"Entrypoint": ["python"], "Cmd": ["-m", "http.server", "--bind", "0.0.0.0:8000"]}
    with pytest.raises(Problem, match="does not say which application") as problem:
        floor.application(find_step("step-1").recommended, config)
    assert "step-1-kiss/Dockerfile" in problem.value.next


def weight(size: int) -> Weight:
    return Weight(transfer_bytes=size, unpacked_tar_bytes=3 * size, file_bytes=2 * size, files=7)


STEPS = ("step-3-multistage", "step-4-slim-vs-alpine")
RECORD = load(record_path("lab-amd64", "step-4-slim-vs-alpine", "recommended", "linux/amd64"))


def a_floor(**changes) -> Floor:
    usual = {
        "step": RECORD.step,
        "variant": RECORD.variant,
        "platform": RECORD.platform,
        "inputs_sha256": RECORD.inputs_sha256,
        "contents_sha256": RECORD.contents.sha256,
        "image": weight(3_000_000),
        "floor": weight(2_000_000),
        "answered": [Answered(question="GET /", status=200)],
        "healthy": True,
        "exit_code": 0,
        "missing": ["/etc/ld.so.preload"],
        "untouched_bytes": 2_000_000,
        "untouched": [Untouched(name="perl-base, a Debian package", bytes=1_000_000, files=9)],
        "provenance": RECORD.provenance,
    }
    return Floor(**{**usual, **changes})


def test_an_image_that_does_something_else_with_the_floors_files_is_no_proof():
    step = find_step("step-4")
    same = floor.Run([Answered(question="GET /", status=200)], [True], 0)
    floor.compare(step, step.recommended, same, same)
    for other, told in (
        (floor.Run([Answered(question="GET /", status=500)], [True], 0), "GET /: 200, and 500"),
        (floor.Run(same.answered, [False], 0), "health checks"),
        (floor.Run(same.answered, [True], 3), "exit code 0, and 3"),
    ):
        with pytest.raises(Problem, match="more files than") as problem:
            floor.compare(step, step.recommended, same, other)
        assert told in problem.value.why


def test_multiples_and_the_order_of_the_table():
    one, other = a_floor(), a_floor(variant="distroless")
    assert one.times("transfer_bytes") == 1.5
    table = FloorTable(floors=[other]).renewed([one], [(one.step, "recommended"), (one.step, "distroless")])
    assert [floor.variant for floor in table.floors] == ["recommended", "distroless"]
    assert table.renewed([], [(one.step, "distroless")]).floors == [other]
    assert table.renewed([a_floor(exit_code=3)], [(one.step, "recommended")]).floors[0].exit_code == 3


@pytest.fixture
def results(tmp_path, monkeypatch):
    """An empty folder of results."""
    for module in (records, floor_model.records):
        monkeypatch.setattr(module, "RESULTS", tmp_path)
    return tmp_path / "lab-amd64/floor.json"


def test_a_floor_that_is_missing_or_stale_or_of_nothing_is_found(results):
    state = {(one.state, one.why.partition(":")[0]) for one in floor_model.findings("lab-amd64")}
    assert ("missing", "step-4-slim-vs-alpine/recommended on linux/amd64") in state
    with pytest.raises(Problem, match="missing"):
        floor_model.complete("lab-amd64")
    found = [a_floor(), a_floor(step="step-3-multistage"), a_floor(step="step-9")]
    results.parent.mkdir()
    results.write_text(records.as_json(FloorTable(floors=found)))
    state = {(one.state, one.why.partition(":")[0].partition(" on ")[0]) for one in floor_model.findings("lab-amd64")}
    assert ("stale", "step-3-multistage/recommended") in state
    assert ("orphaned", "step-9/recommended") in state
    assert not [why for _, why in state if why == "step-4-slim-vs-alpine/recommended"]
    other = results.parents[1] / "dockerhub-amd64/floor.json"
    other.parent.mkdir()
    other.write_text(records.as_json(FloorTable(floors=found[:1])))
    assert {one.why.partition("/")[0] for one in floor_model.findings("dockerhub-amd64")} == {"step-4-slim-vs-alpine"}
    results.write_text("{}x")
    with pytest.raises(Problem, match="not valid"):
        floor_model.load("lab-amd64")


LATER = RECORD.provenance.model_copy(update={"measured_at": RECORD.provenance.measured_at + timedelta(hours=1)})


@pytest.mark.parametrize(
    ("provenance", "command"),
    [(RECORD.provenance, "make floor-step-4"), (LATER, "make step-4")],
    ids=["older", "newer"],
)
def test_a_floor_of_another_image_than_the_recorded_one_is_stale(results, provenance, command):
    """Of the same inputs, but upon another base. One that only had a patch is none: it moves less than SAME."""
    image = weight(1).model_copy(update={name: getattr(RECORD.contents, name) for name in ("files", "file_bytes")})
    results.parent.mkdir()
    results.write_text(records.as_json(FloorTable(floors=[a_floor(provenance=provenance, image=image)])))
    asked = [find_step("step-4")]

    def grown(**parts: float) -> None:
        now = {name: round(getattr(RECORD.contents, name) * (1 + part)) for name, part in parts.items()}
        records.save(RECORD.model_copy(update={"contents": RECORD.contents.model_copy(update=now)}))

    def found():
        return [one for one in floor_model.findings("lab-amd64", asked) if "/recommended " in one.why]

    grown()
    assert found() == []
    grown(file_bytes=floor_model.SAME * 0.9, files=-floor_model.SAME * 0.9)
    assert found() == []
    for name in ("files", "file_bytes"):
        grown(**{name: floor_model.SAME * 1.1})
        (finding,) = found()
        assert (finding.state, finding.command) == ("stale", command)
        assert "the image that was traced" in finding.why
    with pytest.raises(Problem, match=r"floor\.json is"):
        floor_model.complete("lab-amd64")
    RECORD.path.write_text("{}")  # make check tells of it
    assert found() == []


def test_the_committed_floors_are_of_the_very_images_that_are_recorded():
    """To the byte. What `make step-N` recorded since, in somebody's clone, may be on a base with patches."""

    def committed(path: Path) -> str:
        told = run("git", "show", f"HEAD:{path.relative_to(ROOT)}")
        assert told.returncode == 0, told.stderr
        return told.stdout

    table = FloorTable.model_validate_json(committed(floor_model.record_path("lab-amd64")))
    assert table.floors
    for one in table.floors:
        path = record_path("lab-amd64", one.step, one.variant, one.platform)
        assert one.contents_sha256 == records.parse(committed(path), path.name).contents.sha256, one.key


def test_what_is_in_an_image_is_one_number_whatever_the_order_of_its_sums():
    contents = RECORD.contents
    turned = contents.model_copy(update={"directories": dict(reversed(contents.directories.items()))})
    assert turned.sha256 == contents.sha256
    assert contents.model_copy(update={"user": "0"}).sha256 != contents.sha256


def test_logs_are_no_part_of_what_is_in_an_image():
    """Seen: 8 bytes less of apt-get's own log, and nothing else, when the base was built again."""
    contents, names = RECORD.contents, ("/var", "/var/log", "/var/log/apt")

    def grown(*where: str):
        directories = contents.directories | {name: contents.directories.get(name, 0) + 8 for name in where}
        return contents.model_copy(update={"directories": directories, "file_bytes": contents.file_bytes + 8})

    assert grown(*names).sha256 == contents.sha256
    assert grown("/var", "/var/lib").sha256 != contents.sha256
    assert grown().sha256 != contents.sha256


class Engine:
    """Has images and volumes, and nothing else; making a volume is where Ctrl-C comes."""

    def __init__(self) -> None:
        self.images: set[str] = set()
        self.volumes: set[str] = set()
        self.docker = self
        self.image = SimpleNamespace(
            exists=self.images.__contains__, remove=lambda name, force: self.images.remove(name)
        )
        self.volume = SimpleNamespace(
            exists=self.volumes.__contains__, remove=self.volumes.remove, create=self._interrupted
        )

    def _interrupted(self, name: str, labels: dict) -> None:
        self.volumes.add(name)
        raise KeyboardInterrupt


def test_ctrl_c_leaves_no_image_and_no_volume(monkeypatch):
    engine = Engine()
    monkeypatch.setattr(floor.builder, "load_text", lambda engine, text, name: engine.images.add(name))
    with pytest.raises(KeyboardInterrupt), floor._tracer(engine):
        pytest.fail("it was interrupted before")
    assert (engine.images, engine.volumes) == (set(), set())
    with pytest.raises(KeyboardInterrupt), floor._own_image(engine, floor.FLOOR_IMAGE):
        raise KeyboardInterrupt  # before there is an image


def test_what_was_weighed_has_to_be_what_runs(monkeypatch):
    """The builder builds twice, and its cache may lose a layer in between."""
    step, engine = find_step("step-4"), SimpleNamespace()
    weighed, runs = SimpleNamespace(diff_id="sha256:1"), {"RootFS": {"Layers": ["sha256:2"]}}
    monkeypatch.setattr(floor.builder, "build", lambda *_: SimpleNamespace(digest=""))
    monkeypatch.setattr(floor.builder, "load_into_engine", lambda *_: "name")
    monkeypatch.setattr(floor, "_layers", lambda _: [weighed])
    monkeypatch.setattr(floor, "_inspect", lambda *_: runs)
    with pytest.raises(Problem, match="not alike"), floor.traced(engine, step, step.recommended, print):
        pytest.fail("it is another image")


def test_a_step_that_is_changed_while_it_is_traced_gets_no_record(monkeypatch):
    step, engine = find_step("step-4"), SimpleNamespace(recipe=lambda name: None)
    run = floor.Run([], [None], 0)
    monkeypatch.setattr(
        floor, "traced", lambda *_: contextlib.nullcontext(SimpleNamespace(run=run, touched=Touched(None)))
    )
    monkeypatch.setattr(floor, "prove", lambda *_: (None, run))
    inputs = iter([RECORD.inputs, RECORD.inputs.model_copy(update={"context_sha256": "other"})])
    monkeypatch.setattr(floor, "inputs_of", lambda *_: next(inputs))
    with pytest.raises(Problem, match="was changed"):
        floor.find(engine, step, step.recommended, print)


def test_an_experiment_has_no_floor():
    with pytest.raises(Problem, match="no floor"):
        floor.measure_floors(None, find_step("folklore-layers"))


def test_the_record_fits_its_published_schema():
    schema = json.loads((ROOT / "results/floor.schema.json").read_text())
    Draft202012Validator(schema).validate(json.loads(floor_model.record_path("lab-amd64").read_text()))


def test_floors_have_been_found_for_all_that_should_have_one_and_hold():
    expected = {(s.name, v.name) for s in check.all_measured() if not s.experiment for v in floor_model.chosen(s)}
    table = floor_model.complete("lab-amd64")
    assert {one.key[:2] for one in table.floors} == expected
    for one in table.floors:
        assert one.image.file_bytes - one.untouched_bytes == one.floor.file_bytes
        assert one.times("transfer_bytes") > 1
        assert "/etc/ld.so.preload" in one.missing
        assert one.exit_code == 0
        assert one.healthy is not False


def test_the_dockerfiles_without_a_distribution_differ_in_what_numpy_brings_alone():
    one, other = ((ROOT / step / "distroless.Dockerfile").read_text().splitlines() for step in STEPS)
    assert [line for line in one if line not in other] == []
    added = [line for line in other if line not in one]
    assert len(added) == 2
    assert added[0].startswith("# What NumPy brings")


@pytest.mark.parametrize("step", STEPS)
def test_up_to_what_is_left_out_they_are_built_as_the_recommended_ones(step):
    recommended, distroless = (instructions(ROOT / step / name) for name in ("Dockerfile", "distroless.Dockerfile"))
    end = recommended.index("FROM python:3.14-slim")
    assert distroless[:end] == recommended[:end]
    assert "FROM scratch" in distroless
    kept = ("WORKDIR /app", "COPY gunicorn", "COPY src", "USER", "EXPOSE", "HEALTHCHECK", "CMD")
    assert [one for one in distroless[end:] if one.startswith(kept)] == [
        one for one in recommended[end:] if one.startswith(kept)
    ]


def test_numpy_on_glibc_is_smaller_than_on_alpine_and_near_its_floor():
    distroless = floor_model.complete("lab-amd64").get("step-4-slim-vs-alpine", "distroless", "linux/amd64")
    for platform in ("linux/amd64", "linux/arm64"):
        ours, alpine = (
            load(record_path("lab-amd64", "step-4-slim-vs-alpine", name, platform)).size
            for name in ("distroless", "alpine-multistage")
        )
        assert ours.transfer_bytes < alpine.transfer_bytes
        assert ours.unpacked_tar_bytes < alpine.unpacked_tar_bytes
    assert distroless.times("transfer_bytes") <= 1.5
    assert distroless.times("unpacked_tar_bytes") <= 1.5
