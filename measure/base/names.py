"""Names that several parts share, and that people meet in records and on images."""

from __future__ import annotations

import hashlib
import platform
from pathlib import Path


def run_label(machine_id: Path = Path("/etc/machine-id")) -> str:
    """The label of what a run on this machine starts; that of a run on another one, or in a container, is another."""
    try:
        identity = machine_id.read_text()
    except (OSError, ValueError):
        identity = ""
    return f"org.python-images-measured.run.{hashlib.sha256(f'{identity}{platform.node()}'.encode()).hexdigest()[:8]}"


#: Name of the environment that records of the lab belong to; the lab runs on amd64 only.
LAB_ENVIRONMENT = "lab-amd64"

#: Labels that a stand-in base image carries: how it came to be, and the hash of its recipe. Official images have none.
ORIGIN_LABEL = "org.python-images-measured.base.origin"
RECIPE_LABEL = "org.python-images-measured.base.recipe"

#: What is started carries this label with the process's ID, so that what a killed run left is found: containers,
#: networks and volumes. Nothing without it is ever removed, whatever it is called. Several machines may share an
#: engine, as two distributions in WSL do: a process that is none here may be alive there.
RUN_LABEL = run_label()

#: Images of the workshop's exercises carry this label with the folder of their repository.
EXERCISE_LABEL = "org.python-images-measured.exercise"

#: What to accept when a registry is asked for a manifest (OCI image spec; Docker's image manifest v2, schema 2).
MANIFEST_TYPES = ", ".join(
    (
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)
