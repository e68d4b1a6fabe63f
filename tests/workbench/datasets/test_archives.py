"""Archives: published sums and links, unpacking of good, damaged and hostile ones, and the layout that comes out."""

import gzip
import hashlib
import io
import os
import stat
import sys
import tarfile
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from afkit.recipes import recipe
from afkit.workbench.datasets import archives
from afkit.workbench.datasets.archives import ARCHIVES, Archive, arrange, check_md5, download, move_in, unpack

SHARED = Path(os.environ.get("AFKIT_SHARED") or Path(__file__).parents[4] / "shared")
FORMATS = ["zip", "tar", "tar.gz", "tar.xz"]
GOOD = {"thumos/annotations/thumos14.json": b"{}", "thumos/i3d_features/a.npy": b"a" * 3000, "thumos/empty.txt": b""}


def tar_entry(name, data=b"", kind=tarfile.REGTYPE, **attributes):
    entry = tarfile.TarInfo(name)
    entry.size, entry.type = len(data), kind
    for attribute, value in attributes.items():
        setattr(entry, attribute, value)
    return entry, data


def write_tar(path, *entries, form=tarfile.PAX_FORMAT):
    mode = {".gz": "w:gz", ".xz": "w:xz"}.get(path.suffix, "w")
    with tarfile.open(path, mode, format=form) as packed:
        for entry, data in entries:
            packed.addfile(entry, io.BytesIO(data))
    return path


def write_zip(path, *entries):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in entries:
            packed.writestr(name, data)
    return path


def write_archive(path, files):
    """An archive of the format that the name says, of {name: data}."""
    if path.suffix == ".zip":
        return write_zip(path, *files.items())
    return write_tar(path, *(tar_entry(name, data) for name, data in files.items()))


def listing(folder):
    return sorted(
        (path.relative_to(folder).as_posix(), path.is_file() and path.read_bytes()) for path in folder.rglob("*")
    )


def refused(archive, match=None, **limits):
    """The message with which an archive is refused; nothing may have changed on disk, not even outside."""
    before = listing(archive.parent)
    with pytest.raises(ValueError, match=match) as error:
        unpack(archive, archive.parent / "data" / "out", **limits)
    assert listing(archive.parent) == before
    assert str(archive) in str(error.value)
    return str(error.value)


# --- good archives


@pytest.mark.parametrize("ending", FORMATS)
def test_unpacks_by_content(tmp_path, ending):
    archive = write_archive(tmp_path / f"a.{ending}", GOOD).rename(tmp_path / "download")
    folder = unpack(archive, tmp_path / "new" / "out")
    assert folder == tmp_path / "new" / "out"
    assert {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    } == GOOD
    assert [path.name for path in folder.parent.iterdir()] == ["out"]


def test_folders_and_dots_in_names(tmp_path):
    folders = [tar_entry(name, kind=tarfile.DIRTYPE, mode=0) for name in ("./", "./deep//folder")]
    archive = write_tar(tmp_path / "a.tar", *folders, tar_entry("deep/./folder/file..txt", b"x", mode=0o7777))
    file = unpack(archive, tmp_path / "out") / "deep/folder/file..txt"
    assert file.read_bytes() == b"x" and not file.stat().st_mode & (stat.S_ISUID | stat.S_ISGID)


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_names_in_all_forms_of_tar(tmp_path, form):
    name = "/".join(["f" * 90, "g" * 60, "file.npy"])
    archive = write_tar(tmp_path / "a.tar.gz", tar_entry(name, b"1"), tar_entry("b", b"2"), form=form)
    assert (unpack(archive, tmp_path / "out") / name).read_bytes() == b"1"


def test_an_existing_destination_stays(tmp_path):
    archive = write_archive(tmp_path / "a.zip", GOOD)
    (tmp_path / "data" / "out").mkdir(parents=True)
    with pytest.raises(ValueError, match="exists; remove or rename it"):
        unpack(archive, tmp_path / "data" / "out")
    assert list((tmp_path / "data" / "out").iterdir()) == []


# --- hostile archives


@pytest.mark.parametrize("ending", ["zip", "tar.gz"])
@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("/absolute", "leads out"),
        ("../above", "leads out"),
        ("a/../../above", "leads out"),
        ("a/..", "leads out"),
        ("C:/windows", "leads out"),
        ("c:relative", "leads out"),
        ("..\\above", "leads out"),
        ("line\nbreak", "cannot be shown"),
        ("\x1b[31mred", "cannot be shown"),
        ("txt\u202eexe", "cannot be shown"),
        ("f" * 256, "too long"),
        ("f/" * 600, "too long"),
        (".", "names no file"),
    ],
)
def test_names_that_are_refused(tmp_path, ending, name, match):
    archive = write_archive(tmp_path / f"a.{ending}", {"first": b"1", name.rstrip("/"): b"x"})
    refused(archive, match)


@pytest.mark.parametrize(
    ("place", "value", "match"),
    [
        (1, b"\xff", "cannot be shown"),  # a name that is no text
        (124, b"\xff" * 10 + b"\xfc\x00", "a.tar"),  # a size of -1024 in base 256
    ],
)
def test_a_header_of_a_tar_that_no_program_writes(tmp_path, place, value, match):
    entries = tar_entry("aXb", b"x" * 600), tar_entry("b", b"y")
    archive = write_tar(tmp_path / "a.tar", *entries, form=tarfile.GNU_FORMAT)
    data = bytearray(archive.read_bytes())
    data[place : place + len(value)] = value
    data[148:156] = b"%06o\0 " % (sum(data[:148]) + 8 * 32 + sum(data[156:512]))  # the header's check sum
    archive.write_bytes(data)
    refused(archive, match)


def test_a_name_with_a_null_byte_and_headers_without_end(tmp_path):
    archive = write_zip(tmp_path / "a.zip", ("aXb", b"x"))
    archive.write_bytes(archive.read_bytes().replace(b"aXb", b"a\0b"))
    refused(archive)
    long_name, _ = tar_entry("././@LongLink", b"x" * 10, kind=tarfile.GNUTYPE_LONGNAME)
    archive.write_bytes((long_name.tobuf(tarfile.GNU_FORMAT) + b"x" * 10 + bytes(502)) * 5000)
    refused(archive)


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO, stat.S_IFSOCK])
def test_links_and_devices_in_a_zip(tmp_path, kind):
    entry = zipfile.ZipInfo("second")
    entry.create_system, entry.external_attr = 3, (kind | 0o644) << 16
    refused(write_zip(tmp_path / "a.zip", ("first", b"1"), (entry, b"/etc/passwd")), "'second' is a link, a device")


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("ending", ["zip", "tar.xz"])
@pytest.mark.parametrize("second", ["a", "./a", "a/b", "a/b/c"])
def test_a_member_in_the_place_of_another(tmp_path, ending, second):
    names = ["a", second]
    path = tmp_path / f"x.{ending}"
    if ending == "zip":
        write_zip(path, *((name, b"x") for name in names))
    else:
        write_tar(path, *(tar_entry(name, b"x") for name in names))
    refused(path, "in the place of an earlier one")


def test_an_encrypted_zip(tmp_path):
    archive = write_zip(tmp_path / "a.zip", ("a", b"x"))
    data = bytearray(archive.read_bytes())
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(data)
    refused(archive, "encrypted")


@pytest.mark.parametrize("ending", FORMATS)
def test_limits(tmp_path, ending):
    archive = write_archive(tmp_path / f"a.{ending}", GOOD)
    refused(archive, "more than 2 members", max_members=2)
    refused(archive, r"more than 2,000 bytes", max_bytes=2000)
    unpack(archive, tmp_path / "fits", max_members=3, max_bytes=20_000)


@pytest.mark.parametrize("ending", ["zip", "tar.gz", "tar.xz"])
def test_bombs(tmp_path, ending, monkeypatch):
    monkeypatch.setattr(archives, "SMALL_BYTES", 10**6)
    archive = write_archive(tmp_path / f"a.{ending}", {"zeros": bytes(5 * 10**6)})
    refused(archive, "max_ratio")
    monkeypatch.setattr(archives, "MAX_RATIO", 10**5)
    unpack(archive, tmp_path / "fits")


def test_a_bomb_in_a_header(tmp_path):
    entry, data = tar_entry("a", b"x")
    entry.pax_headers = {"comment": "x" * (3 * archives.HEADER_BYTES)}
    refused(write_tar(tmp_path / "a.tar.gz", tar_entry("first", b"1"), (entry, data)), "header is longer")


# --- damaged archives


@pytest.mark.parametrize("ending", ["zip", "tar.gz", "tar.xz"])
def test_truncated_anywhere(tmp_path, ending):
    whole = write_archive(tmp_path / f"a.{ending}", GOOD | {"noise": os.urandom(2000)}).read_bytes()
    for length in [*range(0, len(whole), 97), len(whole) - 1]:
        (tmp_path / f"a.{ending}").write_bytes(whole[:length])
        refused(tmp_path / f"a.{ending}", "truncated, damaged or no zip")


@pytest.mark.parametrize("data", [b"", b"<html>quota exceeded</html>" * 100, b"PK\x03\x04", b"\x1f\x8b"])
def test_no_archive(tmp_path, data):
    (tmp_path / "a.tar.gz").write_bytes(data)
    assert "download it again" in refused(tmp_path / "a.tar.gz")


def test_a_wrong_check_sum_at_the_very_end(tmp_path):
    whole = write_archive(tmp_path / "a.tar", GOOD).read_bytes() + bytes(10 * archives.CHUNK_BYTES)
    packed = bytearray(gzip.compress(whole))
    packed[-8] ^= 1
    (tmp_path / "a.tar.gz").write_bytes(packed)
    refused(tmp_path / "a.tar.gz", "CRC check failed")


def test_nothing_to_unpack(tmp_path):
    for name in ("a.zip", "a.tar"):
        refused(write_archive(tmp_path / name, {}), "holds nothing")
    (tmp_path / "b.tar.gz").mkdir()
    for name in ("a.tar.gz", "b.tar.gz"):
        refused(tmp_path / name, "is no file")


# --- sums and downloads


def test_md5(tmp_path):
    path = tmp_path / "a.tar.gz"
    path.write_bytes(b"abc")
    check_md5(path, "900150983CD24FB0D6963F7D28E17F72")
    with pytest.raises(
        ValueError, match=f"{path} has the MD5 sum 900150983cd24fb0d6963f7d28e17f72, .*{'0' * 32}.*again"
    ):
        check_md5(path, "0" * 32)
    with pytest.raises(ValueError, match=r"b\.tar\.gz cannot be read"):
        check_md5(tmp_path / "b.tar.gz", "0" * 32)


ARCHIVE = Archive("a.tar.gz", hashlib.md5(b"abc").hexdigest(), "id1234")


def stub_gdown(monkeypatch, function):
    monkeypatch.setitem(sys.modules, "gdown", SimpleNamespace(download=function))


def test_a_download_or_a_local_file_whose_sum_is_compared(tmp_path, monkeypatch):
    asked, path = [], tmp_path / "downloads" / "a.tar.gz"
    stub_gdown(monkeypatch, lambda **options: (asked.append(options), Path(options["output"]).write_bytes(b"abc")))
    assert download(ARCHIVE, path) == path
    assert asked == [{"id": "id1234", "output": str(path), "resume": True}]
    monkeypatch.setitem(sys.modules, "gdown", None)
    assert download(ARCHIVE, path) == path, "a local file needs no gdown"
    path.write_bytes(b"ab")
    with pytest.raises(ValueError, match="truncated or another version"):
        download(ARCHIVE, path)
    assert path.read_bytes() == b"ab"


def quota(**_):
    raise RuntimeError("Too many users\n have viewed the file")


@pytest.mark.parametrize(
    ("function", "match"),
    [
        (None, r"downloading needs gdown \(pip install gdown\)"),
        (quota, r"could not be downloaded \(Too many users have viewed the file\)"),
        (lambda **_: None, "could not be downloaded; try again"),
    ],
)
def test_a_failed_download_says_how_to_do_it_by_hand(tmp_path, monkeypatch, function, match):
    monkeypatch.setitem(sys.modules, "gdown", function and SimpleNamespace(download=function))
    path = tmp_path / "a.tar.gz"
    with pytest.raises(ValueError, match=match) as error:
        download(ARCHIVE, path)
    assert all(part in str(error.value) for part in ["drive.google.com/file/d/id1234", ARCHIVE.md5, str(path)])


def test_the_table_repeats_the_published_facts():
    readme = SHARED / "reference" / "original-readme.md"
    if not readme.is_file():
        pytest.skip(f"{readme} does not exist; set AFKIT_SHARED")
    lines = readme.read_text().splitlines()
    for archive in ARCHIVES.values():
        line = next(line for line in lines if f"*{archive.name}*" in line)
        assert archive.md5 in line
        assert f"{archive.url}?" in line


# --- layout


def tree_of(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


@pytest.mark.parametrize("above", ["", "thumos/", "some/where/THUMOS14/"])
def test_arrange_finds_the_data_set(tmp_path, above):
    names = ["annotations/thumos14.json", "i3d_features/a.npy", "README.md"]
    tree = tree_of(tmp_path / "tree", *(above + name for name in names))
    folder = arrange(tree, recipe("thumos_i3d").data, tmp_path / "data")
    assert folder == tmp_path / "data" / "thumos"
    assert (folder / "i3d_features/a.npy").read_text() == f"{above}i3d_features/a.npy"
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "annotations", "i3d_features"]


def test_arrange_adds_a_second_archive(tmp_path):
    tsp, i3d = recipe("anet_tsp").data, recipe("anet_i3d").data
    root = tree_of(tmp_path, "one/anet_1.3/annotations/anet1.3_tsp_filtered.json", "one/anet_1.3/tsp_features/v_a.npy")
    arrange(root / "one", tsp, tmp_path / "data")
    (tmp_path / "data/anet_1.3/annotations/anet1.3_tsp_filtered.json").write_text("mine")
    names = ["anet1.3_tsp_filtered.json", "anet1.3_i3d_filtered.json"]
    tree_of(tmp_path, *(f"two/anet_1.3/annotations/{name}" for name in names), "two/anet_1.3/i3d_features/v_a.npy")
    folder = arrange(root / "two", i3d, tmp_path / "data")
    assert sorted(path.name for path in folder.iterdir()) == ["annotations", "i3d_features", "tsp_features"]
    assert (folder / "annotations/anet1.3_tsp_filtered.json").read_text() == "mine"
    assert (folder / "annotations/anet1.3_i3d_filtered.json").is_file()


def test_what_is_moved_in_is_missing_until_the_annotations_come(tmp_path, monkeypatch):
    names = ["annotations/a.json", "annotations/people.json", "features/1.npy", "more/1.npy", "prepared.json"]
    tree_of(tmp_path / "new", *names)
    tree_of(tmp_path / "old", "annotations/a.json", "annotations/mine.json", "features/1.npy", "features/2.npy")
    (tmp_path / "old/annotations/a.json").write_text("old")
    moved, real = [], Path.replace

    def note(source, target):
        assert not (tmp_path / "old/annotations/a.json").exists(), "until all else is there"
        moved.append(source.relative_to(tmp_path / "new").as_posix())
        return real(source, target)

    monkeypatch.setattr(Path, "replace", note)
    move_in(tmp_path / "new", tmp_path / "old", last=Path("annotations/a.json"))
    assert moved == ["features/1.npy", "more", "prepared.json", "annotations/people.json", "annotations/a.json"]
    wanted = tree_of(tmp_path / "wanted", *names, "annotations/mine.json", "features/2.npy")
    assert listing(tmp_path / "old") == listing(wanted)


@pytest.mark.parametrize(
    ("names", "annotations", "message"),
    [
        (["epic/a.json", "epic/f/b.npz"], "", r"lacks annotations/thumos14\.json or i3d_features .* epic/f;"),
        (["thumos/a.json", "thumos/f/b.npy"], "../thumos/a.json", "must name a folder below the data root"),
        (["thumos/a.json", "thumos/f/b.npy"], "../../thumos/a.json", "must name a folder below the data root"),
        (["thumos/a.json", "thumos/f/b.npy"], "/thumos/a.json", "must name a folder below the data root"),
        (["../data/thumos/TWIN.md"], "", r"holds generated data \(TWIN\.md\); remove it"),
    ],
)
def test_arrange_refuses_what_does_not_belong_there(tmp_path, names, annotations, message):
    tree_of(tmp_path / "tree", *names)
    config = recipe("thumos_i3d").data
    config = config.model_copy(update={"annotations": annotations or config.annotations})
    before = listing(tmp_path)
    with pytest.raises(ValueError, match=message):
        arrange(tmp_path / "tree", config, tmp_path / "data")
    assert listing(tmp_path) == before


def test_arrange_takes_features_alone_where_the_annotations_are_there(tmp_path):
    tree_of(tmp_path, "data/thumos/annotations/thumos14.json", "tree/i3d_features/a.npy", "again/other")
    folder = arrange(tmp_path / "tree", recipe("thumos_i3d").data, tmp_path / "data")
    assert (folder / "i3d_features/a.npy").is_file()
    assert arrange(tmp_path / "again", recipe("thumos_i3d").data, tmp_path / "data") == folder  # nothing is missing
    assert (tmp_path / "again" / "other").is_file()
