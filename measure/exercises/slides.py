"""The workshop's slides: an exercise's goal, and below it what to notice and what to ask. From its own files.

reveal.js shows them, which the package PyReveal brings: the site has it along, so a room without a network has slides.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources
from pathlib import PurePosixPath

from pyreveal import Plugin, Presentation, Slide, Theme

from measure.exercises.model import CHAPTERS, Exercise, exercises
from measure.tell import site

PLACE = PurePosixPath("workshop/slides")
#: What of reveal.js the slides load, and its license.
PARTS = (
    "LICENSE", "dist/reset.css", "dist/reveal.css", "dist/reveal.js", "dist/theme/white.css", "dist/plugin/markdown.js",
    "dist/plugin/notes.js",
)  # fmt: skip
#: Text as a page of the site has it: no capitals that nobody typed, and lines that begin at the left.
STYLE = ".reveal h1, .reveal h2 { text-transform: none } .reveal p { text-align: left } .reveal { font-size: 34px }"


def _of(one: Exercise) -> Iterator[Slide]:
    """The two slides of an exercise; whoever teaches sees the notes, with the key S."""
    check, room = one.check, one.check.room
    task = f"## {one.number}. {check.title}\n\n*{check.minutes} minutes: `make exercise-{one.number}`*\n\n{one.story}"
    yield Slide.from_markdown(
        f"{task}\n\n**Goal:** {one.section('Goal')}\n\nNote: Goes wrong: {room.goes_wrong} Skip it? {room.skip}",
        slide_id=one.name,
    )
    yield Slide.from_markdown(f"## {check.title}: done\n\n{one.section('Afterwards')}\n\n**{room.ask}**")


@site.beside_pages
def slides() -> site.Files:
    """The files of the slides, by their place on the site."""
    deck = Presentation("The workshop's slides", theme=Theme.WHITE).css(STYLE)
    deck.plugins(Plugin.MARKDOWN, Plugin.NOTES).navigation()
    deck.extra_head('<link rel="icon" href="../../assets/images/favicon.png">')  # the site's own
    for chapter, title in CHAPTERS.items():
        deck.add(Slide.from_markdown(f"# {chapter}. {title}"))
        for one in exercises():
            if one.check.chapter == chapter:
                deck.section(*_of(one))
    brought = resources.files("pyreveal") / "revealjs"
    parts = {PLACE / "revealjs" / part: (brought / part).read_bytes() for part in PARTS}
    return {PLACE / "index.html": deck.html(), **parts}
