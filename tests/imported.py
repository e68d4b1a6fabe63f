"""What an import gave, to be compared in tests."""

import pytest


def segments(file):
    """{video: [(start, end, label name)]}."""
    return {
        name: [
            (*times, file.label_names[i]) for times, i in zip(video.segments_sec.tolist(), video.labels, strict=True)
        ]
        for name, video in file.videos.items()
    }


def subsets(file):
    """{video: subset}."""
    return {name: video.subset for name, video in file.videos.items()}


def refused(tmp_path, bring, *arguments, **options):
    """The message of an import that must fail and write nothing."""
    with pytest.raises(ValueError) as caught:
        bring(*arguments, **options)
    assert not (tmp_path / "out").exists()
    return str(caught.value)
