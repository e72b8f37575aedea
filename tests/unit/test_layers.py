"""A layer's tar stream against an independent reader of it, Python's own tarfile, and what is wrong with streams."""

import gzip
import hashlib
import io
import random
import re
import struct
import subprocess
import tarfile
import zlib

import pytest

from measure.base.errors import Problem
from measure.weigh import layers, unpacking
from measure.weigh.layers import Entry, read_stream
from tests.handmade import tar

FORMATS = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}


def read(content: bytes, **more) -> layers.LayerFacts:
    return read_stream(io.BytesIO(content), "0" * 64, **more)


def made(seed: int, kind: str) -> bytes:
    """A tar stream of members of all types, with names, sizes and numbers of all kinds that the format takes."""
    chance, buffer = random.Random(seed), io.BytesIO()
    letters = "abc.-_" if kind == "ustar" else "abc.-_äß漢"
    with tarfile.open(fileobj=buffer, mode="w", format=FORMATS[kind]) as archive:
        for number in range(chance.randrange(1, 40)):
            parts = [
                "n" + "".join(chance.choices(letters, k=chance.randrange(1, 40))) for _ in range(chance.randrange(1, 5))
            ]
            name = "/".join(parts)[: 90 if kind == "ustar" else None]
            info = tarfile.TarInfo(f"{chance.choice(['', './', '/'])}{name}{number}")
            info.mode, info.uid, info.gid = (
                chance.choice((0o644, 0o4755)),
                chance.randrange(70_000),
                chance.randrange(9),
            )
            info.mtime = chance.randrange(2**33 if kind == "pax" else 2**32)
            info.type = chance.choice(
                [tarfile.REGTYPE] * 5
                + [tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE]
            )
            if info.type in (tarfile.SYMTYPE, tarfile.LNKTYPE):
                info.linkname = "x" * chance.randrange(1, 99 if kind == "ustar" else 300)
            if kind == "pax" and chance.random() < 0.2:
                info.pax_headers = {"SCHILY.xattr.user.a": "b" * chance.randrange(2000)}
            if info.type == tarfile.REGTYPE:
                info.size = chance.choice((0, 1, 511, 512, 513, chance.randrange(3_000_00)))
            archive.addfile(info, io.BytesIO(chance.randbytes(info.size)))
    return buffer.getvalue() + bytes(512 * chance.randrange(4))


def counted(content: bytes) -> list[tuple]:
    """What tarfile says of the same stream."""
    kinds = {tarfile.REGTYPE: "file", tarfile.DIRTYPE: "directory", tarfile.SYMTYPE: "symlink", tarfile.LNKTYPE: "link"}
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        return [
            (
                one.name.removeprefix("./").strip("/"), kinds.get(one.type, "other"), one.mode,
                one.size if one.isreg() else 0, one.linkname, int(one.mtime), one.uid,
            )
            for one in archive
        ]  # fmt: skip


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("seed", range(12))
def test_it_reads_what_tarfile_reads_however_it_is_compressed(kind, seed):
    content = made(seed, kind)
    packed = gzip.compress(content, mtime=0)
    # Several members, as eStargz and pigz write, with what some writers put between them.
    half = len(content) // 2
    members = gzip.compress(content[:half]) + bytes(7) + gzip.compress(content[half:])
    for one in (content, packed, members):
        facts = read(one, hashed=True)
        assert [entry[:7] for entry in facts.entries] == counted(content)
        assert facts.tar_bytes == len(content)
        assert facts.diff_id == f"sha256:{hashlib.sha256(content).hexdigest()}"
        assert facts.packed_bytes == len(one)
        assert facts.digest == f"sha256:{hashlib.sha256(one).hexdigest()}"
        assert facts.is_plain == (one is content)
        parts = sum(entry.tar_bytes for entry in facts.entries)
        assert 0 < len(content) - parts <= 10_240 + 512 * 4  # what is left is the end of the archive
        assert 0 <= len(one) - sum(entry.transfer_bytes for entry in facts.entries) <= 10_240 + 512 * 4


def test_what_a_file_takes_of_a_compressed_layer_is_what_it_takes():
    """A file of noise beside one of zeros: pieces are small enough to tell them apart."""
    noise = random.Random(1).randbytes(4_000_000)
    facts = read(gzip.compress(tar({"noise": noise, "zeros": bytes(40_000_000)})))
    found = {entry.path: entry.transfer_bytes for entry in facts.entries}
    assert found["noise"] == pytest.approx(4_000_000, rel=0.05)
    assert found["zeros"] < 400_000


def test_sparse_files_and_large_numbers(tmp_path):
    """As GNU tar writes them; the bytes of a sparse file are those that it shows."""
    (tmp_path / "f").write_bytes(b"")
    with (tmp_path / "f").open("r+b") as file:
        for place in range(0, 40_000_000, 1_000_000):
            file.seek(place)
            file.write(b"x")
        file.truncate(50_000_000)
    (tmp_path / "g").write_bytes(b"after")
    for way in ("gnu", "posix"):
        command = ["tar", "-C", tmp_path, f"--format={way}", "--sparse", "--numeric-owner", "-cf", "-", "f", "g"]
        content = subprocess.run(command, check=True, capture_output=True).stdout
        assert len(content) < 1_000_000
        sizes = {entry.path.rpartition("/")[2]: entry.size for entry in read(content).entries}
        assert sizes == {"f": 50_000_000, "g": 5}


def header(name: bytes = b"a", size: bytes = b"00000000000\0", flag: bytes = b"0") -> bytes:
    block = bytearray(tarfile.TarInfo("x").tobuf()[:512])
    block[:100], block[124:136], block[156:157] = name.ljust(100, b"\0"), size, flag
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


LARGE = b"\x80" + (2**40).to_bytes(11, "big")
CASES = {
    "nothing": (b"", "empty"),
    "no tar": (b"no tar at all" * 100, "checksum"),
    "a header cut short": (tar({"a": b"1"})[:200], "cut short"),
    "a file cut short": (tar({"a": b"1" * 5000})[:2000], "cut short"),
    "a gzip stream cut short": (gzip.compress(random.Random(1).randbytes(9000))[:4000], "checksum|cut short"),
    "a gzip stream with another checksum": (gzip.compress(tar({"a": b"1"}))[:-8] + bytes(8), "damaged"),
    "a gzip stream that is none": (b"\x1f\x8b" + b"x" * 1000, "damaged"),
    "a file of a terabyte": (header(size=LARGE), "cut short"),
    "a size below zero": (header(size=b"\xff" * 12), "below zero"),
    "a size that is no number": (header(size=b"zzzzzzzzzzz\0"), "no number"),
    "a long name without an end": (header(size=LARGE, flag=b"L"), "bytes long"),
    "a name that no system takes": (header(size=b"00000020000\0", flag=b"L") + b"x" * 8192 + header(), "8,192"),
    "a pax header that is none": (header(size=b"00000001000\0", flag=b"x") + b"x" * 512 + header(), "pax"),
    "a pax record that lies": (header(size=b"00000001000\0", flag=b"x") + b"999 a=b\n".ljust(512, b"\0"), "pax"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "why"), CASES.values(), ids=CASES)
def test_what_is_wrong_with_a_stream_is_one_message(content, why):
    with pytest.raises(Problem, match="The layer 000000000000 is damaged") as problem:
        read(content)
    assert re.search(why, problem.value.why), problem.value.why


def test_a_bomb_of_zeros_is_left_early_and_takes_no_memory(monkeypatch):
    monkeypatch.setattr(unpacking, "_HARMLESS", 50_000_000)
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    head = header(size=b"\x80" + (10**12).to_bytes(11, "big"))
    content = packer.compress(head) + b"".join(packer.compress(bytes(1 << 20)) for _ in range(200))
    with pytest.raises(Problem, match="damaged") as problem:
        read(content)
    assert "reading stopped there" in problem.value.why


def test_too_many_entries_are_told(monkeypatch):
    monkeypatch.setattr(layers, "_MOST_ENTRIES", 3)
    with pytest.raises(Problem) as problem:
        read(tar({str(number): b"" for number in range(5)}))
    assert "more than 3 entries" in problem.value.why


@pytest.mark.parametrize(
    ("name", "cleaned", "escapes"),
    [
        ("a/../b", "b", False), ("../../etc/passwd", "etc/passwd", True), ("/etc//x/./y", "etc/x/y", False),
        ("./", "", False), (".", "", False), ("a/..", "", False), ("/..", "", True), ("a./b", "a./b", False),
        ("..a/b..", "..a/b..", False),
    ],
)  # fmt: skip
def test_names_count_from_the_images_root(name, cleaned, escapes):
    facts = read(tar({name: b"1"}))
    assert [entry.path for entry in facts.entries] == ([cleaned] if cleaned else [])
    assert facts.escapes == escapes


def test_what_was_read_comes_back_from_the_cache_as_it_was(cache, tmp_path):
    content = tar({"a/b.pyc": bytes(range(40)), "usr/lib/x-1.dist-info/METADATA": b"Name: x\n", "empty": b""})
    path = tmp_path / ("0" * 64)
    path.write_bytes(content)
    first, again = layers.layer_facts(path), layers.layer_facts(path)
    assert first == again and isinstance(again.entries[0], Entry)
    assert first.documents == {"a/b.pyc": bytes(range(16)).hex(), "usr/lib/x-1.dist-info/METADATA": "Name: x\n"}


def test_zstd():
    """With a frame to be skipped before it, as zstd:chunked has one."""
    content = made(3, "pax")
    packed = subprocess.run(["zstd", "-q", "-c"], input=content, check=True, capture_output=True).stdout
    skippable = b"\x50\x2a\x4d\x18" + (5).to_bytes(4, "little") + b"12345"
    for one in (packed, skippable + packed):
        facts = read(one)
        assert (facts.tar_bytes, facts.packed_bytes) == (len(content), len(one))
    for one in (packed[: len(packed) // 2], packed[:20] + b"xxxx" + packed[24:]):
        with pytest.raises(Problem, match="damaged"):
            read(one)


def library(symbols: int, *, width: int = 64) -> bytes:
    """An ELF file with a section that is loaded, one of symbols, and one that takes no place in it."""
    sections = [(1, 2, 300), (2, 0, symbols), (8, 0, 10**9)]
    table = b"".join(struct.pack("<IIQQQQ24x", 0, kind, flags, 0, 0, size) for kind, flags, size in sections)
    body = bytes(300 + symbols)
    header = b"\x7fELF\x02\x01".ljust(40, b"\0") + struct.pack("<Q10xHH2x", 64 + len(body), width, len(sections))
    return header + body + table


def test_of_pythons_own_libraries_it_is_kept_how_much_are_symbols():
    path = "usr/local/lib/python3.14/lib-dynload/_a.cpython-314-x86_64-linux-gnu.so"
    files = {
        "usr/local/lib/libpython3.14.so.1.0": library(5000), path: library(0), "usr/lib/libc.so.6": library(9),
        "usr/local/lib/libpython3.so": b"\x7fELF", f"{path}.1": library(7, width=8), f"{path}.2": library(7)[:-9],
    }  # fmt: skip
    found = read(gzip.compress(tar(files))).documents
    assert found == {
        "usr/local/lib/libpython3.14.so.1.0": "5000", path: "0", "usr/local/lib/libpython3.so": "0", f"{path}.1": "0",
        f"{path}.2": "0",
    }  # fmt: skip
