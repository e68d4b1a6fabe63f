"""Saving repeats its bytes and leaves nothing half-written; names are drawn literally."""

import matplotlib.pyplot as plt
import pytest

from afkit.workbench.view.style import class_name, make_figure, plain, save_figure, say, show


def a_picture():
    figure, (axes,) = make_figure(2.0)
    axes.plot([0, 1], [0, 1], label="a")
    axes.bar([0], [1], hatch="//")
    axes.legend()
    return figure


@pytest.mark.parametrize(("suffix", "first_bytes"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")])
def test_the_same_picture_gives_the_same_bytes(tmp_path, suffix, first_bytes, monkeypatch):
    for name, clock in (("a", "1000000000"), ("b", "1700000000")):
        monkeypatch.setenv("SOURCE_DATE_EPOCH", clock)  # what matplotlib takes for now
        save_figure(a_picture(), tmp_path / "figures" / f"{name}{suffix}")
    files = sorted((tmp_path / "figures").iterdir())
    assert [file.name for file in files] == [f"a{suffix}", f"b{suffix}"]
    assert files[0].read_bytes() == files[1].read_bytes()
    assert files[0].read_bytes().startswith(first_bytes)


def test_without_an_ending_there_is_one_to_look_at_and_one_to_print_and_others_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"ends in \.png, \.svg or \.pdf, not as in 'a\.jpg'"):
        save_figure(a_picture(), tmp_path / "a.jpg")
    save_figure(a_picture(), tmp_path / "a")
    assert {path.name: path.read_bytes()[:4] for path in tmp_path.iterdir()} == {"a.png": b"\x89PNG", "a.svg": b"<?xm"}
    assert plt.get_fignums() == []


def test_a_failing_drawing_leaves_the_older_picture(tmp_path):
    path = tmp_path / "a.png"
    save_figure(a_picture(), path)
    before = path.read_bytes()
    broken = a_picture()
    broken.axes[0].set_title("$\\nosuchcommand$")  # fails when it is drawn
    with pytest.raises(ValueError, match="nosuchcommand"):
        save_figure(broken, path)
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", ["$5 or $6", r"a\$b", "$", "$x_1$", '"quoted"', "<b>&amp;</b>", "_hidden", "100 %"])
def test_names_are_drawn_literally(name):
    figure, (axes,) = make_figure(2.0)
    text = axes.set_title(plain(name))
    assert text._preprocess_math(text.get_text())[1] is False  # no formula
    axes.plot([0], [0], label=plain(name))
    assert len(axes.legend().get_texts()) == 1
    figure.canvas.draw()


def test_names_titles_and_remarks():
    assert plain("two\nlines\t here") == "two lines here" and plain("x" * 20, longest=10) == "x" * 9 + "…"
    assert class_name(3, {3: "three"}) == "three" and class_name(7, {}) == "class 7"
    assert make_figure(2.0)[0].get_suptitle() == ""
    figure, (axes,) = make_figure(2.0, title="costs $5")
    assert figure.get_suptitle() == r"costs \$5" and say(figure, "nothing here") is figure
    assert axes.texts[0].get_text() == "nothing here"


def test_a_figure_is_shown_and_saved_or_said_where_it_has_nothing_to_show(tmp_path, capsys, monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    figure = a_picture()
    show(figure, tmp_path / "a")
    assert shown == [figure] and sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "a.svg"]
    show(say(a_picture(), "no action is missed"), tmp_path / "a")
    assert shown == [figure] and capsys.readouterr().out == "No action is missed.\n"
    assert not list(tmp_path.iterdir()), "nor is an older picture left"
