"""The site is built strictly, offline and quickly; it has no number that was typed, and refuses one that is stale."""

import contextlib
import csv
import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import time
from pathlib import PurePosixPath

import httpx
import pytest

from measure.base.files import RESULTS, ROOT
from measure.base.names import LAB_ENVIRONMENT
from measure.pages import site
from measure.record.records import record_files
from measure.steps.compose import all_steps
from measure.tell.folklore import CLAIMS
from measure.tell.reading import Records
from measure.tell.site import PAGES, readme, render_page
from tests.conftest import changed, eventually, fresh_clone, python_m, run
from tests.docs.pages import all_pages, blocks

#: Of one processor that building the site may take, when it is busy with something else too.
MOST_SECONDS = 20
#: More commands than these may not be left out of the tests. Four are of the page "Where it runs": of other places.
MOST_NOT_RUN = 7
UNITS = "B|[kKMGT]i?B|bytes?|ms|s|sec|seconds?|min|minutes?|hours?|%|percent|\u00d7|megabytes?|kilobytes?"
#: A number before a unit, on one line; not part of a longer word or of a version.
MEASURED = re.compile(rf"(?<![\w.-])\d[\d.,]*[ \u00a0-]?(?:{UNITS})(?![\w/])")


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A fresh clone that uses this one's tooling."""
    folder = fresh_clone(tmp_path_factory.mktemp("docs") / "clone")
    (folder / ".venv").symlink_to(ROOT / ".venv")
    (folder / ".git/before").write_text(run("git", "status", "--short", cwd=folder).stdout)
    return folder


def docs(clone, *before: str):
    return run(*before, sys.executable, "-m", "measure", "docs", cwd=clone)


def seconds_of_a_processor() -> float:
    """What the children of this process took so far, however long they waited for others."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.fixture(scope="module")
def built(clone):
    """The site of the clone, built strictly and without a network, and what building it printed; and the seconds."""
    offline = ["unshare", "--net"] if os.geteuid() == 0 else []
    begun = seconds_of_a_processor()
    result = docs(clone, *offline, "env", "PYTHONPROFILEIMPORTTIME=1")
    assert result.returncode == 0, result.stderr
    return clone / "site", result.stderr, seconds_of_a_processor() - begun


def test_it_builds_strictly_without_engine_and_network_in_seconds(built):
    site, printed, seconds = built
    assert seconds < MOST_SECONDS
    loaded = re.findall(r"^import time:.*\| +([\w.]+)$", printed, re.MULTILINE)
    assert "python_on_whales" not in loaded
    assert {name for name in loaded if name.split(".")[0] == "lab"} == {"lab", "lab.config", "lab.recipe"}
    for name in ("index.html", "steps/step-1/index.html", "results/index.html", "search/search_index.json"):
        assert (site / name).exists()
    assert not [path for path in site.parent.iterdir() if path.name.endswith(".partial")]


def test_records_and_tables_that_do_not_hold_stop_it_and_the_message_says_what_mends_them(clone, built):
    missing = clone / "results/lab-amd64/extra-second-platform/recommended.linux-arm64.json"
    content = missing.read_bytes()
    missing.unlink()
    try:
        with (
            changed(clone / "step-1-kiss/full.Dockerfile", "EXPOSE 8000", "EXPOSE 8080"),
            changed(clone / "lab/bases/python-3.14-alpine.Dockerfile", 'CMD ["python3"]', 'CMD ["python"]'),
        ):
            result = docs(clone)
    finally:
        missing.write_bytes(content)
    assert result.returncode == 1
    for page in ("index.md", "steps/step-1.md", "results/index.md"):
        told = rf"docs/{page}: The record results/lab-amd64/step-1-kiss/\w+\.linux-a\w+64\.json is stale"
        assert re.search(told, result.stderr), page
    for platform in ("amd64", "arm64"):
        record = f"results/lab-amd64/step-1-kiss/full.linux-{platform}.json"
        assert f"stale    {record}: the Dockerfile changed" in result.stderr
    assert "extra-second-platform/recommended.linux-arm64.json is missing" in result.stderr
    assert "Next: make step-1; make extra-second-platform" in result.stderr
    assert "docs/results/lab.md: results/lab-amd64/fidelity.json is stale" in result.stderr
    assert "make lab-fidelity" in result.stderr
    assert docs(clone).returncode == 0, "when they hold again, it is built"


def test_rendering_again_writes_nothing_and_drops_what_is_no_more(clone, built):
    rendered = clone / "build/docs"
    times = {path: path.stat().st_mtime_ns for path in rendered.rglob("*") if path.is_file()}
    (rendered / "old.md").write_text("gone")
    docs(clone).check_returncode()
    assert {path: path.stat().st_mtime_ns for path in rendered.rglob("*") if path.is_file()} == times


#: A line of a page.
AGAIN = "This command compares the stand-ins with the official images again."


@pytest.mark.parametrize(
    "wrong",
    [["[x](../nowhere.md)", "[x](index.md#no-heading)", "![x](no-picture.png)"], ['--8<-- "nowhere/Dockerfile"']],
    ids=["links", "snippet"],
)
def test_what_leads_nowhere_fails_and_the_old_site_stays(clone, built, wrong):
    """Each is a warning, and one warning is enough to stop it: what MkDocs calls information is not shown."""
    before = (clone / "site/index.html").read_bytes()
    with changed(clone / "docs/results/lab.md", AGAIN, "\n\n".join(wrong)):
        result = docs(clone)
    assert result.returncode == 1
    for one in wrong:
        assert re.search(r"no-?\w+", one)[0] in result.stderr
    assert "Next:" in result.stderr
    assert (clone / "site/index.html").read_bytes() == before


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ('{{ size("step-1/nothing") }}', "no variant called nothing"),
        ('{{ size("step-99") }}', "no step called step-99"),
        ("{{ nothing() }}", "'nothing' is undefined"),
        ("{{ size(", "line 3"),
        ('{{ size("step-1", "nothing") }}', "nothing"),
        ('{{ layer("step-1", "no such words") }}', "0 layers"),
    ],
)
def test_a_wrong_expression_names_page_and_line(expression, message):
    with pytest.raises(site.Problem, match=re.escape("docs/steps/x.md")) as problem:
        render_page(Records(), PurePosixPath("steps/x.md"), f"one\n\n{expression}\n")
    assert message in problem.value.what


def typed(text: str) -> list[str]:
    """Measured quantities that stand in a page's source as plain text."""
    text = re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.DOTALL)
    text = re.sub(r"<!-- generated: .*?<!-- end -->", "", text, flags=re.DOTALL)
    text = re.sub(r"<!-- cited: .+? -->\n.*?(\n\n|\Z)", "", text, flags=re.DOTALL)
    text = re.sub(r"takes about \d+ minutes", "", text)
    return MEASURED.findall(re.sub(r"\{\{.*?\}\}", "", text, flags=re.DOTALL))


SOURCES = [*PAGES.rglob("*.md"), ROOT / "README.md", ROOT / "results/README.md", ROOT / "lab/README.md"]
SOURCES += [step.folder / "README.md" for step in all_steps()]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_number_was_typed(path):
    assert typed(path.read_text()) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        *((text, True) for text in ("12 MB", "1,163.9 MB.", "3.5s", "88 %", "4 minutes", "7kB", "1\u00a0GB", "250-ms")),
        *((text, False) for text in ("port 8000", "Python 3.14", "3 steps", "8000:8000", "arm64")),
        ('{{ size("step-1") }} MB', False),
        ("\n<!-- cited: a talk, 2021 -->\n12 MB\n", False),
    ],
)
def test_typed_numbers_are_found_and_others_are_left_alone(text, found):
    assert bool(typed(f"It is {text}")) == found


def test_the_readmes_table_is_up_to_date(tmp_path):
    """That which is committed, of the records that are: `make step-1`, which a reader types first, makes others."""
    folder = tmp_path / "clone"
    run("git", "clone", "--quiet", ROOT, folder).check_returncode()
    assert "<!-- generated: " in (folder / "README.md").read_text()
    python_m("measure", "readme", cwd=folder).check_returncode()
    assert run("git", "status", "--short", cwd=folder).stdout == "", "make readme"
    if not run("git", "status", "--short", "results").stdout:
        text = (ROOT / "README.md").read_text()
        assert readme(text) == text, "make readme"


def test_the_downloads_are_the_records(clone, built):
    """Those of the environment that the pages show, and nothing else."""

    def name(row: dict) -> tuple[str, ...]:
        return row["environment"], row["step"], row["variant"], row["platform"]

    paths = record_files(LAB_ENVIRONMENT)
    recorded = {name(record): record for record in map(json.loads, (path.read_text() for path in paths))}
    downloaded = json.loads((clone / "site/results/records.json").read_text())
    assert len(downloaded) == len(recorded)
    assert {name(record): record for record in downloaded} == recorded
    with (clone / "site/results/records.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(recorded)
    for row in rows:
        record = recorded[name(row)]
        if record["outcome"] == "built":
            for column in ("transfer_bytes", "unpacked_tar_bytes", "unpacked_file_bytes", "context_bytes"):
                assert int(row[column]) == record["size"][column]
            assert int(row["wasted_own_bytes"]) == record["size"]["wasted"]["own_bytes"]
            assert int(row["os_packages"]) == len(record["contents"]["os_packages"])
    for path in paths:
        copy = clone / "site/results/records" / path.relative_to(RESULTS)
        assert copy.read_bytes() == path.read_bytes()


def test_each_page_says_its_question_its_answer_and_how_long_it_takes():
    """That the answer is short is for test_prose.py to say."""
    for path in PAGES.rglob("*.md"):
        text = path.read_text()
        meta = re.match(r"\A---\n(.*?)\n---\n", text, re.DOTALL)[1]
        assert re.search(r"^minutes: \d+$", meta, re.MULTILINE), path
        assert re.search(r"^question: .+\nanswer:\n  - ", meta, re.MULTILINE), path
        assert "{{ intro() }}" in text, path


def test_every_claim_has_an_anchor_of_its_own_a_verdict_and_a_row_in_the_table(clone, built):
    """The heading is in the folded part: a link to it unfolds the part."""
    html = (clone / "site/results/folklore/index.html").read_text()
    folded = html.split('<details class="claim">')[1:]
    assert len(folded) == len(CLAIMS)
    for claim, told in zip(CLAIMS, folded, strict=True):
        assert html.count(f'<h3 id="{claim.id}">') == 1
        assert f'<a href="#{claim.id}">' in html
        summary, inside = told.split("</summary>", 1)
        assert len(re.findall(r'<strong class="verdict (?:holds|it-depends|no-longer|undecided)">', summary)) == 1
        assert f'<h3 id="{claim.id}">' in inside
        assert '<details class="rule">' in inside
        assert f", {claim.when}" in inside
        if claim.url:
            assert f'href="{claim.url.replace("&", "&amp;")}"' in inside


#: The heads of a step's page, in this order; others may be between them.
BONES = (
    "What changed",
    "When to choose otherwise",
    "Type this",
    "What got better",
    "What got worse",
    "Exercise",
    "Troubleshooting",
)


def test_a_steps_page_has_its_bones_and_names_each_of_its_files():
    for step in all_steps():
        number = re.match(r"step-\d+", step.name)
        text = (PAGES / f"steps/{number[0] if number else step.name}.md").read_text()
        heads = re.findall(r"^## (.+)$", text, re.MULTILINE)
        assert tuple(head for head in heads if head in BONES) == BONES, step.name
        assert "??? success" in text, "an exercise has a folded solution"
        assert 'diff("' in text


def test_commands_that_are_not_run_have_a_reason_and_are_few(capsys):
    left_out = [(name, block) for name, (_, text) in all_pages().items() for block in blocks(text) if block.not_run]
    with capsys.disabled():
        print(f"\n{len(left_out)} command blocks of the pages are not run (at most {MOST_NOT_RUN}):")
        for name, block in left_out:
            print(f"  {name}: {block.commands.splitlines()[0]} ({block.not_run})")
    assert len(left_out) <= MOST_NOT_RUN


def test_every_shell_block_is_one_that_is_run():
    """No command hides in a block of another language, or in an indented one. A script that is shown is a file."""
    for name, (_, text) in all_pages().items():
        text = re.sub(r'^``` bash title="(\S+\.sh)"\n--8<-- "\1"\n```$', "", text, flags=re.MULTILINE)
        languages = set(re.findall(r"^ *``` ?(\w+)", text, re.MULTILINE))
        assert languages <= {"sh", "text", "dockerfile", "python", "yaml", "toml", "diff"}, name
        outside = re.sub(r"^( *)```.*?^\1```$", "", text, flags=re.MULTILINE | re.DOTALL)  # what is folded is indented
        assert not re.search(r"^    (make|docker) ", outside, re.MULTILINE), name


@contextlib.contextmanager
def serving(clone, port: int):
    """`measure serve` in a clone, ended by Ctrl-C."""
    child = subprocess.Popen(
        [sys.executable, "-m", "measure", "serve", "--port", str(port)], cwd=clone, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        yield child
    finally:
        os.killpg(child.pid, signal.SIGINT)
        try:
            output, _ = child.communicate(timeout=120)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            raise
        assert "Traceback" not in output
    assert child.returncode == 0


def test_serve_shows_a_change_of_a_page_and_survives_a_wrong_one(clone):
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    url = f"http://localhost:{port}/results/lab/"
    with serving(clone, port):

        def shown(words: str) -> bool:
            return words in httpx.get(url, trust_env=False).text

        eventually(lambda: shown(AGAIN))
        with changed(clone / "docs/results/lab.md", AGAIN, "{{ nothing() }}"):
            time.sleep(2)
            eventually(lambda: shown(AGAIN))  # the last good page stays
        with changed(clone / "docs/results/lab.md", AGAIN, "compares them once more."):
            eventually(lambda: shown("compares them once more."))


def test_a_port_in_use_is_told():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = python_m("measure", "serve", "--port", str(port))
    assert result.returncode == 1
    assert f"cannot be served on localhost:{port}" in result.stderr
    assert "Address already in use" in result.stderr
    assert "Traceback" not in result.stderr


def test_the_clone_is_as_it_was_after_all_that(clone):
    assert run("git", "status", "--short", cwd=clone).stdout == (clone / ".git/before").read_text()
