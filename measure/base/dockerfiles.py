"""What a Dockerfile is built from."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, field
from pathlib import Path

from dockerfile_parse import DockerfileParser

from measure.base.errors import Problem


@dataclass
class Stage:
    """One stage of a Dockerfile: what it begins with, its name, and the images that it copies or mounts from."""

    image: str
    name: str | None
    sources: list[str] = field(default_factory=list)


def instructions(dockerfile: Path) -> list[str]:
    """The instructions of a Dockerfile in order, each on one line, without comments and indentation."""
    found = DockerfileParser(fileobj=io.BytesIO(dockerfile.read_bytes())).structure
    lines = (f"{one['instruction']} {one['value']}" for one in found if one["instruction"] != "COMMENT")
    return [re.sub(r" {2,}", " ", line) for line in lines]


def stages(dockerfile: Path) -> list[Stage]:
    """The stages of a Dockerfile, in order. Build arguments in FROM take their defaults.

    Raises Problem when there is no FROM.
    """
    parser = DockerfileParser(fileobj=io.BytesIO(dockerfile.read_bytes()))
    found: list[Stage] = []
    defaults: dict[str, str] = {}
    for instruction in parser.structure:
        value = instruction["value"]
        match instruction["instruction"]:
            case "ARG" if not found:  # those of a stage do not count in FROM
                name, _, default = value.partition("=")
                defaults[name] = default.strip("\"'")
            case "FROM":
                words = [word for word in value.split() if not word.startswith("--")]
                image = re.sub(r"\$\{?(\w+)\}?", lambda m: defaults.get(m[1], m[0]), words[0])
                found.append(Stage(image, words[2] if len(words) == 3 else None))
            case "COPY" | "RUN" if found:
                found[-1].sources += re.findall(r"(?:--from=|--mount=\S*?from=)([^\s,]+)", value)
    if not found:
        raise Problem(f"{dockerfile} has no FROM line.", next=f"add one to {dockerfile}")
    return found


def external_images(dockerfile: Path) -> list[str]:
    """Images that a Dockerfile needs from a registry, in the order of their first mention.

    Counts FROM, COPY --from and RUN --mount=from; stages of the same file and `scratch` do not count, and neither does
    a stage that a predefined argument such as TARGETARCH chooses. Raises Problem when there is no FROM.
    """
    found: list[str] = []
    earlier: set[str | None] = {"scratch"}
    for stage in stages(dockerfile):
        for image in (stage.image, *stage.sources):
            if image not in earlier and "$" not in image and not image.isdigit() and image not in found:
                found.append(image)
        earlier.add(stage.name)
    return found


def base_image(dockerfile: Path, target: str | None = None) -> str | None:
    """The image from a registry that the built image stands on, through stages of the same file; None for scratch.

    `target` names the stage that is built, the last one by default. Raises Problem when there is no such stage.
    """
    found = stages(dockerfile)
    by_name = {stage.name: stage for stage in found if stage.name}
    if target is not None and target not in by_name:
        raise Problem(
            f"{dockerfile.name} has no stage called {target}.",
            why=f"Its stages are called {', '.join(by_name) or 'nothing'}.",
            next="mend `target` in compose.yaml",
        )
    stage = by_name[target] if target else found[-1]
    while stage.image in by_name:
        stage = by_name[stage.image]
    return None if stage.image == "scratch" else stage.image
