"""Archives that are hostile in ways that tests/workbench/datasets/test_archives.py does not try."""

import io
import tarfile

import pytest

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


def test_a_bomb_takes_little_memory_and_time(tmp_path, refuse):
    path = tmp_path / "a.tar.gz"
    info = entry("zeros")
    info.size = 2**28
    with tarfile.open(path, "w:gz") as packed, open("/dev/zero", "rb") as zeros:  # noqa: PTH123
        packed.addfile(info, zeros)
    refuse(path, "max_ratio")
