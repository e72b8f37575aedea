"""What a Dockerfile is built from."""

from __future__ import annotations

import io
import re
from pathlib import Path

from dockerfile_parse import DockerfileParser

from measure.errors import Problem


def external_images(dockerfile: Path) -> list[str]:
    """Images that a Dockerfile needs from a registry, in the order of their first mention.

    Counts FROM, COPY --from and RUN --mount=from; stages of the same file and `scratch` do not count. Build arguments
    in FROM take their defaults. Raises Problem when there is no FROM.
    """
    content = dockerfile.read_bytes()
    parser = DockerfileParser(fileobj=io.BytesIO(content))
    stages: set[str] = set()
    found: list[str] = []

    def need(image: str) -> None:
        if image not in stages and image != "scratch" and not image.isdigit() and image not in found:
            found.append(image)

    defaults: dict[str, str] = {}
    for instruction in parser.structure:
        value = instruction["value"]
        match instruction["instruction"]:
            case "ARG":
                name, _, default = value.partition("=")
                defaults[name] = default.strip("\"'")
            case "FROM":
                words = [word for word in value.split() if not word.startswith("--")]
                image = re.sub(r"\$\{?(\w+)\}?", lambda m: defaults.get(m[1], m[0]), words[0])
                if "$" not in image:  # a stage chosen by a predefined argument such as TARGETARCH
                    need(image)
                if len(words) == 3:
                    stages.add(words[2])
            case "COPY" | "RUN":
                for image in re.findall(r"(?:--from=|--mount=\S*?from=)([^\s,]+)", value):
                    need(image)
    if not any(i["instruction"] == "FROM" for i in parser.structure):
        raise Problem(f"{dockerfile} has no FROM line.", next=f"add one to {dockerfile}")
    return found
