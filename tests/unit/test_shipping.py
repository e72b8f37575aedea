"""Shipping: how a registry is counted, what the step declares, the goals in the record, and what pages say of it."""

from pathlib import PurePosixPath

import pytest

import measure.pages  # noqa: F401
from measure.base.errors import Problem
from measure.base.names import LAB_ENVIRONMENT
from measure.record import records
from measure.record.records import Samples
from measure.steps.compose import find_step
from measure.steps.inputs import inputs_of
from measure.studies.shipping import fleet, fleets, model, page
from measure.studies.shipping.counting import blobs, mounted, uploaded
from measure.studies.shipping.fleets import FLEETS, SIZES, Fleet, Fleets, Together
from measure.studies.shipping.model import Level, Sent, Shipped, Shipping
from measure.tell.page import Page
from measure.tell.reading import Records
from tests import handmade

STEP = find_step(model.STEP)
ONE, TWO = "1" * 64, "2" * 64
#: What a registry writes of a push: a layer is asked for, sent in two requests, mounted, and read.
LOG = "\n".join(
    f'127.0.0.1 - - [29/Nov/2026:17:34:34 +0000] "{request} HTTP/1.1" {status} 0 "" "a client"'
    for request, status in (
        (f"HEAD /v2/a/blobs/sha256:{ONE}", 404),
        ("POST /v2/a/blobs/uploads/", 202),
        ("PATCH /v2/a/blobs/uploads/5c?_state=x", 202),
        (f"PUT /v2/a/blobs/uploads/5c?_state=x&digest=sha256%3A{ONE}", 201),
        (f"PUT /v2/a/blobs/uploads/5d?digest=sha256%3A{TWO}", 400),
        (f"POST /v2/b/blobs/uploads/?from=a&mount=sha256%3A{ONE}", 201),
        (f"POST /v2/b/blobs/uploads/?from=a&mount=sha256%3A{TWO}", 202),
        ("PUT /v2/a/manifests/latest", 201),
        (f"GET /v2/a/blobs/sha256:{ONE}", 200),
    )
)


def test_a_log_tells_what_was_sent_and_what_another_repository_lent():
    assert uploaded(LOG) == [ONE]
    assert mounted(LOG) == 1


def test_a_blob_counts_as_often_as_it_was_sent():
    assert uploaded(f"{LOG}\n{LOG}") == [ONE, ONE]


def test_the_blobs_of_a_registry_are_those_on_its_disk(tmp_path):
    for name, content in (("aa", b"1234"), ("bb", b"12")):
        (tmp_path / "sha256" / name / (name * 32)).mkdir(parents=True)
        (tmp_path / "sha256" / name / (name * 32) / "data").write_bytes(content)
    assert blobs(tmp_path) == {"aa" * 32: 4, "bb" * 32: 2}


def test_how_layers_are_written_is_what_the_compose_file_says_and_where_they_go_is_not():
    zstd = ",compression=zstd,compression-level=19,force-compression=true"
    assert {one.name: one.exported for one in STEP.variants} == {
        "plain": "",
        "zstd": zstd,
        "reproducible": ",rewrite-timestamp=true",
        "recommended": ",rewrite-timestamp=true" + zstd,
        "attested": "",
    }
    assert [one.name for one in STEP.variants if one.reproducible] == ["reproducible", "recommended"]


def test_one_file_differs_from_the_other_in_the_time_that_each_of_its_stages_asks_for():
    ours, theirs = (STEP.variant(name).parsed.instructions for name in ("recommended", "plain"))
    assert [one for one in ours if one != "ARG SOURCE_DATE_EPOCH"] == theirs
    stages = [i for i, one in enumerate(ours) if one.startswith("FROM")]
    asks = [i for i, one in enumerate(ours) if one == "ARG SOURCE_DATE_EPOCH"]
    assert len(stages) == len(asks) == 2
    assert stages[0] < asks[0] < stages[1] < asks[1]
    assert asks[1] < next(i for i, one in enumerate(ours) if one.startswith("RUN useradd"))


def test_each_service_of_a_fleet_has_two_packages_that_no_other_has_together():
    pairs = fleet.pairs()
    assert len({*pairs}) == len(pairs) >= SIZES[-1]
    assert all(one.count("==") == 2 and one.count("--hash=sha256:") == 2 for one in pairs)


def test_a_variant_without_fleets_is_refused_before_anything_is_built():
    with pytest.raises(Problem, match="slim has no fleets"):
        fleet.measure_fleets(None, "slim")


def test_what_is_on_a_disk_is_what_its_blocks_hold(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/b").write_bytes(b"x" * 100_000)
    assert 100_000 <= fleet.on_disk(tmp_path) <= 120_000


@pytest.mark.parametrize("field", ["stored_bytes", "sent_bytes", "disk_bytes"])
@pytest.mark.parametrize("services", SIZES)
@pytest.mark.parametrize("differ", ["code", "packages"])
def test_the_fleet_without_a_distribution_is_the_smallest(field, services, differ):
    """The goal; and step 4's page says so."""
    there = fleets.complete(LAB_ENVIRONMENT)
    size = {variant: getattr(there.of(variant, differ).at(services), field) for variant in FLEETS}
    assert min(size, key=size.get) == "distroless"


@pytest.fixture(scope="module")
def measured():
    """What the lab's record has of each variant."""
    return {one.variant: one for one in model.complete(LAB_ENVIRONMENT).shipped}


def test_the_same_image_is_built_twice_and_the_second_push_sends_next_to_nothing(measured):
    """The goal: at most one percent of what `plain` sends again."""
    best, plain = (measured[name] for name in ("recommended", "plain"))
    assert best.digest == best.digest_again
    assert plain.digest != plain.digest_again
    assert best.sent["again"].sent_bytes <= 0.01 * plain.sent["again"].sent_bytes


def test_on_a_patched_base_it_sends_the_patch(measured):
    """At most one percent of what `plain` sends again, for the layers above the base are the same."""
    best, plain = (measured[name].sent["base"].sent_bytes for name in ("recommended", "plain"))
    assert best <= 0.01 * plain


def test_the_first_push_is_fifteen_percent_below_gzip(measured):
    best, plain = (measured[name].sent["first"].sent_bytes for name in ("recommended", "plain"))
    assert best <= 0.85 * plain


def test_start_and_import_take_no_longer_and_no_bytecode_is_stale(measured):
    """Beyond noise: a tenth, or the half of what two samples of `plain` differ by."""
    best, plain = (measured[name] for name in ("recommended", "plain"))
    assert (best.bytecode, best.bytecode_stale) == (plain.bytecode, 0)
    for ours, theirs in ((best.start_s, plain.start_s), (best.import_cpu_s, plain.import_cpu_s)):
        noise = max(0.1 * theirs.median, (max(theirs.samples) - min(theirs.samples)) / 2)
        assert ours.median <= theirs.median + noise


def test_what_the_log_says_was_sent_is_what_the_manifests_name_and_the_disk_has(measured):
    for one in measured.values():
        for push in one.sent.values():
            assert push.sent_bytes == push.named_bytes <= push.stored_bytes <= push.named_bytes + 20_000


def sent(size: int) -> Sent:
    return Sent(sent_bytes=size, stored_bytes=size + 9, named_bytes=size)


def shipped(variant, push: int, **changes) -> Shipped:
    once = Samples.of([0.2])
    usual = {
        "variant": variant.name,
        "inputs_sha256": inputs_of(STEP, variant, model.recipes(LAB_ENVIRONMENT)).sha256,
        "digest": "sha256:1", "digest_again": "sha256:2",
        "sent": {kind: sent(push) for kind in ("first", "edit", "lock", "base", "again")},
        "build_and_push_s": once, "bytecode": 201, "bytecode_stale": 3,
        "pull_s": {"first": Samples.of([7.0]), "edit": once, "lock": Samples.of([1.5])}, "start_s": once,
        "import_cpu_s": once,
    }  # fmt: skip
    return Shipped(**{**usual, **changes})


def of_fleet(variant: str, differ: str, size: int, **changes) -> Fleet:
    step = find_step(fleets.STEP)
    together = [
        Together(services=n, stored_bytes=n * size, sent_bytes=2 * n * size, mounted=0, disk_bytes=3 * n * size)
        for n in SIZES
    ]
    usual = {
        "variant": variant, "differ": differ, "together": together, "provenance": handmade.record().provenance,
        "inputs_sha256": fleets.inputs(step.variant(variant), differ, fleets.recipes(LAB_ENVIRONMENT)),
    }  # fmt: skip
    return Fleet(**{**usual, **changes})


@pytest.fixture
def recorded(tmp_path, monkeypatch):
    """Writes records of their own for the lab; returns a page that reads them."""
    real = Records()
    (tmp_path / LAB_ENVIRONMENT).mkdir()
    monkeypatch.setattr(records, "RESULTS", tmp_path)

    def write(shipping: Shipping | None = None, of: Fleets | None = None) -> Page:
        for path, one in ((model.record_path(LAB_ENVIRONMENT), shipping), (fleets.record_path(LAB_ENVIRONMENT), of)):
            if one is not None:
                path.write_text(one.model_dump_json())
        return Page(real, PurePosixPath("steps/step-4.md"))

    return write


@pytest.fixture
def shipping():
    levels = [Level(options="compression=zstd", transfer_bytes=63_000_000)]
    return Shipping(shipped=[shipped(one, 67_000_000) for one in STEP.variants], levels=levels)


@pytest.fixture
def all_fleets():
    found = [of_fleet(name, differ, 1_000_000) for name in FLEETS for differ in ("code", "packages")]
    return Fleets(fleets=found)


def test_a_variant_that_is_missing_or_changed_is_found(recorded, shipping):
    recorded(shipping)
    assert model.findings(LAB_ENVIRONMENT) == []
    first, *others = shipping.shipped
    for changed, state in ((others, "missing"), ([first.model_copy(update={"inputs_sha256": "0"}), *others], "stale")):
        recorded(shipping.model_copy(update={"shipped": changed}))
        (found,) = model.findings(LAB_ENVIRONMENT)
        assert (found.state, found.command) == (state, "make shipping")
        assert "plain" in found.why
        with pytest.raises(Problem, match=state):
            model.complete(LAB_ENVIRONMENT)


def test_a_fleet_that_is_missing_or_changed_is_found(recorded, all_fleets):
    recorded(of=all_fleets)
    assert fleets.findings(LAB_ENVIRONMENT) == []
    first, *others = all_fleets.fleets
    for changed, state in ((others, "missing"), ([first.model_copy(update={"inputs_sha256": "0"}), *others], "stale")):
        recorded(of=Fleets(fleets=changed))
        (found,) = fleets.findings(LAB_ENVIRONMENT)
        assert (found.state, found.command) == (state, "make fleet NAME=recommended")


def test_other_packages_make_the_fleets_stale_that_differ_in_them(recorded, all_fleets, tmp_path, monkeypatch):
    recorded(of=all_fleets)
    monkeypatch.setattr(fleets, "PACKAGES", tmp_path / "packages.txt")
    fleets.PACKAGES.write_text("other==1\n")
    assert [found.state for found in fleets.findings(LAB_ENVIRONMENT)] == ["stale"] * len(FLEETS)


def test_a_fleet_that_is_measured_again_replaces_itself_alone(all_fleets):
    again = of_fleet("full", "packages", 5)
    found = all_fleets.having(again)
    assert found.of("full", "packages") == again
    assert [one.variant for one in found.fleets] == [one.variant for one in all_fleets.fleets]
    assert found.of("full", "code") == all_fleets.of("full", "code")


def test_pages_say_what_was_sent_pulled_and_kept(recorded, shipping, all_fleets):
    told = recorded(shipping, all_fleets)
    assert "67.0&nbsp;MB" in page.sent(told, "plain")
    assert "67,000,000 bytes sent, 67,000,009 more stored" in page.sent(told, "plain", "again")
    assert "same" in page.sent_change(told, "plain", "zstd")
    assert "3&nbsp;of&nbsp;201" in page.stale(told, "reproducible")
    assert "7.0&nbsp;s" in page.shipped(told, "plain", "pull")
    assert "1.5&nbsp;s" in page.shipped(told, "plain", "pull-lock")
    assert len(page.pushes(told).splitlines()) == len(page.pulls(told).splitlines()) == 2 + len(STEP.variants)
    assert "63.0&nbsp;MB" in page.levels(told)
    assert "40.0&nbsp;MB" in page.of_fleet(told, "full")
    assert "120.0&nbsp;MB" in page.of_fleet(told, "full", kind="unpacked")
    assert "40.0&nbsp;MB" in page.unshared(told, "full")
    for kind, last in (("transfer", "40.0"), ("sent", "80.0"), ("unpacked", "120.0")):
        rows = page.fleet(told, kind).splitlines()
        assert len(rows[2 : 2 + len(FLEETS)]) == 4
        assert f"{last}&nbsp;MB" in rows[2].split("|")[-2]


def test_pages_show_how_the_recommended_variant_is_written(recorded):
    shown = page.exported(recorded(), model.STEP)
    assert "rewrite-timestamp=true" in shown
    assert "SOURCE_DATE_EPOCH" in shown
    assert "#" not in shown
    assert "VARIANT" not in shown
