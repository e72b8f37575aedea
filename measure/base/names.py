"""Names that several parts share, and that people meet in records and on images."""

#: Name of the environment that records of the lab belong to; the lab runs on amd64 only.
LAB_ENVIRONMENT = "lab-amd64"

#: Labels that a stand-in base image carries: how it came to be, and the hash of its recipe. Official images have none.
ORIGIN_LABEL = "org.python-images-measured.base.origin"
RECIPE_LABEL = "org.python-images-measured.base.recipe"

#: What is started carries this label with the process's ID, so that what a killed run left is found: containers,
#: networks and volumes. Nothing without it is ever removed, whatever it is called.
RUN_LABEL = "org.python-images-measured.run"

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
