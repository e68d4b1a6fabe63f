"""Items: one video's features on the grid with its actions; in training a random crop of it."""

import random
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from afkit.config import DataConfig
from afkit.data.annotations import Video, frames_per_second, read_annotations
from afkit.data.features import RawFeatures, has_features, locate, open_features, too_many_missing
from afkit.segments import keep_distinct, sec_to_grid

CROP_TRIES = 200


class Item(NamedTuple):
    """One video, or a crop of it."""

    video: str  # its id
    features: "Tensor | GridFeatures"  # (C, T) float32
    segments: Tensor | None  # (N, 2) float32 on the grid of these features; None: the video has no annotation
    labels: Tensor | None  # (N,) int64
    fps: float  # frames per second of the recording
    duration: float | None  # seconds; None where the annotation file has none
    stride: float  # frames between two feature vectors
    num_frames: float  # frames that one vector covers
    ignored: Tensor | None = None  # (R, 2) float32 on the grid: where points learn nothing; None: nowhere


class GridFeatures:
    """A video's features on the grid that the network sees, thinned or resized; read when they are sliced.

    It stands in for a (C, T) tensor: `features[:, start:stop]` is that part as a float32 tensor. `stride` and
    `num_frames` are in frames, of this grid. Features of fixed length (`stride_frames <= 0`) need the duration.
    """

    def __init__(self, raw: RawFeatures, config: DataConfig, fps: float, duration_sec: float | None):
        covered_frames = (len(raw) - 1) * config.stride_frames + config.num_frames
        if config.stride_frames <= 0:
            if duration_sec is None:
                raise ValueError(
                    f"video '{raw.video}' has no 'duration' in the annotation file, and features of fixed length "
                    f"(data.stride_frames {config.stride_frames:g}) do not tell it; add it"
                )
            covered_frames = duration_sec * fps
        spread = config.resize or config.stride_frames <= 0
        self.raw, self.resize, self.every = raw, config.resize, 1 if spread else config.downsample
        self.shape = (raw.width, config.max_seq_len if config.resize else -(-len(raw) // self.every))
        self.stride, self.num_frames = config.stride_frames * self.every, config.num_frames
        if spread:
            self.stride = self.num_frames = covered_frames / self.shape[1]

    def __getitem__(self, key: tuple[slice, slice]) -> Tensor:
        channels, (start, stop, _) = key[0], key[1].indices(self.shape[1])
        if self.resize and self.shape[1] != len(self.raw):
            whole = torch.from_numpy(np.ascontiguousarray(self.raw.rows().T))  # (C, T on disk)
            whole = F.interpolate(whole[None], size=self.shape[1], mode="linear", align_corners=False)[0]
            return whole[channels, start:stop]
        rows = self.raw.rows(start * self.every, stop * self.every, self.every)  # (T, C)
        return torch.from_numpy(rows).T[channels]


def read_finite(item: Item, start: int = 0, stop: int | None = None) -> Tensor:
    """Steps of a recording, (C, T) float32; a ValueError names file and step where one is not finite."""
    features = item.features[:, start:stop]
    finite = torch.isfinite(features).all(dim=0)
    if not finite.all():
        name, step = f"features of '{item.video}'", start + int(finite.int().argmin())
        if isinstance(item.features, GridFeatures):
            name, step = str(item.features.raw.paths[0]), step * item.features.every
            if item.features.resize:  # which spreads it
                step = int(np.isfinite(item.features.raw.rows()).all(axis=1).argmin())
        raise ValueError(f"{name}: NaN or infinite at step {step}; extract it again")
    return features


class Dataset(torch.utils.data.Dataset):
    """The videos of some subsets as items, in the annotation file's order.

    A crop in training depends on seed, epoch and index alone, not on who loads it when. `cache_mb` is the budget in
    10**6 bytes for feature arrays that `preload` keeps in memory. `missing` are ids left out because a feature file is
    missing (`config.skip_missing`); `label_names` are those of the whole annotation file.

    Raises:
        ValueError: annotation file missing or malformed, no such subset, or none of its videos has features.
    """

    def __init__(
        self,
        config: DataConfig,
        root: str | Path,
        subsets: Iterable[str],
        training: bool = False,
        seed: int = 0,
        cache_mb: int = 0,
    ):
        self.config, self.root, self.training, self.seed = config, Path(root), training, seed
        self.epoch, self.cache_mb, self.cached_bytes = 0, cache_mb, 0
        self._cached: dict[str, RawFeatures] = {}  # by video
        path = locate(root, config.annotations)
        if not path.is_file():
            raise ValueError(f"the annotation file {path} does not exist; prepare the data set or name its data root")
        self._subsets = subsets = list(subsets)
        file = read_annotations(path)
        self.videos, self.label_names = file.of_subsets(subsets), file.label_names
        self.missing: list[str] = []
        if config.skip_missing:
            self.missing = [video.name for video in self.videos if not has_features(config, root, video.name)]
            missing = set(self.missing)
            self.videos = [video for video in self.videos if video.name not in missing]
        if not self.videos:
            folders = ", ".join(str(locate(root, folder)) for folder in config.features)
            raise ValueError(f"no video of {', '.join(subsets)} in {path} has a feature file in {folders}")

    def __len__(self) -> int:
        return len(self.videos)

    @property
    def counted(self) -> str:
        """In words how many videos there are, and how many were left out."""
        left_out = f" ({len(self.missing)} more have no features and are left out)" if self.missing else ""
        return f"{len(self)} videos{left_out}"

    def check_missing(self) -> None:
        number = len(self.videos) + len(self.missing)
        if self.missing and (reason := too_many_missing(self.config, self.root, self._subsets, self.missing, number)):
            raise ValueError(reason)

    def __getitem__(self, index: int) -> Item:
        return self.item(index, self.epoch)

    def item(self, index: int, epoch: int) -> Item:
        """The item at an index; in training a crop drawn for the given epoch. Only what is in it is read."""
        item = self.unread(index)
        if self.training:
            item = crop(item, self.config, random.Random(f"{self.seed} {epoch} {index}"))
        return item._replace(features=item.features[:, :]) if isinstance(item.features, GridFeatures) else item

    def unread(self, index: int) -> Item:
        """The whole video at an index; its features are read when they are sliced."""
        video = self.videos[index]
        raw = self._cached.get(video.name) or open_features(self.config, self.root, video.name)
        fps = frames_per_second(self.config, video)
        features = GridFeatures(raw, self.config, fps, video.duration_sec)
        segments, labels = self._actions(video, features.shape[1], fps, features.stride, features.num_frames)
        ignored = None
        if len(video.ignored_sec):
            spans = video.ignored_sec.astype(np.float32)
            ignored = torch.from_numpy(sec_to_grid(spans, fps, features.stride, features.num_frames))
        times = fps, video.duration_sec, features.stride, features.num_frames
        return Item(video.name, features, segments, labels, *times, ignored)

    def preload(self) -> None:
        """Read feature files into memory, in the order of the videos, each that still fits the budget `cache_mb`.

        Arrays keep their data type. Worker processes that are forked later share them; a copy sent to one has none.
        """
        for video in self.videos if self.cache_mb > 0 else []:
            if video.name in self._cached:
                continue
            raw = open_features(self.config, self.root, video.name)
            if self.cached_bytes + raw.nbytes <= self.cache_mb * 10**6:
                self._cached[video.name] = raw.in_memory()
                self.cached_bytes += raw.nbytes

    def __getstate__(self) -> dict:
        return self.__dict__ | {"_cached": {}, "cached_bytes": 0}

    def _actions(
        self, video: Video, length: int, fps: float, stride: float, num_frames: float
    ) -> tuple[Tensor | None, Tensor | None]:
        """Segments (N, 2) on the grid and labels (N,); None for both where the video has no annotation."""
        segments_sec, labels = video.segments_sec, video.labels
        if len(labels) == 0:
            return None, None
        if self.config.clean_annotations:
            keep = keep_distinct(segments_sec, labels)
            segments_sec, labels = segments_sec[keep], labels[keep]
        if self.config.num_classes == 1:
            labels = np.zeros_like(labels)
        grid = torch.from_numpy(sec_to_grid(segments_sec.astype(np.float32), fps, stride, num_frames))
        ids = torch.from_numpy(labels.copy())
        if self.training and self.config.clean_annotations:
            return _within(grid, ids, length, 0.5 * num_frames / stride, self.config)
        return grid, ids


def _within(
    segments: Tensor, labels: Tensor, length: float, margin: float, config: DataConfig
) -> tuple[Tensor, Tensor]:
    """ActivityNet's training drops actions that lie mostly after the last feature, and clamps the others' ends."""
    onset, end = segments.double().unbind(1)
    if config.keep_clipped:
        keep = onset < length
        return torch.stack([segments[keep, 0], segments[keep, 1].clamp(max=length)], dim=1), labels[keep]
    length += margin
    share = (end.clamp(max=length) - onset) / (end - onset)
    keep = (onset < length) & (share >= config.crop_min_overlap)
    return segments[keep].clamp(max=length), labels[keep]


def crop(item: Item, config: DataConfig, draws: random.Random) -> Item:
    """A random window of at most max_seq_len steps that holds at least one action.

    A sequence that fits is cropped to a random share `crop_ratio` of its length (or not at all without one). Up to 200
    windows are tried until an action keeps `crop_min_overlap` of its length; kept actions are clipped to the window,
    widened on both sides by half a feature's extent (with `crop_margin`), and shifted. Without annotation only what is
    too long is cropped.
    """
    length = item.features.shape[1]
    width = config.max_seq_len
    if length <= width:
        if config.crop_ratio is None or item.segments is None:
            return item
        low, high = (round(ratio * length) for ratio in config.crop_ratio)
        width = draws.randint(max(low, 1), min(high, length))
        if width == length:
            return item
    if item.segments is None or item.labels is None:
        return _from(item, draws.randint(0, length - width), width)
    margin = 0.5 * item.num_frames / item.stride if config.crop_margin else 0.0
    for _ in range(CROP_TRIES):
        start = draws.randint(0, length - width)
        clipped = item.segments.clamp(start - margin, start + width + margin)  # (N, 2)
        kept_share = (clipped[:, 1] - clipped[:, 0]) / (item.segments[:, 1] - item.segments[:, 0]).abs()
        keep = kept_share >= config.crop_min_overlap
        if keep.any():
            break
    return _from(item._replace(segments=clipped[keep] - start, labels=item.labels[keep]), start, width)


def _from(item: Item, start: int, width: int) -> Item:
    """The item with `width` steps of its features, from `start` on; its actions lie where they lay."""
    ignored = None if item.ignored is None else item.ignored - start
    return item._replace(features=item.features[:, start : start + width], ignored=ignored)
