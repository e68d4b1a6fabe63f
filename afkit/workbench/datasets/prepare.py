"""From an archive, official files or raw recordings to a data set's layout below the data root."""

from collections.abc import Callable
from pathlib import Path

from afkit.config import DataConfig, Recipe
from afkit.data.features import locate
from afkit.recipes import recipe as built_in
from afkit.workbench.datasets.archives import ARCHIVES, arrange, check_md5, download, stale, unpack
from afkit.workbench.datasets.ego4d import convert_ego4d
from afkit.workbench.datasets.grouped import original_of, write_grouped
from afkit.workbench.datasets.hapt import SOURCE as HAPT_SOURCE
from afkit.workbench.datasets.hapt import add_people, write_hapt
from afkit.workbench.datasets.watch import write_watch
from afkit.workbench.scratch import clear_scratch, scratch_folder


def missing_parts(config: DataConfig, data_root: str | Path) -> list[Path]:
    """The annotation file and feature folders (`*`: the one around them) of a data set that are not there.

    An annotation file by groups that can be made counts as there.
    """
    paths = [path.removesuffix("/*") for path in [config.annotations, *config.features]]
    parts = [locate(data_root, path) for path in (paths[1:] if original_of(config, data_root) else paths)]
    return [part for part in parts if not part.exists()]


def can_prepare(recipe: Recipe, data_root: str | Path, source: str = "", fetch: bool = False) -> bool:
    """Whether `prepare` has what it needs, as far as can be told without reading it."""
    archive = ARCHIVES.get(_data_set(recipe))
    found = archive is not None and (fetch or (Path(data_root) / archive.name).is_file())
    return not missing_parts(recipe.data, data_root) or bool(source) or _data_set(recipe) == "watch" or found


def prepare(
    recipe: Recipe, data_root: str | Path, source: str = "", fetch: bool = False, say: Callable[[str], None] = print
) -> None:
    """Bring a data set into the layout that its recipe names; what is there stays as it is.

    It appears when it is complete. Another process that prepares the same one is waited for. `source` is the published
    archive (of HAPT, the repository's zip), or the folder of Ego4D's official files; "" to look for the archive in the
    data root, and with `fetch` to download it (tens of gigabytes).
    """
    _prepare(recipe, data_root, source, fetch, say)
    write_grouped(recipe.data, data_root)


def _prepare(recipe: Recipe, data_root: str | Path, source: str, fetch: bool, say: Callable[[str], None]) -> None:
    data_set = _data_set(recipe)
    is_ego4d = data_set.startswith("ego4d")
    if is_ego4d and source:  # read although all may be there, so that an interrupted conversion goes on
        features = [Path(folder).name for folder in recipe.data.features]
        report = convert_ego4d(source, data_root, features, say=say)
        say(", ".join(f"{key}: {value}" for key, value in report.items() if not isinstance(value, list)))
        if report["missing"]:
            say(f"{len(report['missing'])} feature tensors are missing, e.g. {report['missing'][0]}")
        return
    if data_set == "hapt":
        add_people(data_root)
    missing = missing_parts(recipe.data, data_root)
    folder = Path(data_root) / Path(recipe.data.annotations).parts[0]
    if not missing:
        clear_scratch(folder)
        if old := stale(folder, data_set):
            say(old)
        return
    if data_set == "watch":
        write_watch(data_root, say)
    elif data_set == "hapt":
        if not source:
            remedy = f"download the archive from {HAPT_SOURCE} and run: python -m afkit prepare hapt ARCHIVE"
            raise ValueError(f"{missing[0]} does not exist; {remedy}")
        write_hapt(source, data_root, say)
    elif data_set in ARCHIVES:
        _from_archive(recipe, Path(data_root), source, fetch, say)
    else:
        hint = f"; convert the official files with: python -m afkit prepare {data_set} FOLDER" if is_ego4d else ""
        raise ValueError(f"{missing[0]} does not exist; put the data set of '{recipe.name}' there{hint}")


def _data_set(recipe: Recipe) -> str:
    """The built-in recipe whose data a recipe uses, which several networks share; its own name where there is none."""
    name = recipe.base or recipe.name
    wanted = recipe.data.annotations, recipe.data.features
    shared = {other: built_in(other).data for other in ARCHIVES if name not in ARCHIVES}
    return next((other for other, data in shared.items() if (data.annotations, data.features) == wanted), name)


def _from_archive(recipe: Recipe, data_root: Path, source: str, fetch: bool, say: Callable[[str], None]) -> None:
    """Find or fetch the published archive, check it, unpack it, and move the data set into place."""
    archive = ARCHIVES[_data_set(recipe)]
    path = Path(source) if source else data_root / archive.name
    fetch = fetch and not source
    if not fetch and not path.is_file():
        raise ValueError(
            f"the data of '{recipe.name}' is not below the data root and there is no {path}; download {archive.name} "
            f"(md5 {archive.md5}) from {archive.url} and put it there, or run: python -m afkit prepare "
            f"{_data_set(recipe)} --download"
        )
    with scratch_folder(data_root / Path(recipe.data.annotations).parts[0], say) as scratch:
        if not missing_parts(recipe.data, data_root):
            return
        if fetch:
            download(archive, path)  # checks its sum, too
        else:
            say(f"checking {path.name}")
            check_md5(path, archive.md5)
        say(f"unpacking {path.name}")
        unpack(path, scratch / "tree")
        arrange(scratch / "tree", recipe.data, data_root)
