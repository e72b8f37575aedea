"""What pages say of where the numbers are from: all records, environments, and the last run of all tests."""

from __future__ import annotations

from measure.base.units import duration, megabytes
from measure.record import tested
from measure.record.records import Environment, load_environment, named, record_files
from measure.record.records import environments as all_environments
from measure.tell.page import Page, anchor, markdown_table, page_function, pointed


@page_function
def results(page: Page) -> str:
    """Every record as a row that other pages can link to."""
    head = ["step", "variant", "platform", "transfer", "unpacked", "files", "wasted", "context", "OS", "Python"]
    head += ["user", "built", "base", "record"]
    rows = []
    for record in page.records.all():
        cells = [f'<span id="{anchor(record)}"></span>{record.step}', record.variant, record.platform]
        if record.size and record.contents:
            size, inside = record.size, record.contents
            exact = [size.transfer_bytes, size.unpacked_tar_bytes, size.unpacked_file_bytes]
            exact += [size.wasted.own_bytes, size.context_bytes]
            cells += [pointed(megabytes(size), f"{size:,} bytes") for size in exact]
            cells += [str(len(inside.os_packages)), str(len(inside.python_packages)), inside.user]
        else:
            cells += ["fails", *[""] * 7]
        origins = sorted({base.origin for base in record.provenance.bases})
        rows.append([*cells, record.provenance.execution, ", ".join(origins), page.file(record.path, "JSON")])
    return markdown_table(head, rows, "lllrrrrrrrllll")


@page_function
def environment(page: Page) -> str:
    """The environment that the numbers of the site are from."""
    return f"`{page.records.environment}`"


@page_function
def environments(page: Page) -> str:
    """Every environment that has records: its machine, where its base images come from, and how many records."""
    rows = []
    for name in all_environments():
        about = load_environment(name)
        cells = [_described(about), named(about.bases) if about else "", str(len(record_files(name)))]
        rows.append([f"**`{name}`**" if name == page.records.environment else f"`{name}`", *cells])
    return markdown_table(["environment", "machine and engine", "base images", "records"], rows, "lllr")


def _described(about: Environment | None) -> str:
    if about is None:
        return "not described"
    hardware = f"{about.cores} cores ({about.cpu}), {about.memory_bytes / 1e9:.0f} GB of memory, {about.system}"
    builder = f"buildx {about.buildx}, driver `{about.builder_driver}`, store `{about.store}`"
    return f"{hardware}; Docker Engine {about.engine} with {builder}"


@page_function
def tests(page: Page) -> str:
    """When `make test-all` was last run where the numbers are from, when it last passed, and what it was."""
    name = page.records.environment
    found = tested.load(name)
    if found is None:
        return f"No run of `make test-all` is recorded in `{name}` yet."
    rows = [
        [one.name, duration(one.seconds), str(one.passed), str(one.failed), str(sum(s.tests for s in one.skipped))]
        for one in found.phases
    ]
    head = ["phase", "time", "passed", "failed", "skipped"]
    skips = [f"- {skip.tests} skipped in {one.name}: {skip.reason}" for one in found.phases for skip in one.skipped]
    told = page.file(tested.path(name), f"The run of {found.begun_at:%Y-%m-%d %H:%M} (UTC)")
    parts = [f"{found.told} {told} took {duration(found.seconds)}:", markdown_table(head, rows, "lrrrr")]
    return "\n\n".join([*parts, "\n".join(skips)]).rstrip()
