"""What differs between two layers that ought to be the same, and of which kind that is."""

import gzip
import io
import tarfile

import pytest

from measure.base.errors import Problem
from measure.weigh.differing import Different, differences

PYC = "opt/venv/lib/a/__pycache__/b.cpython-314.pyc"
FILES = {"etc/shadow": b"app:!:20454", PYC: b"\0" * 16 + b"code", "opt/venv/lib/a/b.py": b"b = 1\n"}


def layer(path, files=FILES, mtime=100, mode=0o644, times=None):
    """A gzipped layer with these files, in this order."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode, info.mtime = len(content), mode, (times or {}).get(name, mtime)
            archive.addfile(info, io.BytesIO(content))
    path.write_bytes(gzip.compress(buffer.getvalue(), mtime=0))
    return path


@pytest.fixture
def told(tmp_path):
    """What differs from the usual layer in one that is made otherwise."""
    return lambda **otherwise: differences(layer(tmp_path / "a"), layer(tmp_path / "b", **otherwise))


def test_of_equal_layers_nothing_differs(told):
    assert told() == []


def test_a_file_with_another_time_differs_in_time(told):
    assert told(times={"etc/shadow": 101}) == [Different("etc/shadow", "time")]


def test_compiled_python_with_other_bytes_differs_in_bytecode_whatever_its_time(told):
    assert told(files=FILES | {PYC: b"\1" * 16 + b"code"}, times={PYC: 7}) == [Different(PYC, "bytecode")]


def test_any_other_file_with_other_bytes_differs_in_content(told):
    assert told(files=FILES | {"etc/shadow": b"app:!:20786"}) == [Different("etc/shadow", "content")]


def test_another_mode_is_content_too(told):
    assert {one.kind for one in told(mode=0o600)} == {"content"}


def test_the_same_files_one_after_another_otherwise_differ_in_order(told):
    assert told(files=dict(reversed(FILES.items()))) == [Different("", "order")]


def test_files_that_only_one_layer_has(told):
    found = told(files={"etc/passwd": b"", **{name: FILES[name] for name in FILES if name != PYC}})
    assert found == [Different("etc/passwd", "extra"), Different(PYC, "missing")]


def test_the_same_files_packed_otherwise_differ_in_compression(tmp_path):
    one = layer(tmp_path / "a")
    other = tmp_path / "b"
    other.write_bytes(gzip.compress(gzip.decompress(one.read_bytes()), 1, mtime=0))
    assert differences(one, other) == [Different("", "compression")]


def test_a_layer_in_zstd_is_compared_with_one_in_gzip(tmp_path):
    try:
        from compression import zstd
    except ImportError:
        from backports import zstd
    one, other = layer(tmp_path / "a"), tmp_path / "b"
    other.write_bytes(zstd.compress(gzip.decompress(one.read_bytes())))
    assert differences(one, other) == [Different("", "compression")]


def test_a_layer_that_is_cut_short_is_told(tmp_path):
    one, other = layer(tmp_path / "a"), tmp_path / "b"
    other.write_bytes(one.read_bytes()[:-40])
    with pytest.raises(Problem, match="damaged"):
        differences(one, other)
