"""`make step-1` in a fresh clone, as a newcomer types it: real images, both platforms, weighed, started, recorded."""

import contextlib
import json
import os
import re
import signal
import subprocess
import uuid
from pathlib import Path

import psutil
import pytest

from lab import services
from lab.config import Lab
from measure.base.platforms import MACHINES
from measure.build import images as builder
from measure.record.compare import changes
from measure.record.records import Record
from measure.run.probe import wait_for
from measure.steps.compose import find_step
from measure.steps.copying import clean_copy
from tests.conftest import NATIVE, OTHER, changed, eventually, fresh_clone, left_of_runs, run

VARIANTS = [variant.name for variant in find_step("step-1").variants]
FULL = f"step-1-kiss/full.{NATIVE.replace('/', '-')}.json"
SECONDS = 3000  # with nothing cached, the lab builds its base images first


@pytest.fixture(scope="module")
def clone(tmp_path_factory, engine):
    """A fresh clone, in which what is not committed here is: git sees what a run writes there, and nothing else."""
    folder = fresh_clone(tmp_path_factory.mktemp("fresh") / "clone")
    author = ("-c", "user.name=Test", "-c", "user.email=test@localhost")
    run("git", "add", "--all", cwd=folder).check_returncode()
    run("git", *author, "commit", "--quiet", "--allow-empty", "--message=As it is", cwd=folder).check_returncode()
    return folder


@pytest.fixture(scope="module")
def first_run(clone):
    result = make(clone, "step-1", seconds=SECONDS)
    assert result.returncode == 0, result.stderr
    return result


def make(folder, *words: str, seconds: int = 600, **variables):
    return run("make", *words, cwd=folder, seconds=seconds, env={**os.environ, **variables})


def records(folder, engine) -> dict[tuple[str, str], Record]:
    """What this engine's environment has; others' records may stand beside it."""
    paths = (folder / "results" / engine.environment / "step-1-kiss").glob("*.json")
    found = [Record.model_validate_json(path.read_text()) for path in paths]
    return {(record.variant, record.platform): record for record in found}


@pytest.mark.timeout(SECONDS)
def test_it_says_what_it_does_and_prints_the_table_and_both_platforms_answers(first_run):
    lines = [line for line in first_run.stderr.splitlines() if "installing" not in line]
    assert f"the {len(VARIANTS)} images of step-1-kiss for " in lines[0], first_run.stderr
    shown = first_run.stdout
    for variant in VARIANTS:
        assert re.search(rf"│ {variant} +│ +\d+\.\d MB.+│ ok +│", shown), shown
    for platform, machine in MACHINES.items():
        (answer,) = [line for line in shown.splitlines() if line.startswith(f"{platform} answers")]
        assert f"'machine': '{machine}'" in answer
        assert "'variant': 'recommended'" in answer
        assert "'step': 'step-1-kiss'" in answer


def test_it_names_the_files_that_git_sees_written(clone, first_run, engine):
    folder = f"results/{engine.environment}/step-1-kiss"
    seen = run("git", "status", "--porcelain", "--untracked-files=all", folder, cwd=clone).stdout.split()[1::2]
    (written,) = re.findall("^Files written: (.+); `git status", first_run.stdout, re.MULTILINE) or [""]
    assert {f"{folder}/{name}" for name in written.split(", ") if name} == {*seen}


def test_it_writes_a_record_for_each_variant_and_platform(clone, first_run, engine):
    found = records(clone, engine)
    assert set(found) >= {(v, p) for v in VARIANTS for p in engine.platforms}
    for record in found.values():
        assert record.outcome == "built"
        assert record.size.transfer_bytes == sum(layer.transfer_bytes for layer in record.size.layers)
        assert record.size.unpacked_tar_bytes > record.size.unpacked_file_bytes > record.size.transfer_bytes
        assert record.provenance.execution == ("native" if record.platform == NATIVE else "emulated")
        if record.environment.startswith("lab"):
            assert {base.origin for base in record.provenance.bases} == {"lab"}
            assert all(re.fullmatch("[0-9a-f]{64}", base.recipe_sha256) for base in record.provenance.bases)
    for platform in engine.platforms:
        slim, full = (found[name, platform].size for name in ("recommended", "full"))
        assert slim.transfer_bytes < full.transfer_bytes / 5
        assert slim.unpacked_tar_bytes < full.unpacked_tar_bytes / 5


def test_sizes_agree_with_the_manifest_as_the_registry_shows_it(clone, first_run, engine):
    """Weigh the slim image, push it to the lab's registry, and add up what the manifest there says.

    Weighed anew: variants that begin alike are built at the same time, so the first run may have made a layer twice.
    """
    if engine.kind != "lab":
        pytest.skip("needs the lab's registry; run it with ENGINE=lab")
    lab = Lab.from_environment()
    tag = f"{lab.registry}/test/slim:native"
    step = find_step("step-1", clone)
    weighed = builder.build(engine, step, step.recommended, NATIVE, lambda _: None, remember=False)
    with clean_copy(step.folder) as copy, contextlib.chdir(copy):
        engine.docker.buildx.bake(
            ["step-1-kiss"],
            files=["compose.yaml"],
            set={"*.platform": NATIVE, "*.tags": tag, "*.output": "type=registry"},
            variables={"BUILDX_NO_DEFAULT_ATTESTATIONS": "1"},
            progress=False,
        )
    skopeo = ["chroot", str(lab.tree), "skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{tag}"]
    manifest = json.loads(run(*skopeo).stdout)
    assert [layer["size"] for layer in manifest["layers"]] == [layer.transfer_bytes for layer in weighed.layers]


def test_again_with_nothing_changed_it_finds_the_same(clone, first_run, engine):
    before = {path: path.read_bytes() for path in (clone / "results").rglob("*.json")}
    result = make(clone, "step-1")
    assert result.returncode == 0, result.stderr
    assert {path: path.read_bytes() for path in (clone / "results").rglob("*.json")} == before
    # One that is not to be emulated keeps its record, from where it was built.
    step = find_step("step-1")
    count = sum(one.teaching.emulate or platform == NATIVE for one in step.variants for platform in engine.platforms)
    (told,) = re.findall("^Against the recorded numbers: (.+)$", result.stdout, re.MULTILINE)
    assert sum(map(int, re.findall(r"(\d+) the same", told))) == count, told
    assert "Files written" not in result.stdout
    assert "Records: results/" in result.stdout


def test_what_was_recorded_holds_and_what_is_changed_does_not(clone, first_run, engine):
    """`measure check` and the end of `make step-1` tell the same story."""
    assert make(clone, "check").returncode == 0
    requirements = clone / "step-1-kiss/requirements.txt"
    before = {path: path.read_bytes() for path in (clone / "results").rglob("*.json")}
    with changed(requirements, "itsdangerous==2.2.0\n", "itsdangerous==2.2.0\nsix==1.17.0\n"):
        checked = make(clone, "check")
        assert checked.returncode != 0
        assert checked.stdout.count("files in the build context changed") == len(VARIANTS) * len(engine.platforms)
        result = make(clone, "step-1", PLATFORMS=NATIVE)
    assert result.returncode == 0, result.stderr
    told = [line for line in result.stdout.splitlines() if line.startswith(f"  full · {NATIVE}:")]
    assert len(told) == 1, result.stdout
    assert "six - → 1.17.0" in told[0]
    for path, content in before.items():
        path.write_bytes(content)


def test_a_record_file_that_is_no_record_is_named_and_rebuilt(clone, first_run, engine):
    path = clone / "results" / engine.environment / FULL
    good = json.loads(path.read_text())
    path.write_text('{"schema_version": 2, "step": ')
    result = make(clone, "step-1", PLATFORMS=NATIVE)
    assert result.returncode == 0, result.stderr
    assert f"{Path(FULL).name} is not a valid record" in result.stderr
    again = Record.model_validate_json(path.read_text())
    # The first run may have made pip's layer twice, with other times in it: some bytes of the transfer.
    assert changes(Record.model_validate(good), again) == []
    assert again.size.unpacked_tar_bytes == good["size"]["unpacked_tar_bytes"]
    assert f"{NATIVE} answers" in result.stdout
    assert OTHER.split("/")[1] not in result.stdout, "PLATFORMS narrows it"


def all_valid(clone) -> None:
    for path in (clone / "results").glob("*/*/*.json"):
        Record.model_validate_json(path.read_text())


@pytest.mark.crash
def test_kill_9_at_any_moment_loses_no_record_and_the_next_run_goes_on(clone, first_run, engine):
    """The Dockerfile changes each time, so that there is something to build, to export and to write."""
    environment = {**os.environ, "PLATFORMS": NATIVE}
    for number, seconds in enumerate((1.5, 2.5, 3.5, 5.0)):
        with changed(
            clone / "step-1-kiss/full.Dockerfile", "COPY --chmod=755 . .", f"ENV KILLED={number}\nCOPY --chmod=755 . ."
        ):
            child = subprocess.Popen(
                ["make", "step-1"], cwd=clone, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL, start_new_session=True, env=environment,
            )  # fmt: skip
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(timeout=seconds)
            with contextlib.suppress(ProcessLookupError):  # the last one may be through by now
                os.killpg(child.pid, signal.SIGKILL)
            child.wait(timeout=120)
        all_valid(clone)
        assert len(records(clone, engine)) >= 6
    result = make(clone, "step-1", PLATFORMS=NATIVE)
    assert result.returncode == 0, result.stderr
    assert list((clone / "results").rglob("*.partial")) == []
    assert left_of_runs(engine) == []
    assert make(clone, "check").returncode == 0


@pytest.mark.crash
def test_two_runs_at_once_do_not_disturb_each_other(clone, first_run, engine):
    environment = {**os.environ, "PLATFORMS": NATIVE}
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    children = [subprocess.Popen(["make", "step-1"], cwd=clone, env=environment, **pipes) for _ in range(2)]
    before = records(clone, engine)
    for child in children:
        shown, errors = child.communicate(timeout=600)
        assert child.returncode == 0, errors
        assert f"{NATIVE} answers" in shown
    assert records(clone, engine) == before


FULL_DISK = """
set -e
kilobytes=$(($(du --summarize --block-size=1K "$1" | cut -f1) + 512))
mount -t tmpfs -o "size=${kilobytes}k" tmpfs results
cp -r "$1/." results/
head -c "${kilobytes}K" /dev/zero > results/filler 2>/dev/null || true
make step-1 && exit 99
rm results/filler
diff -r "$1" results
"""


@pytest.mark.crash
def test_a_full_disk_keeps_the_old_records_and_says_so(clone, first_run, engine, tmp_path):
    """results/ on a small file system that is really full, seen by this run alone."""
    if os.geteuid():
        pytest.skip("mounts a file system, which needs root")
    run("cp", "-r", clone / "results", tmp_path / "saved").check_returncode()
    with changed(clone / "step-1-kiss/full.Dockerfile", "COPY --chmod=755 . .", "ENV FULL=1\nCOPY --chmod=755 . ."):
        result = run(
            "unshare", "--mount", "--propagation", "private", "bash", "-c", FULL_DISK, "-", tmp_path / "saved",
            cwd=clone, env={**os.environ, "PLATFORMS": NATIVE},
        )  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr
    assert "No space left on device" in result.stderr
    assert "Traceback" not in result.stderr
    all_valid(clone)


def test_a_dockerfile_that_fails_is_shown_and_the_others_still_build(clone, first_run, engine):
    dockerfile = clone / "step-1-kiss/full.Dockerfile"
    before = {path: path.read_bytes() for path in (clone / "results").rglob("full.*.json")}
    with changed(dockerfile, "RUN pip install", "RUN echo nothing like it >&2; exit 7; pip install"):
        result = make(clone, "step-1", PLATFORMS=NATIVE)
    assert result.returncode != 0
    assert f"full does not build on {NATIVE}" in result.stderr
    assert "nothing like it" in result.stderr
    assert "exit code: 7" in result.stderr
    assert re.search(r"│ recommended +│ +\d+\.\d MB", result.stdout)
    assert re.search(r"│ full +│ +- .+│ failed +│", result.stdout)
    assert f"Not as it should be: full on {NATIVE}" in result.stderr
    # A mishap does not replace a result.
    assert {path: path.read_bytes() for path in (clone / "results").rglob("full.*.json")} == before


def test_a_failure_that_is_meant_is_recorded_as_one(clone, first_run, engine):
    folder = clone / "step-1-kiss"
    lesson = "question: How much of the image is the base image?\n"
    failing = changed(folder / "full.Dockerfile", "RUN pip", "RUN echo Error: pg_config is missing; exit 1; pip")
    meant = changed(folder / "compose.yaml", lesson, f"{lesson}      fails_with: pg_config is missing\n")
    with failing, meant:
        result = make(clone, "step-1", PLATFORMS=NATIVE)
        record = records(clone, engine)["full", NATIVE]
    assert result.returncode == 0, result.stderr
    assert (record.outcome, record.size) == ("failed", None)
    assert record.failure.exit_code != 0
    assert record.failure.line == "Error: pg_config is missing"
    make(clone, "step-1", PLATFORMS=NATIVE).check_returncode()


def test_a_base_that_the_lab_has_not_fails_at_once(clone, first_run, engine):
    if engine.kind != "lab":
        pytest.skip("an engine with Docker Hub has every base; run it with ENGINE=lab")
    with changed(clone / "step-1-kiss/full.Dockerfile", "FROM python:3.14", "FROM python:2.7"):
        result = make(clone, "step-1")
    assert result.returncode != 0
    assert "cannot provide python:2.7" in result.stderr
    assert "python:3.14-slim" in result.stderr
    assert "built" not in result.stderr


def processes_with(word: str) -> list[list[str]]:
    """Command lines of processes with a word in them: a build's, too, where the engine runs on this machine."""
    lines = [process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"])]
    return [line for line in lines if word in " ".join(line)]


@pytest.mark.alone
@pytest.mark.crash
def test_ctrl_c_in_the_middle_of_a_build_leaves_nothing(clone, first_run, engine):
    word = uuid.uuid4().hex
    slow = changed(clone / "step-1-kiss/Dockerfile", "RUN pip", f"RUN sleep 600 && echo {word}\nRUN pip")
    before = {path: path.read_bytes() for path in (clone / "results").rglob("*") if path.is_file()}
    mounts = Path("/proc/self/mountinfo").read_text()
    with slow:
        child = subprocess.Popen(
            ["make", "step-1"], cwd=clone, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            start_new_session=True, env={**os.environ, "PLATFORMS": NATIVE},
        )  # fmt: skip
        eventually(lambda: processes_with(word), 300)
        os.killpg(child.pid, signal.SIGINT)
        _, errors = child.communicate(timeout=300)
    assert child.returncode != 0
    assert "Stopped by you" in errors
    assert "Traceback" not in errors
    eventually(lambda: not processes_with(word), told=lambda: str(processes_with(word)))
    assert left_of_runs(engine) == []
    assert {path: path.read_bytes() for path in (clone / "results").rglob("*") if path.is_file()} == before
    eventually(lambda: Path("/proc/self/mountinfo").read_text() == mounts)


@pytest.mark.alone
@pytest.mark.lab
def test_an_unreachable_package_index_is_named(clone, first_run, engine):
    """The index cache's upstream is a closed port on loopback: what was never installed cannot be had."""
    if engine.kind != "lab":
        pytest.skip("changes the lab's index; run it with ENGINE=lab")
    lab = Lab.from_environment()
    never_installed = changed(clone / "step-1-kiss/requirements.txt", "flask==", "peppercorn==0.6\nflask==")
    try:
        with never_installed, pytest.MonkeyPatch.context() as patch:
            patch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple/")
            services.renew_index(lab)
            eventually(lambda: services.index_reachable(lab))  # why it is not
            result = make(clone, "step-1", PLATFORMS=NATIVE)
    finally:
        services.renew_index(lab)
        eventually(lambda: not services.index_reachable(lab))
    assert result.returncode != 0
    assert "the package index is unreachable" in result.stderr
    assert "Next:" in result.stderr
    make(clone, "step-1", PLATFORMS=NATIVE).check_returncode()


def test_make_run_serves_until_ctrl_c(clone, first_run, engine):
    child = subprocess.Popen(
        ["make", "run-step-1"], cwd=clone, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, start_new_session=True,
    )  # fmt: skip
    try:
        answer = wait_for("http://127.0.0.1:8000/", 300).json()
    finally:
        os.killpg(child.pid, signal.SIGINT)
        output, _ = child.communicate(timeout=300)
    assert answer["variant"] == "recommended"
    assert "http://localhost:8000 answers" in output
    assert left_of_runs(engine) == []
