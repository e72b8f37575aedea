"""Do two records say the same? Then the one that is there stays: who builds what is recorded changes no file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from measure.base.units import SAME

if TYPE_CHECKING:
    from measure.record.records import Record

#: Sizes of an image and of each of its layers, unpacked: the image's are the sums.
_UNPACKED = ("unpacked_tar_bytes", "unpacked_file_bytes")


def same(one: Record, other: Record) -> bool:
    """The same, but for when it was measured, how long builds took, and what another build alone changes.

    Files carry the time of the build: hashes of layers differ, and the transfer by up to `SAME`. A base image of the
    lab's own is what its recipe makes: each lab's has other hashes, and other logs, whose bytes are within `SAME` too.
    All else is the same to the byte.
    """
    sizes = [[getattr(record.size, name, 0) for name in ("transfer_bytes", *_UNPACKED)] for record in (one, other)]
    near = all(abs(new - old) <= SAME * old for old, new in zip(*sizes, strict=True))
    return near and _facts(one) == _facts(other)


def _facts(record: Record) -> dict[str, Any]:
    """What a record says, without what two builds have differently."""
    told = record.model_dump(exclude={"provenance": {"measured_at"}, "time": True})
    of_lab = all(base.origin == "lab" for base in record.provenance.bases)
    size = told["size"] or {"layers": []}
    size.pop("transfer_bytes", None)
    for layer in size["layers"]:
        del layer["digest"], layer["transfer_bytes"]
        if of_lab and layer["of_base"]:
            for name in _UNPACKED:
                size[name] -= layer.pop(name)
            del layer["wasted_bytes"]
    if of_lab:
        for base in told["provenance"]["bases"]:
            del base["digest"]
        size.get("wasted", {}).pop("base_bytes", None)
        told["contents"] = record.contents and record.contents.sha256
    return told
