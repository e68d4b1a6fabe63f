"""The top of an executed notebook; that each notebook has one is tested with the notebooks."""

import pytest

from afkit.workbench.runs.notebooks import STAGES
from afkit.workbench.runs.top import links_to_runs, neighbours, show_top, top_as_html


def test_it_says_that_it_is_not_finished_until_there_are_lines():
    begun, done = (top_as_html({"02_train": ""}, lines) for lines in ([], ["Loss 0.1", "", "40 epochs"]))
    assert "Not finished" in begun and "<b>02_train</b>" in begun
    assert "Not finished" not in done and "<div>40 epochs</div>" in done and "<div></div>" not in done


def test_names_are_shown_literally():
    page = top_as_html({"<i>": 'a"b.ipynb', "own": ""}, ["<b>2</b> recordings"])
    assert '<a href="a&quot;b.ipynb">&lt;i&gt;</a> · <b>own</b>' in page and "&lt;b&gt;2&lt;/b&gt; recordings" in page


@pytest.mark.parametrize(
    ("files", "compare"), [([], "../../05_compare.ipynb"), ([*STAGES, "05_compare"], "05_compare.ipynb")]
)
def test_neighbours_lie_beside_a_notebook_and_the_comparison_with_all_runs(tmp_path, monkeypatch, files, compare):
    for name in files:  # by hand, a kernel works where the notebooks lie
        (tmp_path / f"{name}.ipynb").touch()
    monkeypatch.chdir(tmp_path)
    links = neighbours("03_eval-training")
    own = {"01_data": "01_data.ipynb", "02_train": "02_train.ipynb", "03_eval": "03_eval.ipynb", "03_eval-training": ""}
    assert list(links.items())[:4] == list(own.items()) and list(links.values())[4:] == ["04_visualize.ipynb", compare]


def test_a_comparison_leads_to_the_evaluations_that_are_there(tmp_path):
    (tmp_path / "watch" / "seed1").mkdir(parents=True)
    (tmp_path / "watch" / "seed1" / "03_eval.ipynb").touch()
    folders = {name: tmp_path / name for name in ("watch/seed1", "watch/seed2")}
    expected = {"05_compare": "", "watch/seed1": "../watch/seed1/03_eval.ipynb"}
    assert links_to_runs(folders, tmp_path / "compared") == expected


def test_without_a_notebook_nothing_is_shown(capsys):
    show_top({"01_data": ""})
    assert capsys.readouterr().out == ""
