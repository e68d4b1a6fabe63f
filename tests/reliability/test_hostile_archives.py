"""Archives that are hostile in ways that tests/workbench/datasets/test_archives.py does not try."""

import io
import lzma
import struct
import tarfile
import zipfile
import zlib

import pytest
from hostile import in_child

from afkit.workbench.datasets.archives import unpack


@pytest.fixture
def refuse(refused):
    """refuse(path, match): the archive is refused, says why, and leaves nothing beside it."""
    return lambda path, match, **limits: refused(
        "archives", lambda path: unpack(path, path.parent / "out", **limits), path, match
    )


def write_tar(path, *infos, mode="w"):
    with tarfile.open(path, mode, format=tarfile.GNU_FORMAT) as packed:
        for info in infos:
            packed.addfile(info, io.BytesIO(bytes(info.size)))


def entry(name, kind=tarfile.REGTYPE, **attributes):
    info = tarfile.TarInfo(name)
    info.type = kind
    for attribute, value in attributes.items():
        setattr(info, attribute, value)
    return info


@pytest.mark.parametrize("kind", [tarfile.LNKTYPE, tarfile.SYMTYPE])
def test_a_link_to_outside_and_a_file_through_it(tmp_path, kind, refuse):
    path = tmp_path / "a.tar"
    write_tar(path, entry("d", kind, linkname="../.."), entry("d/evil", size=3))
    refuse(path, "'d' is a link")


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_device_nodes_and_pipes(tmp_path, kind, refuse):
    path = tmp_path / "a.tar"
    write_tar(path, entry("null", kind, devmajor=1, devminor=3))
    refuse(path, "'null' is a link, a device")


def test_a_sparse_file_of_a_terabyte(tmp_path, refuse):
    path = tmp_path / "a.tar"
    header = bytearray(entry("big", tarfile.GNUTYPE_SPARSE).tobuf(tarfile.GNU_FORMAT))
    header[386:398] = b"%011o\x00" % 0  # the one piece: at 0, 0 bytes
    header[483:495] = b"%011o\x00" % (2**33 - 1)  # real size
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\x00 " % sum(header[:512])
    path.write_bytes(bytes(header) + bytes(1024))
    refuse(path, "'big' is a link, a device or another special file")


@pytest.mark.parametrize("ending", ["zip", "tar"])
def test_names_that_differ_in_case_are_two_files(tmp_path, ending, hostile):
    path = tmp_path / f"a.{ending}"
    if ending == "zip":
        with zipfile.ZipFile(path, "w") as packed:
            packed.writestr("d/A", b"1"), packed.writestr("D/a", b"22")
    else:
        write_tar(path, entry("d/A", size=1), entry("D/a", size=2))
    folder = unpack(path, tmp_path / "out")
    sizes = {file.relative_to(folder).as_posix(): file.stat().st_size for file in folder.rglob("*") if file.is_file()}
    assert sizes == {"d/A": 1, "D/a": 2}
    hostile("archives", refused=0)


@pytest.mark.parametrize("said", [200_000 % 65536, 1])
def test_two_hundred_thousand_members_are_refused_by_their_number(tmp_path, said, refuse):
    """A list of them would take a hundred megabytes; the zip may lie about how many there are."""
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("a", b"")
    data = path.read_bytes()
    start, end = data.index(b"PK\x01\x02"), data.index(b"PK\x05\x06")
    table = 200_000 * data[start:end]
    path.write_bytes(
        data[:start] + table + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, said, said, len(table), start, 0)
    )
    refuse(path, "lists more than 100000 members")


@pytest.mark.parametrize("field", [20, 24])  # of the table of contents: packed and unpacked size
def test_a_zip64_that_claims_other_sizes(tmp_path, field, hostile):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("a", b"x" * 5000)
    data = bytearray(path.read_bytes())
    place = data.index(b"PK\x01\x02")
    end = data.index(b"PK\x05\x06")
    extra = struct.pack("<HHQ", 1, 8, 2**40)  # zip64: the size that is written as -1
    data[place + field : place + field + 4] = b"\xff" * 4
    data[place + 30 : place + 32] = struct.pack("<H", len(extra))
    data[place + 46 + 1 : place + 46 + 1] = extra
    end += len(extra)
    data[end + 12 : end + 16] = struct.pack("<I", end - place)
    path.write_bytes(data)
    refused = 0
    try:  # newer versions of Python see the lie; for the others, the claim reserves nothing
        assert (unpack(path, tmp_path / "out") / "a").read_bytes() == b"x" * 5000
    except ValueError as error:
        assert "Overlapped entries" in str(error)
        refused = 1
    hostile("archives", refused)


def test_a_zip_that_claims_to_hold_less_than_it_does(tmp_path, refuse):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("a", b"x" * 5000)
    data = bytearray(path.read_bytes())
    place = data.index(b"PK\x01\x02") + 24
    data[place : place + 4] = struct.pack("<I", 10)
    path.write_bytes(data)
    refuse(path, "Bad CRC")


def test_an_xz_with_a_huge_dictionary_takes_little_memory(tmp_path, hostile):
    """Its only block asks for a dictionary of 4 GiB: what is not filled takes none."""
    path = tmp_path / "a.tar.xz"
    write_tar(tmp_path / "a.tar", entry("a", size=100_000))
    packed = bytearray(lzma.compress((tmp_path / "a.tar").read_bytes(), preset=0))
    length = 4 * packed[12] + 4  # of the block's header
    assert packed[14:16] == b"\x21\x01"
    packed[16] = 40
    packed[12 + length - 4 : 12 + length] = struct.pack("<I", zlib.crc32(packed[12 : 12 + length - 4]))
    path.write_bytes(packed)
    ended = in_child(lambda: (unpack(path, tmp_path / "out") / "a").stat().st_size, memory_mb=6000)
    assert ended.end == "done" and ended.said == 100_000 and ended.memory_mb < 50, ended
    hostile("archives", refused=0)


def test_a_bomb_takes_little_memory_and_time(tmp_path, refuse):
    path = tmp_path / "a.tar.gz"
    info = entry("zeros")
    info.size = 2**28
    with tarfile.open(path, "w:gz") as packed, open("/dev/zero", "rb") as zeros:  # noqa: PTH123
        packed.addfile(info, zeros)
    refuse(path, "max_ratio")
