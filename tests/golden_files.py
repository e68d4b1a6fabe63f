"""Numbers that the original produced. A part lies in tests/golden, the rest in the folder that AFKIT_SHARED names
(or in `shared` beside the checkout); a test that needs a file which is in neither is skipped.

The tolerances are those that the original meets itself in another run or in float64 (goldens' README).
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch

from afkit.config import Recipe
from afkit.model.actionformer import ActionFormer, build_model
from afkit.model.blocks import AffineDropPath
from afkit.workbench.original import recipe_from_original

LOGITS, OFFSETS = 1e-5, 3e-6  # largest absolute difference
LOSSES, GRADIENT_NORMS, UPDATES = 3e-7, 1e-5, 5e-5  # largest relative difference; updates: after three steps

OWN = Path(__file__).parent / "golden"
SHARED = Path(os.environ.get("AFKIT_SHARED") or Path(__file__).parents[2] / "shared") / "goldens"

PUBLISHED = sorted(path.stem for path in (OWN / "configs_full").glob("*.json"))
OTHER_EXPERIMENTS = [name for name in PUBLISHED if name.startswith(("tridet", "temporalmaxer"))]
EXPERIMENTS = [name for name in PUBLISHED if name not in OTHER_EXPERIMENTS]  # of ActionFormer
CONFIGS = [  # small networks with weights, inputs and outputs
    "thumos_i3d",
    "anet_tsp",
    "anet_i3d",
    "epic_slowfast_verb",
    "ego4d_omnivore_egovlp",
    "extra_fpn_relpe_nodroppath",
    "extra_fpn_startlevel1",
    "extra_conv_multiproj_noln",
    "extra_global_scale4",
    "extra_nocenter_autoloss_emptycls_sgd",
    "extra_nms_none",
]

OTHERS = [  # the same of TriDet and of TemporalMaxer
    "tridet_thumos",
    "tridet_epic_verb",
    "tridet_anet",
    "extra_tridet_hacs",
    "extra_tridet_offsets_avg_fpn",
    "extra_tridet_scale4_hardvote",
    "temporalmaxer_thumos",
    "temporalmaxer_epic_verb",
    "extra_temporalmaxer_multithumos",
    "extra_temporalmaxer_keep_proj",
]

OTHERS_AT_FULL_SIZE = {  # goldens' name -> that of the settings
    "tridet_thumos": "tridet_thumos_i3d",
    "tridet_epic_verb": "tridet_epic_slowfast_verb",
    "tridet_anet": "tridet_anet_tsp",
    "tridet_hacs_slowfast": "tridet_hacs_slowfast",
    "temporalmaxer_thumos": "temporalmaxer_thumos_i3d",
    "temporalmaxer_epic_verb": "temporalmaxer_epic_slowfast_verb",
    "temporalmaxer_multithumos": "temporalmaxer_multithumos_i3d",
}


def golden(name: str) -> Path:
    """The path of a file or folder of the goldens; skips the test where there is none."""
    for root in (OWN, SHARED):
        if (root / name).exists():
            return root / name
    pytest.skip(f"{name} is neither in {OWN} nor in {SHARED}; AFKIT_SHARED names the folder that holds goldens/")


def arrays(name: str) -> dict[str, np.ndarray]:
    """All arrays of an .npz of the goldens."""
    with np.load(golden(name), allow_pickle=False) as file:
        return {key: file[key] for key in file.files}


def content(name: str):
    """A JSON file of the goldens."""
    return json.loads(golden(name).read_text())


def of_family(name: str) -> str:
    """The ending of files that hold a family of networks: "" of ActionFormer, else e.g. "_tridet"."""
    family = name.partition("_")[0]
    return f"_{family}" if family in ("tridet", "temporalmaxer") else ""


def experiment(name: str) -> Recipe:
    """One of EXPERIMENTS or OTHER_EXPERIMENTS as a recipe."""
    return recipe_from_original(golden(f"configs_full/{name}.json"))


class Config(NamedTuple):
    """One of CONFIGS."""

    name: str

    @property
    def recipe(self) -> Recipe:
        """Its settings, but for the noise in training, which the goldens were made without."""
        recipe = recipe_from_original(golden(f"{self.name}/config.json"))
        return recipe.model_copy(update={"model": recipe.model.model_copy(update={"input_noise": 0.0})})

    @property
    def checkpoint(self) -> Path:
        """The original's file of the start; its raw and averaged weights differ."""
        return golden(f"{self.name}/ckpt_init.pth.tar")

    def state(self, entry: str) -> dict[str, torch.Tensor]:
        """`state_dict` or `state_dict_ema` of the checkpoint, names without "module."."""
        saved = torch.load(self.checkpoint, weights_only=True)[entry]
        return {name.removeprefix("module."): value for name, value in saved.items()}

    def model(self, entry: str) -> ActionFormer:
        """A network with those weights and, as the goldens were made, without dropout and drop path."""
        model = build_model(self.recipe)
        model.load_state_dict(self.state(entry), strict=True)
        for module in model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
            if isinstance(module, AffineDropPath):
                module.rate = 0.0
        return model

    def cases(self) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
        """The recordings of eval.npz: (name, its arrays without the name)."""
        everything = arrays(f"{self.name}/eval.npz")
        for case in sorted({key.split(".")[0] for key in everything}):
            yield case, {key.split(".")[1]: value for key, value in everything.items() if key.startswith(f"{case}.")}

    def training_batch(self) -> tuple[torch.Tensor, torch.Tensor, list[torch.Tensor], list[torch.Tensor]]:
        """The batch of train.npz, padded to max_seq_len: features, mask, segments, labels."""
        saved = arrays(f"{self.name}/train.npz")
        videos = range(sum(key.startswith("feats_") for key in saved))
        padded = [pad(saved[f"feats_{video}"], self.recipe.data.max_seq_len) for video in videos]
        features, masks = zip(*padded, strict=True)
        segments = [torch.from_numpy(saved[f"gt_segments_{video}"]) for video in videos]
        labels = [torch.from_numpy(saved[f"gt_labels_{video}"]) for video in videos]
        return torch.cat(features), torch.cat(masks), segments, labels


def pad(features: np.ndarray, length: int) -> tuple[torch.Tensor, torch.Tensor]:
    """(C, T) -> a batch of one: (1, C, length) with zeros on the right, and the mask (1, length)."""
    steps = features.shape[1]
    padded = torch.nn.functional.pad(torch.from_numpy(features), (0, length - steps))
    return padded[None], (torch.arange(length) < steps)[None]


def assert_same_detections(found, expected) -> None:
    """As many detections, and at least 99 % of them equal: label, ends within 1 ms, score within 1e-5.

    The order is not compared: where neighbours' scores differ by 1e-7, rounding decides it.

    Args:
        found, expected: segments (N, 2) in seconds, scores (N,), labels (N,); arrays or tensors.
    """
    segments, scores, labels = (np.asarray(part) for part in found)
    assert len(scores) == len(expected[1])
    free, matched = np.ones(len(scores), bool), 0
    for segment, score, label in zip(*expected, strict=True):
        same = free & (labels == label) & (np.abs(scores - score) < 1e-5)
        same &= (np.abs(segments - segment) < 1e-3).all(axis=1)
        if same.any():
            free[np.flatnonzero(same)[0]] = False
            matched += 1
    assert matched >= 0.99 * len(scores), f"{matched} of {len(scores)} detections are the original's"
