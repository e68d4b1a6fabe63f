"""Features of new films and sounds, made as those of a run's training."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from afkit.config import Recipe
from afkit.data.features import locate
from afkit.workbench.media import films, sounds
from afkit.workbench.media.backbones import is_function, load_backbone
from afkit.workbench.media.frames import Facts
from afkit.workbench.media.opened import FILMS, SOUNDS
from afkit.workbench.media.writing import read_written
from afkit.workbench.own_data.signal_files import NO_SPANS, SignalReader


def has_media(places: Sequence[str | Path]) -> bool:
    """Whether films or sounds are among some files, or in some folders."""
    for place in map(Path, places):
        paths = place.iterdir() if place.is_dir() else [place]
        if any(path.suffix.lower() in (*FILMS, *SOUNDS) for path in paths):
            return True
    return False


def media_reader(
    recipe: Recipe, data_root: str | Path, fps: float, backbone: str = "", say: Callable[[str], None] = print
) -> SignalReader:
    """How to make features of new films or sounds for a recipe, whose features have a film.json or sound.json.

    `fps` is the frame rate that the run counts in; a `backbone` that is a function of somebody's own is called only if
    it is named here, since the files may come from a stranger; `say` receives what is unusual about a recording.
    ValueError where nothing says how features are made, or it contradicts the recipe, or the backbone is not that of
    the training.
    """
    config = recipe.data
    folder = locate(data_root, config.features[0])
    known = [folder / name for name in (films.SETTINGS, sounds.SETTINGS) if (folder / name).is_file()]
    if len(known) != 1 or len(config.features) > 1:
        seen = "there are several feature folders" if len(config.features) > 1 else "one of them must be there"
        raise ValueError(
            f"how the features of recipe '{recipe.name}' were made of films or sound stands in {films.SETTINGS} or "
            f"{sounds.SETTINGS} in {folder}, and {seen}; give features of the new recordings, made in the same way"
        )
    kinds = films.KINDS if known[0].name == films.SETTINGS else sounds.KINDS
    settings = {name: value for name, value in read_written(known[0], kinds).items() if name != "recordings"}
    here = settings["width"], settings["stride_frames"], settings["num_frames"], round(settings["fps"], 3)
    there = sum(config.input_dims), config.stride_frames, config.num_frames, round(fps, 3)
    if here != there:
        raise ValueError(
            f"{known[0]} is of features with {here[0]} numbers, a stride of {here[1]}, clips of {here[2]} frames and "
            f"{here[3]:g} frames per second, the run of {there[0]}, {there[1]:g}, {there[2]:g} and {there[3]:g}; "
            "give features"
        )
    if known[0].name == sounds.SETTINGS:
        vectors = partial(sounds.sound_vectors, settings=settings)
        return SignalReader(1, partial(_read, vectors, say, rate_hz=settings["rate_hz"]), settings, (*SOUNDS, *FILMS))
    if is_function(settings["backbone"]) and settings["backbone"] != backbone:
        raise ValueError(
            f"{known[0]} says that the function {settings['backbone']} made the features; if you trust it, name it: "
            f"--backbone {settings['backbone']}"
        )
    network = load_backbone(settings["backbone"], settings["num_frames"])
    if network.weights != settings["weights"]:
        raise ValueError(
            f"the backbone {network.name} has other weights than when {known[0]} was written; restore them"
        )
    vectors = partial(films.film_vectors, backbone=network, settings=settings)
    return SignalReader(1, partial(_read, vectors, say), settings, FILMS)


def _read(
    vectors: Callable[[Path, Facts], Iterator[np.ndarray]],
    say: Callable[[str], None],
    paths: Sequence[Path],
    rate_hz: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """(T, C) float32 of one recording, and no spans."""
    facts = Facts()
    try:
        blocks = list(vectors(paths[0], facts))
    except ValueError as error:
        raise error if str(paths[0]) in str(error) else ValueError(f"{paths[0]}: {error}") from None
    if not blocks:
        raise ValueError(f"{paths[0]} is too short for a vector")
    for note in facts.notes:
        say(note)
    if 0 < (own_hz := facts.rate_hz) < rate_hz:
        nothing = f"nothing above {own_hz / 2:g} Hz, up to {rate_hz / 2:g} of which features look"
        say(f"{paths[0].name} has {own_hz} samples a second, so {nothing}: predict sounds like those of the training")
    return np.concatenate(blocks), NO_SPANS
