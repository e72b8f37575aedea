"""What pages say of Dockerfiles and builders: which of them builds which, and what the others say."""

from __future__ import annotations

from measure.studies.builders.model import Attempt, Tried, complete, record_path
from measure.tell.page import Page, code, emphasised, markdown_table, page_function, short

#: The builders as a table's head has them.
HEAD = ["Docker", "Docker without buildx", "podman", "podman `--format docker`"]
#: More Dockerfiles than these are counted, not named: the other table has each.
NAMED = 5


def _attempts(page: Page, tried: Tried) -> list[Attempt | None]:
    """What came of a Dockerfile with each builder: BuildKit's is in the record of the image."""
    failure = page.records.get(f"{tried.step}/{tried.variant}", tried.platform).failure
    return [Attempt(failure=failure), tried.classic, tried.podman, tried.podman_docker]


def _wrong(attempt: Attempt) -> str:
    """The line with which a build failed, or what was started ended."""
    if attempt.failure:
        return attempt.failure.line
    return (attempt.started and attempt.started.line) or ""


@page_function
def builders(page: Page) -> str:
    """Each Dockerfile by what came of it with each builder; those of a step of which the same came share a row."""
    rows: dict[tuple[str, ...], list[str]] = {}
    for one in page.records.once(complete).tried:
        cells = [attempt.words if attempt else "the same" for attempt in _attempts(page, one)]
        rows.setdefault((f"[{short(one.step)}]({page.step_page(one.step)})", *cells), []).append(
            emphasised(one.variant)
        )
    return markdown_table(
        ["step", "variants", *HEAD], [[step, ", ".join(some), *cells] for (step, *cells), some in rows.items()]
    )


@page_function
def builder_errors(page: Page) -> str:
    """The lines with which builds failed, and images ended that podman had started; of which or how many."""
    path = record_path(page.records.environment)

    def of(names: list[str]) -> str:
        return ", ".join(names) if len(names) <= NAMED else page.file(path, f"{len(names)} Dockerfiles")

    rows: dict[tuple[str, str], list[str]] = {}
    for one in page.records.once(complete).tried:
        for builder, attempt in zip(HEAD, _attempts(page, one), strict=True):
            if line := attempt and _wrong(attempt):
                rows.setdefault((builder, line), []).append(f"{short(one.step)}/{one.variant}")
    ordered = sorted(rows.items(), key=lambda row: (HEAD.index(row[0][0]), -len(row[1])))
    return markdown_table(
        ["builder", "says", "of"], [[builder, code(line), of(some)] for (builder, line), some in ordered]
    )


@page_function
def builder_versions(page: Page) -> str:
    """The versions of the builders that other ones than Docker's with buildx were tried with."""
    newest = max(page.records.once(complete).tried, key=lambda one: one.measured_at).versions
    path = record_path(page.records.environment)
    return page.file(path, f"Docker {newest.docker}, podman {newest.podman}, buildah {newest.buildah}")
