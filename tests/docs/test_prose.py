"""Pages can be read: few numbers in view, short sentences, one name for one thing, and the answer first."""

import pytest

from tests.docs.prose import findings, findings_on, numbers, pages, read, read_limits, sentences

LIMITS = read_limits()
META = {"question": "How large is it?", "answer": ["It is small."]}


@pytest.mark.parametrize("name", pages())
def test_a_page_keeps_to_its_limits(built, name):
    found = findings_on(name, LIMITS, built)
    told = [
        f"{rule}: {len(of)}, at most {LIMITS.most(name, rule):g}\n    " + "\n    ".join(dict.fromkeys(of))
        for rule, of in found.items()
        if len(of) > LIMITS.most(name, rule)
    ]
    assert not told, "\n".join([f"docs/{name} goes beyond tests/docs/limits.toml:", *told])


def test_each_exception_is_of_a_page_that_is_and_needs_it(built):
    assert {*LIMITS.exceptions} <= {*pages()}
    needless = []
    for name, allowed in LIMITS.exceptions.items():
        found = findings_on(name, LIMITS, built)
        needless += [
            f"{name}: {rule}" for rule in allowed.most if rule in found and len(found[rule]) <= LIMITS.usual(name, rule)
        ]
    assert needless == []


# The lint finds what is wrong, and nothing else: it can fail.


def page(inside: str):
    return read(f"<html><body><nav><p>1 2 3</p></nav><article>{inside}</article><p>4 5</p></body></html>")


def found(inside: str, meta: dict = META) -> dict[str, list[str]]:
    """What is found on a page, without what is not."""
    box = '<div class="admonition abstract"><p class="admonition-title">How large is it?</p><p>It is small.</p></div>'
    of = findings(page(box + inside), meta, LIMITS)
    return {rule: one for rule, one in of.items() if one}


@pytest.mark.parametrize(
    ("text", "there"),
    [
        ("It takes 1.5 s, 20\u00a0MB, 3x and -88.2 % of 1,163.9 MB.", ["1.5", "20", "3x", "-88.2", "1,163.9"]),
        ("3.5s and 7kB, 1 to 2.", ["3.5s", "7kB", "1", "2"]),
        ("20 of 27, 21\u00a0of\u00a027, and 3 of the 4 MB.", ["20", "21", "3"]),
        ("arm64, UTF-8, sha256, step-1, /16, v2, 2x-scaled, #5", []),
        ("Python 3.14.7 of 2026-11-29 on Debian 13, since 2019, step 3, port 8000", []),
    ],
)
def test_numbers_are_found_and_names_are_left_alone(text, there):
    assert numbers(text, LIMITS.names) == there


def test_sentences_end_where_they_do():
    assert sentences("It is 3.14 e.g. here. Is it? “No. Never.” pip is. So is ⟨code⟩ (too). 2 are.") == [
        "It is 3.14 e.g. here.",
        "Is it?",
        "⟨quote⟩ pip is.",
        "So is ⟨code⟩ (too).",
        "2 are.",
    ]


def test_only_what_is_in_view_counts_as_numbers():
    inside = """
    <h2>Over 1<a class="headerlink" href="#x" title="2">3</a></h2>
    <p>It is <code>4</code> or <a class="measured" title="5 bytes">6 MB</a>.</p>
    <details><summary>Seven, 7</summary><p>8 9</p><table><tr><td>10</td></tr></table>
      <details open><summary>11</summary>12</details></details>
    <details open><summary>13</summary><p>14</p></details>
    <svg viewBox="0 0 15 15"><path d="M16"/><text class="mark">17 MB</text></svg>
    <div class="highlight"><span class="filename">Dockerfile</span><pre><code>EXPOSE 18</code></pre></div>
    <div class="highlight"><span class="filename">You will see</span><pre><span></span><code>19 MB</code></pre></div>
    <table><thead><tr><th>20</th></tr></thead><tbody><tr><td>21<br>22</td></tr></tbody></table>
    """
    assert found(inside)["numbers"] == ["1", "6", "7", "13", "14", "17", "19", "20", "21", "22"]
    assert found(inside)["tables"] == ["table"]


@pytest.mark.parametrize(
    ("inside", "rule", "words"),
    [
        ("<p>It takes 1 s in place of 2 s.</p>", "phrases", "in place of"),
        ("<details><summary>More</summary><p>Fast, and no worse.</p></details>", "phrases", ", and no"),
        ("<p>What it saves is little.</p>", "phrases", "clause as the subject"),
        ("<li>So what it needs today are compilers.</li>", "phrases", "clause as the subject"),
        ("<p>1 s, 2 s and 3 s.</p>", "sentence", "3 numbers: 1 s"),
        (f"<td>{'word ' * 31}</td>", "words", "31 words"),
        ("<h2>A CPU of your own</h2>", "terms", "“CPU” is called processor"),
        ("<p>Two <b>virtual</b>envs.</p>", "terms", "“virtualenvs” is called virtual environment"),
    ],
)
def test_each_fault_is_found(inside, rule, words):
    one = found(inside)
    assert set(one) - {"numbers"} == {rule}
    assert words in one[rule][0]


@pytest.mark.parametrize(
    "inside",
    [
        "<p>What is it? <code>What it is</code> is code. It has what is needed.</p>",
        "<p>“in place of a CPU, and no more”: so people say. Or <code>venv</code>.</p>",
        "<p>1 s and 2 s. 3 s and 4 s.</p>",
        f"<p>{'word ' * 30}</p><p class='said'>{'word ' * 40} virtualenv</p>",
        "<pre><code>in place of a CPU</code></pre>",
        "<h2>What changed</h2>",
    ],
)
def test_nothing_is_found_where_nothing_is_wrong(inside):
    assert set(found(inside)) <= {"numbers"}


@pytest.mark.parametrize(
    ("meta", "words"),
    [
        ({"learn": ["x"]} | META, "still has `learn`"),
        ({"question": "No question", "answer": ["x."]}, "question mark"),
        ({"question": "What?"}, "no `answer`"),
        ({"question": "What?", "answer": ["x."] * 4}, "no `answer` of one to 3"),
    ],
)
def test_a_page_begins_with_its_question_and_its_answer(meta, words):
    assert words in found("", meta)["answer"][0]


def test_an_answer_has_three_sentences_and_three_numbers_at_most():
    def answered(text: str) -> list[str]:
        return found(f'<div class="admonition abstract"><p>{text}</p></div>').get("answer", [])

    assert answered("It is 1. It is 2 or 3.") == []
    assert answered("It is 1 or 2. It is 3 or 4.") == ["the answer has 4 numbers: 1, 2, 3, 4"]
    assert answered("One. Two. Three.") == ["the answer has 4 sentences"]
