"""Which notebooks a run consists of, and which parameters each of them takes; neither is executed for that."""

from collections.abc import Mapping, Sequence
from typing import Any

from afkit.config import nearest
from afkit.workbench.runs.code import COMMON, notebook_parameters
from afkit.workbench.runs.folder import STAGES

DEFAULT_SEED = 1234567891


def with_epochs(overrides: Mapping[str, Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The overrides of a run: all stages must agree on the recipe, so the parameter `epochs` becomes one.

    Examples:
        >>> with_epochs({"model.heads": 2}, {"epochs": 5, "tiou": 0.5})
        {'model.heads': 2, 'optim.epochs': 5}
    """
    return dict(overrides) | ({"optim.epochs": parameters["epochs"]} if parameters.get("epochs") else {})


def choose_stages(stages: Sequence[str]) -> list[str]:
    """Full names of stages given in full or by number ('03'), in their order.

    Raises:
        ValueError: there is no such stage.
    """
    chosen = []
    for wanted in stages:
        found = [stage for stage in STAGES if wanted in (stage, stage[:2])]
        if not found:
            raise ValueError(f"there is no stage '{wanted}'; {nearest(wanted, list(STAGES))}")
        chosen += found
    return [stage for stage in STAGES if stage in chosen]


def parameters_by_stage(
    stages: Sequence[str], parameters: Mapping[str, Any], common: Sequence[str] = COMMON
) -> dict[str, dict[str, Any]]:
    """Which notebook takes which of the given parameters, checked against their defaults' types.

    Args:
        parameters: name -> value.

    Raises:
        ValueError: a parameter that no chosen notebook has (papermill itself would only warn), one that has an
            option of its own, or a value of another type.
    """
    declared = {stage: notebook_parameters(stage) for stage in stages}
    known = sorted({name for names in declared.values() for name in names} - set(common))
    for name, value in parameters.items():
        if name in common:
            raise ValueError(f"'{name}' is not set as a notebook parameter; use the option or argument of that name")
        if name not in known:
            raise ValueError(f"no notebook of {', '.join(stages)} has the parameter '{name}'; {nearest(name, known)}")
        for names in declared.values():
            if name in names:
                _check_type(name, value, names[name])
    return {stage: {k: v for k, v in parameters.items() if k in names} for stage, names in declared.items()}


def _check_type(name: str, value: Any, default: Any) -> None:
    wanted, given = type(default), type(value)
    if given is wanted or (wanted is float and given is int):
        return
    raise ValueError(f"parameter '{name}' takes {wanted.__name__}, e.g. {default!r}, not {value!r}")
