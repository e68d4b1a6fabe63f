"""Networks of transformers as backbones: video (VideoMAE, V-JEPA 2) and images (DINOv2, CLIP, SigLIP, ViT).

Weights come from safetensors alone, and no code of a model's author is executed. What the library's processors would do
is done here, from `preprocessor_config.json`: size, crop, mean and standard deviation.
"""

import hashlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from afkit.files import read_json
from afkit.workbench.media.clips import Backbone
from afkit.workbench.media.opened import INSTALL

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
PREPROCESSORS = ("video_preprocessor_config.json", "preprocessor_config.json")
VIDEO_FRAMES = ("num_frames", "frames_per_clip")  # of a model's configuration: it takes clips


class Preprocessing(NamedTuple):
    """How pictures become what a network takes."""

    shortest: int | None  # pixels of the shorter side; None: to `resized`
    resized: tuple[int, int]  # height, width, where `shortest` is None
    crop: tuple[int, int]  # height, width of the middle that is taken
    mean: tuple[float, ...]  # of each colour, from 0 to 1
    std: tuple[float, ...]
    scale: float  # by which values from 0 to 255 are multiplied first


def load_pretrained(name: str, num_frames: int | None = None) -> Backbone:
    """A model by its folder or its id on the hub.

    `num_frames` is for models that take clips of any length. ValueError in one sentence where it cannot be had.
    """
    try:
        import transformers
    except ImportError:
        raise ValueError(f"the model {name} is read by transformers, which is not there; {INSTALL}") from None
    _check_folder(name)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    try:
        model = transformers.AutoModel.from_pretrained(name, use_safetensors=True, trust_remote_code=False)
    except Exception as error:  # the library raises whatever its parts raise
        raise ValueError(
            f"the model {name} cannot be had: it is neither a folder with config.json and safetensors nor a model of "
            f"the hub that this machine reaches or has ({_first_line(error)})"
        ) from None
    model = model.eval().requires_grad_(False).to("cuda" if torch.cuda.is_available() else "cpu")
    how = _preprocessing(name, model.config)
    takes = _frames_of(model.config)

    def size(height: int, width: int) -> tuple[int, int]:
        if how.shortest is None:
            return how.resized
        scale = how.shortest / min(height, width)
        return max(how.crop[0], round(height * scale)), max(how.crop[1], round(width * scale))

    def run(clips: np.ndarray) -> np.ndarray:
        try:
            half = half_precision(model.device.type)
            found = _vectors(model, how, clips, takes is not None, half)
            if half is not None and not np.isfinite(found).all():  # beyond the 65 504 that float16 holds
                found = _vectors(model, how, clips, takes is not None)
            return found
        except (RuntimeError, ValueError, TypeError) as error:
            raise ValueError(f"the model {name} failed on clips {clips.shape}: {_first_line(error)}") from error

    exact = takes if model.config.model_type == "videomae" else None  # V-JEPA 2 takes clips of any even length
    if takes is not None and exact is None:
        exact = num_frames or takes
    return Backbone(_lasting(name), _digest(model), exact, takes is None, size, run)


def _check_folder(name: str) -> None:
    folder = Path(name)
    if not folder.exists():
        return
    if not (folder / "config.json").is_file():
        raise ValueError(f"{name} is no folder of a model: it has no config.json; save one with save_pretrained")
    if not list(folder.glob("*.safetensors")):
        raise ValueError(
            f"{name} holds no safetensors, and pickles (.bin, .pt) are not read, as they can run code; convert them "
            "with save_pretrained"
        )


def _lasting(name: str) -> str:
    return str(Path(name).resolve()) if Path(name).exists() else name


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n")[0][:200] or type(error).__name__


def _frames_of(config: Any) -> int | None:
    """Frames of a clip, None for a network of images."""
    return next((int(getattr(config, name)) for name in VIDEO_FRAMES if getattr(config, name, None)), None)


def _digest(model: torch.nn.Module) -> str:
    digest = hashlib.sha256()
    for key, tensor in sorted(model.state_dict().items()):
        digest.update(key.encode())
        digest.update(tensor.detach().cpu().float().numpy().tobytes())
    return digest.hexdigest()


def _preprocessing(name: str, config: Any) -> Preprocessing:
    from transformers.utils import cached_file

    content: dict[str, Any] = {}
    for file in PREPROCESSORS:
        try:
            path = cached_file(name, file, _raise_exceptions_for_missing_entries=False)
        except OSError:
            path = None
        if path is not None:
            content = read_json(path)
            break
    try:
        return read_preprocessing(content, config)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"the {PREPROCESSORS[1]} of model {name} cannot be understood ({error!r})") from None


def read_preprocessing(content: dict[str, Any], config: Any) -> Preprocessing:
    """From a model's preprocessor_config.json; what it leaves out is the model's own size, and ImageNet's mean."""
    vision = getattr(config, "vision_config", config)
    side = getattr(vision, "crop_size", None) or getattr(vision, "image_size", None) or 224
    own = tuple(side) if isinstance(side, (list, tuple)) else (side, side)
    size = content.get("size", {"height": own[0], "width": own[1]})
    if isinstance(size, int):
        size = {"shortest_edge": size}
    shortest = size.get("shortest_edge") if content.get("do_resize", True) else None
    crops = content.get("do_center_crop", "shortest_edge" in size)
    crop = content.get("crop_size") if crops else None
    if isinstance(crop, int):
        crop = {"height": crop, "width": crop}
    resized = (int(size["height"]), int(size["width"])) if "height" in size else own
    cropped = (int(crop["height"]), int(crop["width"])) if crop else (own if shortest else resized)
    normal = content.get("do_normalize", True)
    mean = tuple(map(float, content.get("image_mean") or IMAGENET_MEAN)) if normal else (0.0, 0.0, 0.0)
    std = tuple(map(float, content.get("image_std") or IMAGENET_STD)) if normal else (1.0, 1.0, 1.0)
    scale = float(content.get("rescale_factor", 1 / 255)) if content.get("do_rescale", True) else 1.0
    return Preprocessing(int(shortest) if shortest else None, resized, cropped, mean, std, scale)


def half_precision(device_type: str) -> torch.dtype | None:
    """In what networks compute on a kind of device, None for float32, as a processor is slower in any other.

    On GPUs float16, which holds three digits, and all of them are fast in it; bfloat16 holds two.
    """
    return torch.float16 if device_type == "cuda" else None


@torch.inference_mode()
def _vectors(
    model: Any, how: Preprocessing, clips: np.ndarray, takes_clips: bool, half: torch.dtype | None = None
) -> np.ndarray:
    """Clips (B, T, H, W, 3) uint8 -> (B, C) float32, computed in float32 or, where that is enough, in `half`."""
    height, width = how.crop
    top, left = (clips.shape[2] - height) // 2, (clips.shape[3] - width) // 2
    cut = torch.from_numpy(clips[:, :, top : top + height, left : left + width].copy()).to(model.device)
    values = cut.permute(0, 1, 4, 2, 3).float() * how.scale  # (B, T, 3, H, W)
    mean, std = (torch.tensor(numbers, device=values.device).view(3, 1, 1) for numbers in (how.mean, how.std))
    values = (values - mean) / std
    with torch.autocast(values.device.type, half, enabled=half is not None):
        if model.config.model_type == "vjepa2":
            found = model(pixel_values_videos=values, skip_predictor=True).last_hidden_state.mean(dim=1)
        elif takes_clips:
            found = model(pixel_values=values).last_hidden_state.mean(dim=1)
        else:
            found = _of_images(model, values.flatten(0, 1)).unflatten(0, values.shape[:2]).mean(dim=1)
    return found.float().cpu().numpy()


def _of_images(model: Any, values: torch.Tensor) -> torch.Tensor:
    """(B, 3, H, W) -> (B, C): what the model gives for an image as a whole."""
    out = model.get_image_features(pixel_values=values) if hasattr(model, "get_image_features") else model(values)
    if isinstance(out, torch.Tensor):
        return out
    pooled = getattr(out, "pooler_output", None)
    return pooled.flatten(1) if pooled is not None else out.last_hidden_state.mean(dim=1)
