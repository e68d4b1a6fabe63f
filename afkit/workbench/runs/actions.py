"""Actions as pairs of a verb and a noun, from a run that finds verbs and one that finds nouns (EPIC-Kitchens).

Both networks see the same features on the same grid, so that each of their points says how likely a pair is there.
Pairs are made of these, before duplicates are suppressed, or of the detections of both (`combine_verbs_and_nouns`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from afkit.config import DecodeConfig
from afkit.data.annotations import AnnotationFile, to_frame
from afkit.data.batches import collate
from afkit.data.items import Dataset, Item, read_finite
from afkit.detect.decoding import Level, candidates_of, decode_batch
from afkit.detect.prediction import padded_steps, suppress, to_table
from afkit.evaluation.scores import Scores, evaluate
from afkit.files import atomic_open
from afkit.model.actionformer import ActionFormer, LevelOutput, build_model
from afkit.model.checkpoints import load_weights
from afkit.model.heads import offsets_of
from afkit.workbench.analysis.report import map_table
from afkit.workbench.analysis.submissions import EPIC_NOUNS, EPIC_VERBS, combine_verbs_and_nouns, write_epic_submission
from afkit.workbench.progress import progress
from afkit.workbench.runs.opened import OpenedRun, open_run

BEST = 10  # verbs, and as many nouns, of a point that are combined
ORDERS = {"before": "paired before suppression", "after": "paired after suppression"}
GRID = ["stride_frames", "num_frames", "fps", "downsample", "resize"]
SAME_DATA = ["features", "prefix", "suffix", "input_dims", "half_channels", *GRID, "skip_missing", "test_subsets"]


def find_run_actions(
    verb_run: str | Path,
    noun_run: str | Path,
    out: str | Path = "",
    pair: str = "before",
    levels: Sequence[int] = (),
    split: str = "",
    data_root: str | Path = "",
    say: Callable[[str], None] = print,
) -> Path:
    """Find actions with two runs, say how good they are, and write them to a folder, which is returned.

    It receives actions.csv, and with `levels` test.json, which the challenge's server wants in a zip archive.

    Args:
        out: folder to write; "" for VERB_RUN/actions.
        pair: "before" or "after" suppression: how those are made that are written; the scores of both are told.
        levels: the challenge's supervision levels of pre-training, labels and data; none for no test.json.
        split: another subset of the annotation files, with or without labels; "" for the runs' test subsets.

    Raises:
        ValueError: runs that do not go together or are not trained, or data that is missing; nothing is written then.
    """
    verb, noun = open_run(verb_run), open_run(noun_run)
    check_runs(verb, noun, data_root)
    verbs, nouns, data = verb.annotations(data_root), noun.annotations(data_root), verb.recipe.data
    subsets = [split] if split else data.test_subsets
    gt = annotated_actions(verbs, nouns, subsets)
    dataset = Dataset(data, verb.data_root(data_root), subsets)
    dataset.check_missing()
    models = _trained(verb), _trained(noun)
    say(f"{dataset.counted}, {len(gt)} actions of {gt.groupby(['verb', 'noun']).ngroups} pairs of a verb and a noun")
    places = progress(range(len(dataset)), "videos", say)
    found = [detect_actions(*models, dataset.unread(place)) for place in places]
    actions = {order: pd.concat(tables) for order, tables in zip(ORDERS, zip(*found, strict=True), strict=True)}
    if len(gt):
        say(scores_in_words(gt, actions, data.tious, verb.generated))
    folder, chosen = Path(out) if str(out) else verb.folder / "actions", actions[pair]
    named = chosen.copy()
    named.insert(4, "verb_name", chosen["verb"].map(verbs.names_of(data.num_classes)))
    named.insert(6, "noun_name", chosen["noun"].map(nouns.names_of(noun.recipe.data.num_classes)))
    with atomic_open(folder / "actions.csv") as file:
        named.to_csv(file, index=False)
    if levels:
        pretraining, labels, of_data = levels
        videos = [video.name for video in dataset.videos]
        write_epic_submission(folder / "test.json", chosen, pretraining, labels, of_data, videos)
    return folder


def check_runs(verb: OpenedRun, noun: OpenedRun, data_root: str | Path = "") -> None:
    """A ValueError where runs cannot be paired: other features, grid, subsets or levels, or the same kind of labels."""
    ours, theirs = verb.recipe, noun.recipe
    names = [*SAME_DATA, "max_seq_len"] if ours.data.resize else SAME_DATA
    settings = [(f"data.{name}", getattr(ours.data, name), getattr(theirs.data, name)) for name in names]
    settings.append(("levels with the strides", ours.model.level_strides, theirs.model.level_strides))
    if ours.data.annotations == theirs.data.annotations:
        raise ValueError(
            f"{verb.folder} and {noun.folder} both learned the labels of {ours.data.annotations}; give a run of verbs "
            "and one of nouns"
        )
    if (ours.data.num_classes, theirs.data.num_classes) == (EPIC_NOUNS, EPIC_VERBS):
        raise ValueError(f"{verb.folder} has the {EPIC_NOUNS} classes of the nouns; give the run of verbs first")
    roots = [run.data_root(data_root).resolve() for run in (verb, noun)]
    settings.append(("its data below", roots[0], roots[1]))
    for name, own, other in settings:
        if own != other:
            raise ValueError(
                f"{verb.folder} has {name} {own}, {noun.folder} has {other}; both networks must see the same features "
                "on the same grid, so give runs that agree in this"
            )


def scores_in_words(
    gt: pd.DataFrame, actions: Mapping[str, pd.DataFrame], tious: Sequence[float], generated: bool
) -> str:
    """mAP in percent of actions that were paired "before" and "after" suppression, and how many do not count."""
    scores = {ORDERS[order]: evaluate_actions(gt, table, tious) for order, table in actions.items()}
    lines = ["generated data: these numbers say nothing about the method"] if generated else []
    lines += ["mAP [%] of actions, at tIoU", map_table(scores).to_string(float_format="{:.2f}".format)]
    for name, found in scores.items():
        dropped, number = found.counts["predictions_unknown_label"], found.counts["predictions"]
        lines.append(f"{name}: {dropped} of {number} detections are of pairs that no annotation has, and are left out")
    return "\n".join(lines)


def _trained(run: OpenedRun) -> ActionFormer:
    """The network of a run with its weights, on the GPU if there is one."""
    model = build_model(run.recipe)
    load_weights(model, *run.weights())
    return model.eval().to("cuda" if torch.cuda.is_available() else "cpu")


def annotated_actions(verbs: AnnotationFile, nouns: AnnotationFile, subsets: Sequence[str]) -> pd.DataFrame:
    """Actions of some subsets, without repetitions: video, start_sec, end_sec, verb, noun.

    A ValueError names a video that the two files do not annotate at the same times.
    """
    base = 1 + max(nouns.label_names, default=0)
    videos = []
    for video in verbs.of_subsets(subsets):
        other = nouns.videos.get(video.name)
        i, j = (np.lexsort(each.segments_sec.T[::-1]) for each in (video, other or video))  # by onset, then end
        if other is None or not np.array_equal(video.segments_sec[i], other.segments_sec[j]):
            raise ValueError(
                f"{verbs.path} and {nouns.path} differ in the times of the actions of video '{video.name}', so that no "
                "verb belongs to a noun; give runs of two files that annotate the same actions"
            )
        labels = video.labels[i] * base + other.labels[j]
        videos.append(replace(video, segments_sec=video.segments_sec[i], labels=labels))
    return _apart(to_frame(videos), base)


def _apart(table: pd.DataFrame, nouns: int) -> pd.DataFrame:
    """With verb and noun in the place of label, which is verb * nouns + noun."""
    parts = table.rename(columns={"label": "verb"}).assign(verb=table["label"] // nouns)
    parts.insert(4, "noun", table["label"] % nouns)
    return parts


def evaluate_actions(gt: pd.DataFrame, actions: pd.DataFrame, tious: Sequence[float]) -> Scores:
    """As `evaluate`, over the pairs of verb and noun that the ground truth has.

    Detections of other pairs are left out, and counted as predictions_unknown_label. A pair has the label
    verb * n + noun, n above all nouns of both tables.
    """
    base = 1 + pd.concat([gt["noun"], actions["noun"]]).max()
    gt, actions = (table.assign(label=table["verb"] * base + table["noun"]) for table in (gt, actions))
    return evaluate(gt, actions, tious)


@torch.no_grad()
def detect_actions(verb: ActionFormer, noun: ActionFormer, item: Item) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What two networks, in eval mode, find in a whole recording: actions paired before and after suppression.

    Before it, the verbs' recipe says how candidates are chosen and suppressed; after it, each network's own has.

    Returns:
        Two tables of video, start_sec, end_sec, verb, noun, score, by falling score.
    """
    device, item = next(verb.parameters()).device, item._replace(features=read_finite(item))
    outputs, alone = [], []
    for model in (verb, noun):  # each padded as it is when it is evaluated
        batch = collate([item], padded_steps(item.features.shape[1], model.recipe))
        outputs.append(model(batch.features.to(device), batch.mask.to(device)))
        alone.append(to_table(suppress(decode_batch(outputs[-1], model.recipe), model.recipe), [item]))
    config, both = verb.recipe.decode, zip(outputs[0].levels(), outputs[1].levels(), strict=True)
    candidates = candidates_of([pair_level(verbs, nouns, config) for verbs, nouns in both])
    before = to_table(suppress(candidates, verb.recipe), [item])
    after = combine_verbs_and_nouns(alone[0], alone[1], max_per_video=config.max_segments)
    return _apart(before, noun.recipe.data.num_classes), after


def pair_level(verb: LevelOutput, noun: LevelOutput, config: DecodeConfig) -> Level:
    """The `pre_nms_topk` best pairs of one level of two outputs, as of `decode_level`; labels are verb * nouns + noun.

    The `BEST` verbs and nouns of each point are combined. A pair's score is the geometric mean of both probabilities,
    as of `combine_verbs_and_nouns`: thresholds then mean what they mean for one. Its segment is the mean of both.
    """
    steps = min(verb.logits.shape[1], noun.logits.shape[1])  # T; networks may be padded differently
    mask = verb.mask[:, :steps, None]  # (B, T, 1), of both
    (verbs, verb_labels), (nouns, noun_labels) = (
        side.logits[:, :steps].float().sigmoid().where(mask, 0).topk(min(BEST, side.logits.shape[2]), dim=2)
        for side in (verb, noun)
    )  # (B, T, V) and (B, T, N)
    pairs = (verbs[..., None] * nouns[..., None, :]).sqrt()  # (B, T, V, N)
    scores, index = pairs.flatten(1).topk(min(config.pre_nms_topk, pairs[0].numel()), dim=1)  # (B, n)
    point, v, n = torch.unravel_index(index, pairs.shape[1:])  # (B, n) each
    video = torch.arange(len(index), device=index.device)[:, None]
    v_label, n_label = verb_labels[video, point, v], noun_labels[video, point, n]
    distance = offsets_of(verb.offsets, video, point, v_label) + offsets_of(noun.offsets, video, point, n_label)
    position, stride = verb.points[point, 0], verb.points[point, 3]  # (B, n)
    onset, end = (position + sign * 0.5 * distance[..., side] * stride for side, sign in enumerate((-1, 1)))
    keep = (scores > config.pre_nms_thresh) & (end - onset > config.duration_thresh)
    return Level(torch.stack([onset, end], dim=2), scores, v_label * noun.logits.shape[2] + n_label, keep)
