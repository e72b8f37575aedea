"""What pages say of the workshop: the exercises, routes through them, notes for whoever teaches. From their files."""

from __future__ import annotations

from collections.abc import Iterator

from measure.exercises.model import CHAPTERS, WORKSHOP, Exercise, exercises, find
from measure.studies.floor.model import complete
from measure.tell.page import Page, code, markdown_table, page_function


def _rows(listed: list[Exercise], page: Page) -> list[list[str]]:
    return [
        [str(one.number), _link(one, page), _oneline(one.section("Goal")), str(one.check.minutes)] for one in listed
    ]


def _link(one: Exercise, page: Page) -> str:
    return f"[{one.check.title}]({page.link('workshop/notes.md')}#{one.name})"


def _oneline(text: str) -> str:
    return " ".join(text.split())


@page_function
def exercise_list(page: Page) -> str:
    """Every exercise by its chapter: what its goal is, and its minutes."""
    parts = []
    for chapter, title in CHAPTERS.items():
        listed = [one for one in exercises() if one.check.chapter == chapter]
        table = markdown_table(["", "exercise", "goal", "minutes"], _rows(listed, page), "rllr")
        parts.append(f"### {chapter}. {title}\n\n{table}")
    return "\n\n".join(parts)


@page_function
def exercise_count(page: Page) -> str:
    """How many exercises there are."""
    return str(len(exercises()))


@page_function
def exercise_minutes(page: Page) -> str:
    """The minutes of all exercises together."""
    return str(sum(one.check.minutes for one in exercises()))


@page_function
def route(page: Page, minutes: int, *numbers: int) -> str:
    """A route through the exercises. Raises ValueError when they take longer, or leave no ten minutes in an hour."""
    chosen = [find(number) for number in numbers]
    total = sum(one.check.minutes for one in chosen)
    if not minutes * 0.6 <= total <= minutes * 0.9:
        raise ValueError(f"a route of {minutes} minutes has exercises for {total}")
    listed = "\n".join(f"- {one.number}: {_link(one, page)}" for one in chosen)
    return f"## {minutes} minutes\n\nThe exercises take {total} of them.\n\n{listed}"


@page_function
def exercise_notes(page: Page) -> str:
    """Each exercise for whoever teaches it: what goes wrong, what to ask; hints and solution folded."""
    return "\n\n".join("\n".join(_notes(one)) for one in exercises())


def _notes(one: Exercise) -> Iterator[str]:
    room = one.check.room
    yield f"## {one.number}. {one.check.title} {{ #{one.name} }}"
    yield ""
    yield f"{_oneline(one.section('Goal'))} It takes {one.check.minutes} minutes."
    yield ""
    yield f"- **Goes wrong:** {room.goes_wrong}"
    yield f"- **Ask:** {room.ask}"
    yield f"- **Skip it?** {room.skip}"
    yield ""
    yield '??? success "Hints and solution"'
    yield ""
    for goal, hint in one.check.hints.items():
        yield f"    - {code(goal)}: {hint}"
    yield ""
    for path in one.files("solution"):
        name = f"workshop/{one.name}/solution/{path}"
        language = "dockerfile" if path.endswith("Dockerfile") else "text"
        yield f'    ``` {language} title="{name}"\n    --8<-- "{name}"\n    ```\n'
    yield f"    {_oneline(one.section('Afterwards'))}"


@page_function
def golf_scores(page: Page, *names: str) -> str:
    """Images of the golf's application, as multiples of the floor of the recommended one."""
    floors = page.records.once(complete).floors
    step = Exercise(WORKSHOP / "golf").check.app
    floor = next(one.floor.transfer_bytes for one in floors if (one.step, one.variant) == (step, "recommended"))
    rows = []
    for name in names:
        record, size = page.size(name)
        times = page.number(f"{size / floor:.2f}", record, f"{size:,} bytes against {floor:,} bytes")
        rows.append([f"`{name}`", page.bytes(record, size), times])
    return markdown_table(["image", "transfer", "times the floor"], rows, "lrr")
