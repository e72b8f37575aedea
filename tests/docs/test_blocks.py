"""The checker of the pages' commands finds what is wrong: it can fail."""

import pytest

from measure.base.names import LAB_ENVIRONMENT
from measure.record.records import load, record_path
from tests.conftest import run
from tests.docs.pages import blocks, matches, outputs, pinned_changes, script

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
    ("expected", "seen", "fits"),
    [
        ("one\ntwo", "one\ntwo\n", True),
        ("…\ntwo", "zero\none\ntwo", True),
        ("…\ntwo", "two", True),
        ("one\n…", "one\ntwo\nthree", True),
        ("a … z", "a b c z", True),
        ("│ slim │  50.2 MB │ -88.2 % │", "│ slim │ 50.3 MB │ -88.1 % │", True),
        ("│ slim │ same │", "│ slim │ +0.1 % │", True),
        ("{'libc': 'glibc …'}", "{'libc': 'glibc 2.41'}", True),
        ("…\none\n…\nthree\n…", "zero\none\ntwo\nthree", True),
        ("one", "two", False),
        ("one", "one\ntwo", False),
        ("one\ntwo", "one", False),
        ("…\ntwo", "two\nthree", False),
        ("│ slim │ 50.2 MB │", "│ slim │ - │", False),
        ("│ slim │ 50.2 MB │", "│ slim │ 50.2 kB │", False),
        ("version 3.14.7", "version 3.15.0", False),
        ("a … z", "a b c", False),
    ],
)
def test_what_fits_and_what_does_not(expected, seen, fits):
    assert matches(expected, seen) == fits


@pytest.mark.parametrize(
    ("variant", "words", "pinned"),
    [
        ("single", "charset-normalizer 3.5.2 → 3.5.3; filelock 4.2.12 → 4.3.1", ""),  # what Poetry needs
        ("recommended", "libzstd1 1.5.7+dfsg-1 → 1.5.7+dfsg-1+deb13u1; perl-base 5.40.1-6 → 5.40.1-7", ""),
        ("recommended", "flask 3.1.2 → 3.1.3", "flask 3.1.2 → 3.1.3"),
        ("single", "filelock 4.2.12 → 4.3.1; transfer +1.2 MB (+1.9 %)", "transfer +1.2 MB (+1.9 %)"),
        ("single", "numpy 2.5.1 12.3 MB → 14.5 MB", "numpy 2.5.1 12.3 MB → 14.5 MB"),
        ("single", "user app → root", "user app → root"),
        ("single", "filelock 4.2.12 → -", "filelock 4.2.12 → -"),
        ("recommended", "libzstd1 1.5.7+dfsg-1 → -", "libzstd1 1.5.7+dfsg-1 → -"),
        ("recommended", "libzstd1 1.5.7+dfsg-1 → 1.5.8; flask 3.1.2 → 3.1.3", "flask 3.1.2 → 3.1.3"),
    ],
)
def test_a_new_version_of_what_nobody_pinned_is_no_difference_and_everything_else_is(variant, words, pinned):
    record = load(record_path(LAB_ENVIRONMENT, "step-3-multistage", variant, "linux/amd64"))
    assert "; ".join(pinned_changes(record, words.split("; "))) == pinned
