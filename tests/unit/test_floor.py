"""The floor: what the smaller image is made of, how it is proved, and when its record holds."""

import contextlib
import json
import tarfile
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest
from python_on_whales.exceptions import DockerException

from measure.base.errors import Problem
from measure.base.files import ROOT
from measure.record import records
from measure.record.records import load, record_path
from measure.steps.compose import all_steps, find_step
from measure.studies.floor import finding, model, watching
from measure.studies.floor.model import Answered, Floor, FloorTable, Weight
from measure.studies.floor.packing import floor_dockerfile, pack
from measure.studies.floor.trace import Touched
from tests.conftest import run
from tests.unit.test_trace import opened


def test_a_packed_floor_has_the_named_files_with_what_links_share(tmp_path):
    members = {"d": None, "d/a": b"a" * 9, "d/no": b"no", "l": "d/a"}
    with opened(members, {"d/hard": "d/no", "d/harder": "d/hard", "d/b": "d/a"}) as exported:
        for _ in range(2):  # one export serves more than one floor
            pack(exported, {"/d", "/d/a", "/l", "/d/hard", "/d/b"}, tmp_path / "floor.tar")
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
    assert floor_dockerfile(config).splitlines() == [
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
    none = {"Healthcheck": {"Test": ["NONE"], "Interval": 1}}
    assert floor_dockerfile(none).splitlines() == ["FROM scratch", "ADD floor.tar /"]


def test_what_is_served_and_asked_is_found_or_told():
    for step in all_steps():
        config = {"Cmd": json.loads(step.recommended.parsed.instructions[-1].removeprefix("CMD "))}
        assert watching.application(config) in ("app:app", "whichimage:app")
    variant = find_step("step-1").recommended
    told = 'the application says hello\n[["GET", "/"], ["POST", "/<int:id>"]]'
    assert watching.routes_of(told, variant) == [("GET", "/"), ("POST", "/x")]


def test_what_is_no_application_of_flask_is_asked_for_what_it_promised(monkeypatch):
    """And for what its page names, as a browser would; a page that names itself is no endless loop."""
    config = {"Entrypoint": ["python"], "Cmd": ["-m", "http.server", "--bind", "0.0.0.0:8000"]}
    asked = watching.questions(None, "", find_step("step-1").recommended, config)
    assert {"GET /", "HEAD /health", "GET /image.json?n=nonsense", watching.NOWHERE} <= {*asked, asked[-1].split()[1]}
    page = '<script type="module" src="/assets/a.js"></script><link rel="icon" href="/"><a href="/other">'

    def request(method, url, **_):
        return SimpleNamespace(status_code=200 if url != "http://it/no" else 404, text=page)

    monkeypatch.setattr(watching.httpx, "request", request)
    answered = watching._ask("http://it", ["GET /", "GET /no"], ", alone")
    assert [(one.question, one.status) for one in answered] == [
        ("GET /, alone", 200), ("GET /no, alone", 404), ("GET /assets/a.js, alone", 200)
    ]  # fmt: skip


@pytest.mark.parametrize("told", ["", "no JSON", "[1]", "null"])
def test_an_application_that_does_not_say_its_routes_is_told(told):
    with pytest.raises(Problem, match="which routes it has"):
        watching.routes_of(told, find_step("step-1").recommended)


def weight(size: int) -> Weight:
    return Weight(transfer_bytes=size, unpacked_tar_bytes=3 * size, file_bytes=2 * size, files=7)


RECORD = load(record_path("lab-amd64", "step-4-slim-vs-alpine", "recommended", "linux/amd64"))


FLOOR = model.load("lab-amd64").get(RECORD.step, RECORD.variant, RECORD.platform)


def a_floor(**changes) -> Floor:
    return FLOOR.model_copy(update=changes)


def test_an_image_that_does_something_else_with_the_floors_files_is_no_proof():
    step, answered = find_step("step-4"), [Answered(question="GET /", status=200)]
    same = watching.Run(answered, [True], 0)
    finding.compare(step, step.recommended, same, same)
    for other, told in (
        (watching.Run([Answered(question="GET /", status=500)], [True], 0), "GET /: 200, and 500"),
        (watching.Run(answered, [False], 0), "health checks: [True], and [False]"),
        (watching.Run(answered, [True], 3), "exit code: 0, and 3"),
    ):
        with pytest.raises(Problem, match="more files than") as problem:
            finding.compare(step, step.recommended, same, other)
        assert told in problem.value.why


def test_multiples_and_the_order_of_the_table():
    one = a_floor(image=weight(3_000_000), floor=weight(2_000_000))
    other = a_floor(variant="distroless")
    assert one.times("transfer_bytes") == 1.5
    table = FloorTable(floors=[other]).renewed([one], [(one.step, "recommended"), (one.step, "distroless")])
    assert [one.variant for one in table.floors] == ["recommended", "distroless"]
    assert "step-4-slim-vs-alpine/recommended transfer: 3.0 MB, floor 2.0 MB, 1.50 times" in finding.told(one)
    assert table.renewed([], [(one.step, "distroless")]).floors == [other]
    assert table.renewed([a_floor(exit_code=3)], [(one.step, "recommended")]).floors[0].exit_code == 3


@pytest.fixture
def results(tmp_path, monkeypatch):
    """Records go to an empty folder. Returns how to record floors there."""
    monkeypatch.setattr(records, "RESULTS", tmp_path)

    def record(*floors: Floor, environment: str = "lab-amd64") -> None:
        path = tmp_path / environment / "floor.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(records.as_json(FloorTable(floors=list(floors))))

    return record


def test_a_floor_that_is_missing_or_stale_or_of_nothing_is_found(results):
    def found(environment="lab-amd64"):
        return {(one.state, one.why.partition(":")[0].partition(" on ")[0]) for one in model.findings(environment)}

    assert ("missing", "step-4-slim-vs-alpine/recommended") in found()
    results(a_floor(), a_floor(step="step-3-multistage"), a_floor(step="step-9"))
    assert model.count("lab-amd64") == 3
    assert {("stale", "step-3-multistage/recommended"), ("orphaned", "step-9/recommended")} <= found()
    assert "step-4-slim-vs-alpine/recommended" not in {name for _, name in found()}
    results(a_floor(), environment="dockerhub-amd64")
    assert {name.partition("/")[0] for _, name in found("dockerhub-amd64")} == {"step-4-slim-vs-alpine"}


def test_a_floor_of_another_image_than_the_recorded_one_is_stale(results):
    """Of the same inputs, but upon another base. One that only had a patch is none: it moves less than SAME."""
    image = weight(1).model_copy(update={name: getattr(RECORD.contents, name) for name in ("files", "file_bytes")})
    results(a_floor(image=image))

    def found_with(**parts: float):
        now = {name: round(getattr(RECORD.contents, name) * (1 + part)) for name, part in parts.items()}
        records.save(RECORD.model_copy(update={"contents": RECORD.contents.model_copy(update=now)}))
        return [one for one in model.findings("lab-amd64", [find_step("step-4")]) if "/recommended " in one.why]

    assert found_with() == []
    assert found_with(file_bytes=model.SAME * 0.9, files=-model.SAME * 0.9) == []
    for name in ("files", "file_bytes"):
        (one,) = found_with(**{name: model.SAME * 1.1})
        assert (one.state, one.command) == ("stale", "make step-4 && make floor-step-4")
        assert "the image that was traced" in one.why
    with pytest.raises(Problem, match=r"floor\.json is"):
        model.complete("lab-amd64")
    RECORD.path.write_text("{}")  # make check tells of it
    assert model._record("lab-amd64", find_step("step-4").recommended, RECORD.platform) is None


def test_the_committed_floors_are_of_the_very_images_that_are_recorded():
    """To the byte. What `make step-N` recorded since, in somebody's clone, may be on a base with patches."""

    def committed(path: Path) -> str:
        told = run("git", "show", f"HEAD:{path.relative_to(ROOT)}")
        assert told.returncode == 0, told.stderr
        return told.stdout

    table = FloorTable.model_validate_json(committed(model.record_path("lab-amd64")))
    assert table.floors
    for one in table.floors:
        path = record_path("lab-amd64", one.step, one.variant, one.platform)
        assert one.contents_sha256 == records.parse(committed(path), path.name).contents.sha256, one.key


def test_what_is_in_an_image_is_one_number_whatever_the_order_of_its_sums_and_without_logs():
    """Seen: 8 bytes less of apt-get's own log, and nothing else, when the base was built again."""
    contents = RECORD.contents
    turned = contents.model_copy(update={"directories": dict(reversed(contents.directories.items()))})
    assert turned.sha256 == contents.sha256
    assert contents.model_copy(update={"user": "0"}).sha256 != contents.sha256

    def grown(*where: str) -> str:
        directories = contents.directories | {name: contents.directories.get(name, 0) + 8 for name in where}
        return contents.model_copy(update={"directories": directories, "file_bytes": contents.file_bytes + 8}).sha256

    assert grown("/var", "/var/log", "/var/log/apt") == contents.sha256
    assert contents.sha256 not in (grown("/var", "/var/lib"), grown())


def test_ctrl_c_leaves_no_image_and_no_volume(monkeypatch):
    """It comes when the volume has just been made."""
    images, volumes = set(), set()

    def create(name: str, labels: dict) -> None:
        volumes.add(name)
        raise KeyboardInterrupt

    image = SimpleNamespace(exists=images.__contains__, remove=lambda name, force: images.remove(name))
    volume = SimpleNamespace(exists=volumes.__contains__, remove=volumes.remove, create=create)
    engine = SimpleNamespace(docker=SimpleNamespace(image=image, volume=volume))
    monkeypatch.setattr(watching.builder, "load_text", lambda engine, text, name: images.add(name))
    with pytest.raises(KeyboardInterrupt), watching.tracer(engine):
        pytest.fail("it was interrupted before")
    assert (images, volumes) == (set(), set())
    with pytest.raises(KeyboardInterrupt), watching.own_image(engine, watching.FLOOR_IMAGE):
        raise KeyboardInterrupt  # before there is an image


def test_what_ends_at_once_may_take_along_who_told_it_to(monkeypatch):
    """The one who tells sees the other's processes: the kernel ends them all together."""

    def run(code):
        def ends(*words, **options):
            raise DockerException(["docker", "run"], code)

        return ends

    for code, ends in ((137, nullcontext()), (1, pytest.raises(DockerException))):
        monkeypatch.setattr(watching.probe, "_remove", lambda engine, name: None)
        docker = SimpleNamespace(run=run(code))
        with ends:
            watching._stop(SimpleNamespace(docker=docker), SimpleNamespace(id="abc"), "a-volume")


def test_what_was_weighed_has_to_be_what_runs(monkeypatch):
    """The builder builds twice, and its cache may lose a layer in between."""
    step, engine = find_step("step-4"), SimpleNamespace()
    runs = {"RootFS": {"Layers": ["sha256:2"]}}
    monkeypatch.setattr(finding.builder, "build", lambda *_: SimpleNamespace(digest=""))
    monkeypatch.setattr(finding.builder, "load_into_engine", lambda *_: "name")
    monkeypatch.setattr(finding, "manifest_of", lambda *_: {"layers": [{"digest": ""}]})
    monkeypatch.setattr(finding, "layer_facts", lambda _: None)
    monkeypatch.setattr(finding, "diff_ids", lambda *_: ["sha256:1"])
    monkeypatch.setattr(finding, "inspected", lambda *_: runs)
    with pytest.raises(Problem, match="not alike"), finding.traced(engine, step, step.recommended, print):
        pytest.fail("it is another image")


def test_a_step_that_is_changed_while_it_is_traced_gets_no_record(monkeypatch):
    step, engine = find_step("step-4"), SimpleNamespace(recipe=lambda name: None)
    run = watching.Run([], [None], 0)
    monkeypatch.setattr(
        finding, "traced", lambda *_: contextlib.nullcontext(SimpleNamespace(run=run, touched=Touched(None)))
    )
    monkeypatch.setattr(finding, "prove", lambda *_: (None, run))
    inputs = iter([RECORD.inputs, RECORD.inputs.model_copy(update={"context_sha256": "other"})])
    monkeypatch.setattr(finding, "inputs_of", lambda *_: next(inputs))
    with pytest.raises(Problem, match="was changed"):
        finding.find(engine, step, step.recommended, print)


def test_an_experiment_has_no_floor_and_another_builder_finds_none():
    for engine, step, told in ((None, "folklore-layers", "no floor"), ("other", "step-4", "engine's own builder")):
        with pytest.raises(Problem, match=told):
            finding.measure_floors(SimpleNamespace(chosen=engine), find_step(step))


def test_the_committed_floors_are_of_all_that_should_have_one_and_hold():
    table = model.complete("lab-amd64")
    assert {one.key[:2] for one in table.floors} == {(s.name, v.name) for s in all_steps() for v in model.chosen(s)}
    for one in table.floors:
        assert one.image.file_bytes - one.untouched_bytes == one.floor.file_bytes
        assert one.times("transfer_bytes") > 0.99  # of an image that is one program, it is the same archive packed anew
        assert "/etc/ld.so.preload" in one.missing or one.step == "extra-other-languages"
        assert (one.exit_code, one.healthy is False) == (0, False)


def test_the_image_without_a_distribution_is_built_as_the_recommended_one_and_ends_as_it():
    step = find_step("step-4")
    recommended, distroless = (step.variant(name).parsed.instructions for name in ("recommended", "distroless"))
    end = recommended.index("FROM python:3.14-slim")
    assert distroless[:end] == recommended[:end]
    assert "FROM scratch" in distroless
    kept = ("WORKDIR /app", "COPY --chmod", "USER", "EXPOSE", "HEALTHCHECK", "CMD")
    ends = [[line for line in lines[end:] if line.startswith(kept)] for lines in (recommended, distroless)]
    assert ends[0] == ends[1]
    assert len(ends[0]) >= len(kept)


def test_numpy_on_glibc_is_smaller_than_on_alpine_and_near_its_floor():
    distroless = model.complete("lab-amd64").get("step-4-slim-vs-alpine", "distroless", "linux/amd64")
    for platform in ("linux/amd64", "linux/arm64"):
        ours, alpine = (
            load(record_path("lab-amd64", "step-4-slim-vs-alpine", name, platform)).size
            for name in ("distroless", "alpine-multistage")
        )
        assert ours.transfer_bytes < alpine.transfer_bytes
        assert ours.unpacked_tar_bytes < alpine.unpacked_tar_bytes
    assert distroless.times("transfer_bytes") <= 1.5
    assert distroless.times("unpacked_tar_bytes") <= 1.5
