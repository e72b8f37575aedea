"""Steps and their variants, as their compose files list them. A step is a folder with a compose file in it."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError, field_validator

from measure.base import dockerfiles
from measure.base.dockerfiles import Dockerfile
from measure.base.errors import Problem
from measure.base.files import ROOT
from measure.base.model import Strict
from measure.base.platforms import PLATFORMS, normal
from measure.steps.inputs import File, Inputs, described, git_files, hash_of, ignore_rules

RECOMMENDED = "recommended"
#: Options of an exporter that say how layers are written, wherever they go.
OF_LAYERS = ("compression", "compression-level", "force-compression", "rewrite-timestamp")
#: The one in C, where PyYAML has it: it is many times faster.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Teaching(Strict):
    """The `x-measure` section of a service: what its variant teaches."""

    title: str
    teaches: str
    question: str
    #: Part of the line that a build which is meant to fail ends with; None for a variant that is meant to work.
    fails_with: str | None = None
    #: Part of the line that the container ends with, of a variant that builds and is meant to fail when it runs.
    dies_with: str | None = None
    #: The platforms this variant makes sense on; None for all. A single one stands for the machine's own, whichever it
    #: is: emulated, such a build takes hours, or decides nothing.
    platforms: list[str] | None = None
    #: False for a build that takes many minutes on its own processor: tests that everybody waits for leave it out.
    quick: bool = True
    #: False for a build that takes minutes under emulation, where it teaches nothing that another one does not.
    emulate: bool = True
    #: What the builder attests of the image, as `docker buildx build --attest` takes it; None: nothing.
    attest: str | None = None

    @field_validator("platforms")
    @classmethod
    def _by_one_name(cls, platforms: list[str] | None) -> list[str] | None:
        return platforms and [normal(name) for name in platforms]


def pairs(given: Any) -> dict[str, Any]:
    """Names and values of a section that is a list or a mapping; None for a name without a value."""
    return given if isinstance(given, dict) else dict((*str(one).split("=", 1), None)[:2] for one in given or ())


def arguments(
    given: Any, filled: Callable[[Any], Any] = lambda value: value, environment: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """Build arguments of a service, which are a list or a mapping. One without a value has that of the environment."""
    values = {
        str(key): environment.get(str(key)) if value is None else filled(value) for key, value in pairs(given).items()
    }
    said = {key: str(value).lower() if isinstance(value, bool) else value for key, value in values.items()}
    return {key: str(value) for key, value in said.items() if value is not None}


@dataclass(frozen=True)
class Variant:
    """One way to build a step: a service of its compose file.

    What it is built from is read once, when it is first asked for; `Step.now` reads anew.
    """

    step: str
    name: str
    service: str
    dockerfile: Path
    context: Path
    build: dict[str, Any]  #: the service's build section
    environment: dict[str, str]
    port: int  #: inside the container
    published: int  #: on the host, under `docker compose up`
    depends_on: list[str]  #: services of the same file that it cannot do without, like a database
    images: list[str]  #: what those are run from
    teaching: Teaching
    native: str = PLATFORMS[0]  #: see `Step`

    @property
    def target(self) -> str | None:
        """The stage that is built; None for the last one."""
        return self.build.get("target")

    @property
    def exported(self) -> str:
        """How its layers are written, of the exporter's options in `x-bake`, as `,NAME=VALUE`s; '' by default."""
        outputs = (self.build.get("x-bake") or {}).get("output") or []
        options = (one.strip() for output in outputs for one in output.split(","))
        return "".join(f",{one}" for one in options if one.partition("=")[0] in OF_LAYERS)

    @property
    def reproducible(self) -> bool:
        """Does the builder set the time of every file, so that two builds can give the same image?"""
        return "rewrite-timestamp=true" in self.exported

    @cached_property
    def parsed(self) -> Dockerfile:
        """Its Dockerfile, with the service's build arguments."""
        return dockerfiles.read(self.dockerfile, arguments(self.build.get("args")))

    @property
    def external_images(self) -> list[str]:
        """The images from a registry that its build needs."""
        return self.parsed.external_images

    @cached_property
    def base_image(self) -> str | None:
        """The image from a registry that it stands on; None for one that begins with nothing."""
        return self.parsed.base_image(self.target)

    @cached_property
    def ignore(self) -> str | None:
        """Text of the ignore file that counts: that of the Dockerfile, else that of the context, else None.

        Rule: Docker's build documentation, "Filename and location" of ignore files.
        """
        own = self.dockerfile.with_name(f"{self.dockerfile.name}.dockerignore")
        found = (path for path in (own, self.context / ".dockerignore") if path.exists())
        return next((path.read_text() for path in found), None)

    @cached_property
    def _files(self) -> list[File]:
        return described(self.context, git_files(self.context))

    @cached_property
    def context_files(self) -> list[File]:
        """What its build context offers: the files that git would give and the ignore file lets through."""
        rules = ignore_rules(self.ignore or "")
        return [file for file in self._files if not rules.match_file(file[0])]

    @property
    def offered_sha256(self) -> str:
        """Hash of all that decides what its build context offers: all the context's files, and the rules."""
        return hash_of([self._files, self.ignore])

    def inputs(self, recipe: Callable[[str], str | None]) -> Inputs:
        """Hash what its build depends on. `recipe` gives the hash of a base image's recipe, or None.

        Raises Problem for build options whose files are not looked at.
        """
        if "additional_contexts" in self.build or "dockerfile_inline" in self.build:
            raise Problem(
                f"{self.service} uses build options that records cannot vouch for.",
                why="additional_contexts and dockerfile_inline are not among the inputs that are hashed.",
                next=f"use stages in a Dockerfile instead, in {self.step}/",
            )
        recipes = {name: recipe(name) for name in self.external_images}
        return Inputs(
            dockerfile_sha256=hashlib.sha256(self.parsed.text.encode()).hexdigest(),
            options_sha256=hash_of(self.build),
            context_sha256=hash_of(self.context_files),
            recipes_sha256={name: sha256 for name, sha256 in recipes.items() if sha256},
        )

    def platforms(self, of: Iterable[str] = PLATFORMS) -> list[str]:
        """Those of the given platforms that this variant makes sense on."""
        some = self.teaching.platforms
        return [name for name in of if some is None or name in (some if len(some) > 1 else [self.native])]


def stepless(step: str, name: str, dockerfile: Path, port: int) -> Variant:
    """An image of no step, as what starts images knows one: its Dockerfile is all that there is beside it."""
    return Variant(
        step=step, name=name, service=name, dockerfile=dockerfile, context=dockerfile.parent, build={}, environment={},
        port=port, published=port, depends_on=[], images=[], teaching=Teaching(title="", teaches="", question=""),
    )  # fmt: skip


@dataclass(frozen=True)
class Step:
    """A step's folder and its variants, in the order of its compose file."""

    name: str
    folder: Path
    #: Without the variants that take many minutes to build.
    quick: bool = False
    #: Made to decide a claim (folklore/): nothing to copy home, so no variant is recommended, and none is started.
    experiment: bool = False
    #: The platform of the machine that measures it, or has measured what is told of it.
    native: str = PLATFORMS[0]

    @property
    def compose_file(self) -> Path:
        """The list of variants."""
        return self.folder / "compose.yaml"

    @cached_property
    def variants(self) -> list[Variant]:
        """The variants in file order. Raises Problem when the compose file does not parse or says too little."""
        services = self._read().get("services") or {}
        found = [self._variant(name, services) for name, service in services.items() if "x-measure" in (service or {})]
        if not self.experiment and not any(variant.name == RECOMMENDED for variant in found):
            raise Problem(
                f"{self._shown} has no recommended variant.",
                why=f"A service called {self.name} with an x-measure section is missing.",
                next=f"add it to {self._shown}; another step's file shows how",
            )
        return [variant for variant in found if variant.teaching.quick or not self.quick]

    @property
    def recommended(self) -> Variant:
        """The variant that readers should copy."""
        return next(variant for variant in self.variants if variant.name == RECOMMENDED)

    def variant(self, name: str) -> Variant:
        """The variant with this name. Raises Problem when there is none."""
        for variant in self.variants:
            if variant.name == name:
                return variant
        raise Problem(
            f"{self.name} has no variant called {name}.",
            why=f"Its variants are: {', '.join(variant.name for variant in self.variants)}.",
            next="make steps",
        )

    def now(self, variant: Variant) -> Variant:
        """The same variant, to be read anew: the folder may have been edited. Raises Problem when it is no more."""
        return replace(self).variant(variant.name)

    @property
    def command(self) -> str:
        """What to type to measure this step."""
        return f"make {re.match(r'step-[0-9]+|.*', self.name)[0]}"

    @property
    def timing_command(self) -> str:
        """What a reader types to time it."""
        return f"make time-{self.command.removeprefix('make ')}"

    @property
    def _shown(self) -> str:
        return f"{'folklore/' if self.experiment else ''}{self.folder.name}/compose.yaml"

    def _read(self) -> dict:
        try:
            content = _parsed(self.compose_file.read_text())
        except yaml.YAMLError as error:
            raise Problem(
                f"{self._shown} is not valid YAML.", why=str(error), next=f"docker compose -f {self._shown} config"
            ) from None
        if not isinstance(content, dict):
            raise Problem(f"{self._shown} is empty.", next=f"git checkout {self._shown}")
        return content

    def _variant(self, service_name: str, services: dict) -> Variant:
        service = services[service_name]
        name = RECOMMENDED if service_name == self.name else service_name.removeprefix(f"{self.name}-")
        try:
            teaching = Teaching.model_validate(service["x-measure"])
        except ValidationError as error:
            raise Problem(
                f"x-measure of service {service_name} in {self._shown} is not complete.",
                why="\n".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()),
                next=f"mend it in {self._shown}",
            ) from None
        build = service.get("build")
        build = {"context": build} if isinstance(build, str) else build or {}
        context = self.folder / build.get("context", ".")
        environment = service.get("environment") or {}
        if isinstance(environment, list):
            environment = dict(entry.partition("=")[::2] for entry in environment)
        published, port = _ports(service)
        depends_on = list(service.get("depends_on") or [])
        return Variant(
            step=self.name,
            name=name,
            service=service_name,
            dockerfile=context / build.get("dockerfile", "Dockerfile"),
            context=context,
            build=build,
            environment={key: str(value) for key, value in environment.items()},
            port=port,
            published=published,
            depends_on=depends_on,
            images=[services[name]["image"] for name in depends_on if "image" in services[name]],
            teaching=teaching,
            native=self.native,
        )


@cache
def _parsed(text: str) -> Any:
    """A compose file's content, parsed once, though pages ask for it hundreds of times: nobody may change it."""
    return yaml.load(text, Loader=_LOADER)  # noqa: S506 - both are safe ones


def _ports(service: dict) -> tuple[int, int]:
    """Host port and container port of a service's first mapping, short form (`[IP:][HOST:]CONTAINER`) or long form."""
    first = (service.get("ports") or ["8000:8000"])[0]
    if isinstance(first, dict):
        return int(first.get("published", first["target"])), int(first["target"])
    words = str(first).removesuffix("/tcp").split(":")
    return int(words[-2] if len(words) > 1 else words[-1]), int(words[-1])


def all_steps(root: Path = ROOT) -> list[Step]:
    """Every step of the repository, in the order of the ladder."""
    folders = [*sorted(root.glob("step-*")), *sorted(root.glob("extra-*"))]
    return [Step(folder.name, folder) for folder in folders if (folder / "compose.yaml").exists()]


def experiments(root: Path = ROOT) -> list[Step]:
    """The tiny experiments below folklore/, each for one claim: folklore/apt-lists is called folklore-apt-lists.

    They are built, weighed and recorded as steps are; they belong to no ladder, and are no images to run.
    """
    folders = sorted((root / "folklore").glob("*/compose.yaml"))
    return [Step(f"folklore-{file.parent.name}", file.parent, experiment=True) for file in folders]


def all_measured(root: Path = ROOT) -> list[Step]:
    """All that has records: every step, then every experiment."""
    return [*all_steps(root), *experiments(root)]


def find_step(name: str, root: Path = ROOT) -> Step:
    """The step called `name`, or the one that it begins: `step-1` is step-1-kiss. Raises Problem when there is none."""
    steps = all_measured(root)
    for step in steps:
        if step.name == name or step.name.startswith(f"{name}-"):
            return step
    raise Problem(
        f"There is no step called {name}.",
        why=f"The steps are: {', '.join(step.name for step in steps)}.",
        next="make help",
    )
