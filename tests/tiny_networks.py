"""Small networks of all kinds in which what is far away changes nothing, and what they say."""

import torch

from afkit.model.actionformer import build_model
from afkit.model.heads import offsets_of

RECIPES = {
    "plain": {},
    "pyramid neck": {"model__neck": "fpn"},
    "windows by level": {"model__windows": [5, 3, 8], "model__relative_position": True},
    "convolutions": {"model__backbone": "conv"},
    "four times coarser": {"model__scale_factor": 4},
    "without the first level": {"model__neck_start_level": 1, "model__regression_ranges": [(0, 4), (4, 10000)]},
    "wide kernels, pyramid neck": {"model__embed_kernel": 5, "model__head_kernel": 5, "model__neck": "fpn"},
    "no stem, one layer heads": {"model__stem_layers": 0, "model__head_layers": 1},
    "pooling": {"model__backbone": "maxpool"},
    "trident head": {"model__head": "trident", "model__bins": 3, "model__boundary_kernel": 5},
}


def network(recipe):
    """A network in which every layer matters, with offsets above 0."""
    torch.manual_seed(0)
    model = build_model(recipe).eval()
    for name, parameter in model.named_parameters():
        if "scale" in name:
            torch.nn.init.normal_(parameter, 0.5, 0.5)
    for head, bias in ((model.cls_head.cls_head, -1), (model.reg_head.offset_head, 6)):
        torch.nn.init.normal_(head.conv.weight, 0, 0.3)
        torch.nn.init.constant_(head.conv.bias, bias)
    for scale in model.reg_head.scale:
        torch.nn.init.ones_(scale.scale)
    return model


def all_offsets(out, level):
    """(B, T, 2) as they are or, of a trident head, (B, T, K, 2) of all classes."""
    if isinstance(out.offsets[level], torch.Tensor):
        return out.offsets[level]
    ranges = [torch.arange(size) for size in out.logits[level].shape]  # B, T, K
    return offsets_of(out.offsets[level], *torch.meshgrid(*ranges, indexing="ij"))


def parts(table):
    """Segments, scores, labels of a table."""
    return table[["start_sec", "end_sec"]].to_numpy(), table["score"].to_numpy(), table["label"].to_numpy()
