"""The checker of the pages' commands finds what is wrong: it can fail."""

import pytest

from tests.conftest import run
from tests.docs.pages import blocks, matches, outputs, script, without_new_versions

PAGE = """
Type:

``` sh
echo one
```

``` text title="You will see"
one
```

<!-- no-run: it never ends -->
``` sh
sleep infinity
```

``` sh
cd /tmp
pwd
```
"""


def test_blocks_are_found_with_their_outputs_and_reasons():
    first, second, third = blocks(PAGE)
    assert (first.commands, first.output, first.not_run) == ("echo one\n", "one\n", None)
    assert (second.commands, second.not_run) == ("sleep infinity\n", "it never ends")
    assert (third.commands, third.output) == ("cd /tmp\npwd\n", None)


def test_blocks_run_in_one_shell_and_stop_at_the_first_failure():
    of = [block for block in blocks(PAGE) if not block.not_run]
    assert outputs(run("bash", "-c", script(of)).stdout) == ["one\n", "/tmp\n", ""]
    failing = blocks("``` sh\necho a\nfalse\necho b\n```\n``` sh\necho c\n```\n")
    result = run("bash", "-c", script(failing))
    assert result.returncode != 0
    assert outputs(result.stdout) == ["a\n"]


@pytest.mark.parametrize(
    ("expected", "seen"),
    [
        ("one\ntwo", "one\ntwo\n"),
        ("…\ntwo", "zero\none\ntwo"),
        ("…\ntwo", "two"),
        ("one\n…", "one\ntwo\nthree"),
        ("a … z", "a b c z"),
        ("│ slim │  50.2 MB │ -88.2 % │", "│ slim │ 50.3 MB │ -88.1 % │"),
        ("│ slim │ same │", "│ slim │ +0.1 % │"),
        ("{'libc': 'glibc …'}", "{'libc': 'glibc 2.41'}"),
        ("…\none\n…\nthree\n…", "zero\none\ntwo\nthree"),
    ],
)
def test_what_fits(expected, seen):
    assert matches(expected, seen)


@pytest.mark.parametrize(
    ("expected", "seen"),
    [
        ("one", "two"),
        ("one", "one\ntwo"),
        ("one\ntwo", "one"),
        ("…\ntwo", "two\nthree"),
        ("│ slim │ 50.2 MB │", "│ slim │ 60.2 MB │"),
        ("│ slim │ 50.2 MB │", "│ slim │ 50.2 kB │"),
        ("version 3.14.7", "version 3.15.0"),
        ("a … z", "a b c"),
    ],
)
def test_what_does_not_fit(expected, seen):
    assert not matches(expected, seen)


NEWS = """│ single │ ok │
Against the recorded numbers: 10 the same within 0.1%, 1 changed:
  {line}
Records: results/lab-amd64/step-3-multistage/
"""


@pytest.mark.parametrize(
    "line",
    [
        "single · linux/amd64: charset-normalizer 3.5.2 → 3.5.3; filelock 4.2.12 → 4.3.1",
        "recommended · linux/arm64: libzstd1 1.5.7+dfsg-1 → 1.5.7+dfsg-1+deb13u1; perl-base 5.40.1-6 → 5.40.1-7",
        "recommended · linux/amd64: libssl3t64 3.5.1-1 → 3.5.4-1; zlib1g 1 → 2; and 4 more (`git diff results`)",
    ],
    ids=["what Poetry needs", "Debian's", "many"],
)
def test_a_new_version_of_what_nobody_pinned_is_no_difference(line):
    seen = NEWS.format(line=line)
    assert without_new_versions(seen) == NEWS.replace("  {line}\n", "")


@pytest.mark.parametrize(
    "line",
    [
        "recommended · linux/amd64: flask 3.1.2 → 3.1.3",
        "single · linux/amd64: transfer +1.2 MB (+1.9 %)",
        "single · linux/amd64: filelock 4.2.12 → 4.3.1; transfer +1.2 MB (+1.9 %)",
        "single · linux/amd64: numpy 2.5.1 12.3 MB → 14.5 MB",
        "single · linux/amd64: user app → root",
        "single · linux/amd64: filelock 4.2.12 → -",
        "recommended · linux/amd64: libzstd1 1.5.7+dfsg-1 → -",
        "recommended · linux/amd64: libzstd1 1.5.7+dfsg-1 → 1.5.8; flask 3.1.2 → 3.1.3",
    ],
)
def test_everything_else_is(line):
    assert without_new_versions(NEWS.format(line=line)) == NEWS.format(line=line)
