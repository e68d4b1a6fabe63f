"""Pages and tables show text literally; a page holds everything itself, and is written whole or not at all."""

import base64
import json
import re
from html.parser import HTMLParser

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from IPython.core.formatters import HTMLFormatter

from afkit.workbench.runs.notebooks import STAGES, notebook_path
from afkit.workbench.view import tables
from afkit.workbench.view.page import Picture, Section, write_page
from afkit.workbench.view.style import make_figure
from afkit.workbench.view.tables import table_as_html

MARKUP = "<script>alert('$x$')</script>"


class Reader(HTMLParser):
    """What a browser would find: tags with their attributes, cells and paragraphs as text."""

    def __init__(self, text: str):
        super().__init__(convert_charrefs=True)
        self.tags, self.texts, self._open = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in ("meta", "img"):
            self._open.append(tag)
            self.texts.append((tag, ""))

    def handle_endtag(self, tag):
        assert self._open.pop() == tag, "tags are nested"

    def handle_data(self, data):
        if self._open and self.texts[-1][0] == self._open[-1]:
            self.texts[-1] = (self._open[-1], self.texts[-1][1] + data)

    def of(self, tag: str) -> list[str]:
        return [text for name, text in self.texts if name == tag]

    def attributes(self, name: str) -> list[str]:
        return [attributes[name] for _, attributes in self.tags if name in attributes]


def written(folder, sections, title="Title") -> Reader:
    write_page(folder / "page.html", title, sections)
    return Reader((folder / "page.html").read_text(encoding="utf-8"))


def a_figure():
    figure, (axes,) = make_figure(2.0)
    axes.plot([0, 1], [0, 1])
    return figure


def test_sections_stand_in_order_with_text_tables_and_pictures(tmp_path):
    table = pd.DataFrame({"run": ["a", "b"], "mAP [%]": [50.0, -1.234]})
    sections = [Section("First", ["Some text."]), Section("Second", [table, Picture(a_figure(), "A line.")])]
    page = written(tmp_path, sections)
    assert page.of("h1") == ["Title"] and page.of("title") == ["Title"]
    assert page.of("h2") == ["First", "Second"] == page.of("a")
    assert page.of("p") == ["Some text."]
    assert page.of("th") == ["run", "mAP [%]"]
    assert page.of("td") == ["a", "50.00", "b", "\N{MINUS SIGN}1.23"]
    assert page.of("figcaption") == ["A line."] == page.attributes("alt")
    assert page.attributes("id") == ["section1", "section2"]
    assert page.attributes("href") == ["#section1", "#section2"]


def test_nothing_outside_the_file_is_referred_to_and_no_script_runs(tmp_path):
    page = written(tmp_path, [Section("A", [Picture(a_figure(), "A line.")])])
    assert [tag for tag, _ in page.tags if tag in ("script", "link", "iframe", "object", "base")] == []
    (source,) = page.attributes("src")
    kind, _, data = source.partition(",")
    assert kind == "data:image/svg+xml;base64"
    assert b"<svg" in base64.b64decode(data)
    style = page.of("style")[0]
    assert "prefers-color-scheme: dark" in style and "@media print" in style
    assert "url(" not in style and "@import" not in style
    assert ("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}) in page.tags


def test_cells_say_what_they_are(tmp_path):
    table = pd.DataFrame(
        {
            "name": pd.Series(["a-b", None], dtype="str"),
            "count": pd.Series([3, None], dtype="Int64"),
            "share": [0.5, float("nan")],
            "twin": [True, False],
            "any": [[1], None],
        }
    )
    page = written(tmp_path, [Section("A", [table])])
    assert page.of("td") == ["a-b", "3", "0.50", "True", "1", "", "", "", "False", ""]
    numbers = [attributes.get("class") for tag, attributes in page.tags if tag == "th"]
    assert numbers == [None, "number", "number", None, None]


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1))
@settings(max_examples=50)
def test_any_text_is_shown_literally(tmp_path_factory, text):
    table = pd.DataFrame({text: [text]})
    page = written(tmp_path_factory.mktemp("page"), [Section(text, [text, table])], text)
    assert [page.of(tag) for tag in ("h1", "h2", "p", "th", "td")] == [[text]] * 5


def test_markup_in_names_is_text(tmp_path):
    text = f"{MARKUP} & \"{{{{ 7 * 7 }}}}\" 'x'"
    page = written(tmp_path, [Section(text, [text, Picture(a_figure(), text)])])
    assert page.of("p") == [text] == page.attributes("alt") == page.of("h2")
    assert "script" not in [tag for tag, _ in page.tags]


def test_the_same_page_gives_the_same_bytes(tmp_path):
    for name in "ab":
        write_page(tmp_path / f"{name}.html", "T", [Section("A", [Picture(a_figure(), "A line.")])])
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_another_ending_is_refused_and_a_failing_picture_leaves_the_older_page(tmp_path):
    with pytest.raises(ValueError, match=r"ends in \.html, not as in 'page\.htm'"):
        write_page(tmp_path / "page.htm", "T", [])
    written(tmp_path, [])
    before = (tmp_path / "page.html").read_bytes()
    broken = a_figure()
    broken.axes[0].set_title("$\\nosuchcommand$")
    with pytest.raises(ValueError, match="nosuchcommand"):
        write_page(tmp_path / "page.html", "T", [Section("A", [Picture(broken, "x")])])
    assert (tmp_path / "page.html").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_cells_lists_and_headings_of_tables_in_notebooks_are_literal():
    table = pd.DataFrame({MARKUP: [MARKUP, [MARKUP], None, 1, 0.25, True]}, index=[*"abcde", MARKUP])
    html = table_as_html(table)
    assert "<script>" not in html and html.count("&lt;script&gt;alert(") == 4
    assert all(shown in html for shown in (">1<", ">0.25<", "></td>", ">True<", "tex2jax_ignore mathjax_ignore"))
    numbers = pd.DataFrame({"count": [3, 1666189], "rate": [1e-3, -2.0], "ranges": [[(0, 4), (4, 8)], [0.5, 1]]})
    html = table_as_html(numbers, digits=None, index=False)
    gap = "\N{NARROW NO-BREAK SPACE}"
    cells = re.findall(r"<td [^>]*>(.*?)</td>", html)
    assert cells == ["3", "0.001", "(0, 4), (4, 8)", f"1{gap}666{gap}189", "\N{MINUS SIGN}2", "0.5, 1"]
    assert table_as_html(pd.DataFrame({"a": [1, 2]}, index=["same", "same"])).count(">same<") == 2
    plain = HTMLFormatter()(pd.DataFrame({MARKUP: [MARKUP]}, index=[MARKUP]))
    assert "<script>" not in plain and plain.count("&lt;script&gt;") == 3 and "tex2jax_ignore" in plain


def test_a_table_without_rows_is_a_sentence_and_of_a_long_one_the_beginning_is_shown(capsys, monkeypatch):
    shown = []
    monkeypatch.setattr(tables, "display", lambda data, raw: shown.append(data))
    tables.show_table(pd.DataFrame(columns=["ours", "published"]), "Nothing was published.")
    assert capsys.readouterr().out == "Nothing was published.\n" and shown == []
    tables.show_table(pd.DataFrame({"a": range(100)}), caption="<rows>")
    (page,) = (data["text/html"] for data in shown)
    assert page.count("<td") == tables.MOST_ROWS and "&lt;rows&gt;: the first 60 of 100 rows" in page


@pytest.mark.parametrize("name", [*STAGES, "05_compare"])
def test_notebooks_style_tables_literally(name):
    cells = json.loads(notebook_path(name).read_text())["cells"]
    source = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    for interpreted in (".style", "HTML(", "Markdown(", "Latex("):
        assert interpreted not in source.replace("afkit.workbench.view.style", ""), "see afkit.workbench.view.tables"
