"""What a notebook may do about its own cells."""

import re

_BEGINS = re.compile(r"^recipe\b.*=|\bstart_stage\(", re.MULTILINE)


def skip_remaining_cells(reason: str) -> None:
    """Print why the rest of a notebook has nothing to do, and let the cells after this one do nothing.

    It works under papermill, where the notebook ends without an error, and by hand in JupyterLab. There, running the
    cell of the parameters (which sets `recipe`), or the one that calls `start_stage`, ends it: from that cell on, all
    do their work again.
    """
    from IPython import get_ipython  # afkit itself needs no notebook library

    shell = get_ipython()
    print(reason)

    def nothing(lines: list[str]) -> list[str]:
        if not _BEGINS.search("".join(lines)):
            return []
        others = [transform for transform in shell.input_transformers_post if transform is not nothing]
        shell.input_transformers_post = others
        return lines

    shell.input_transformers_post.append(nothing)
