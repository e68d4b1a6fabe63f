"""Recipe files: taken wherever a recipe's name is; what is wrong with one is said in a sentence that names it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import afkit
from afkit.config import changed_settings
from afkit.recipe_files import own_names, recipe_file, write_recipe_file
from afkit.recipes import own_settings

WHOLE = """
data:
  annotations: mine/annotations.json
  features: [mine/features]
  num_classes: 3
  input_dims: [6]
  stride_frames: 4
  num_frames: 8
  max_seq_len: 64
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with a folder recipes/, seen from its folder notebooks/."""
    for folder in ("notebooks", "recipes"):
        (tmp_path / folder).mkdir()
    (tmp_path / "notebooks" / "01_data.ipynb").write_text("{}")
    monkeypatch.chdir(tmp_path / "notebooks")
    return tmp_path


def write(project, text, name="mine"):
    path = project / "recipes" / f"{name}.yaml"
    path.write_text(text)
    return path


def test_a_file_starts_from_a_built_in_recipe(project):
    write(project, "base: thumos_i3d\nmodel:\n  windows: 9\noptim: {epochs: 3, learning_rate: 1e-3}\n")
    recipe = afkit.recipe("mine")
    expected = {"model.windows": 9, "optim.epochs": 3, "optim.learning_rate": 0.001}
    assert changed_settings(recipe) == changed_settings(afkit.recipe("thumos_i3d", expected))
    assert (recipe.name, recipe.base) == ("mine", "thumos_i3d")
    assert afkit.recipe("mine", {"optim.epochs": 4}).optim.epochs == 4
    assert "base" not in recipe.model_dump(), "run.json holds settings, and these are all said"


def test_a_file_without_a_base_starts_from_the_defaults(project):
    write(project, WHOLE)
    recipe = afkit.recipe("mine")
    assert recipe.data.input_dims == [6] and recipe.model.embed_dim == 512 and recipe.base == ""


def test_data_of_ones_own_is_not_prepared_as_that_of_the_base(project):
    write(project, "base: watch\ndata: {annotations: mine/annotations.json}\n")
    assert afkit.recipe("mine").base == ""


def test_a_path_is_relative_to_the_project_or_absolute(project, tmp_path):
    path = write(project, WHOLE)
    expected = afkit.recipe("mine")
    assert afkit.recipe("recipes/mine.yaml") == expected == afkit.recipe(str(path))
    (project / "other.yaml").write_text(WHOLE)
    assert afkit.recipe("other.yaml").name == "other"
    assert recipe_file("other") is None and recipe_file("../other") is None and recipe_file("") is None
    assert recipe_file("é" * 200) is None, "no file can have that name"
    assert own_names() == ["mine"]


@pytest.mark.parametrize("text", ["base: watch\nmodel.windows: 7\n", "model: {windows: 7}\nbase: watch\n"])
def test_parameters_may_be_dotted_as_in_overrides(project, text):
    write(project, text)
    assert afkit.recipe("mine").model == afkit.recipe("watch", {"model.windows": 7}).model


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("base: thumos\n", "'base' names a built-in recipe, and there is no 'thumos'; did you mean 'thumos_i3d'?"),
        ("base: [watch]\n", "'base' names a built-in recipe, and there is no '['watch']'"),
        ("base: mine\n", "'base' names a built-in recipe, and there is no 'mine'"),
        ("base: watch\noptim: {epoch: 3}\n", "no recipe has the parameter 'optim.epoch'; did you mean 'optim.epochs'?"),
        ("base: watch\noptin: {epochs: 3}\n", "no recipe has the parameter 'optin.epochs'; did you mean"),
        ("base: watch\nbse: 3\n", "a recipe file has no 'bse'; did you mean 'base'?"),
        ("base: watch\nname: x\n", "a recipe file has no 'name'"),
        ("base: watch\noptim: {epochs: few}\n", "recipe 'mine', parameter 'optim.epochs' = 'few': input should be a"),
        ("base: watch\noptim: 3\n", "'optim' must be a section of settings, not 3"),
        ("base: watch\noptim:\n", "'optim' must be a section of settings, not None"),
        ("base: watch\nmodel: {branch_layers: 2}\n", "model.regression_ranges has 6 ranges for 3 pyramid levels"),
        ("base: watch\noptim: {epochs: 3}\noptim.epochs: 4\n", "'optim.epochs' is given twice; remove one"),
        ("optim: {epochs: 3}\n", "parameter 'data' is missing"),
        ("base: watch\noptim:\n  epochs: 3\n  epochs: 4\n", ", line 4: 'epochs' is given twice; remove one"),
        ("", " must hold sections of settings"),
        ("- base\n", " must hold sections of settings"),
    ],
)
def test_a_wrong_setting_is_named_with_the_file(project, text, message):
    path = write(project, text)
    with pytest.raises(ValueError) as error:
        afkit.recipe("mine")
    said = str(error.value).removeprefix(str(path))
    assert said.startswith((": ", message)) and message in said and "\n" not in said


def test_a_file_that_cannot_be_read_is_named(project):
    (project / "recipes" / "mine.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match=r"mine\.yaml cannot be read: "):
        afkit.recipe("mine")
    (project / "recipes" / "folder.yaml").mkdir()
    with pytest.raises(ValueError, match=r"folder\.yaml cannot be read: "):
        afkit.recipe("recipes/folder.yaml")


def test_names_that_mean_nothing_are_answered_with_the_nearest_of_both_kinds(project):
    write(project, WHOLE, "kitchen")
    with pytest.raises(ValueError, match=r"^there is no recipe 'kitchn'; did you mean 'kitchen'\?$"):
        afkit.recipe("kitchn")
    with pytest.raises(ValueError, match=r"^there is no recipe 'hpt'; did you mean 'hapt'\?$"):
        afkit.recipe("hpt")
    with pytest.raises(ValueError, match=r"^there is no recipe 'zzzz'; choose from: kitchen, watch, hapt, thumos"):
        afkit.recipe("zzzz")
    with pytest.raises(ValueError, match=r"none\.yaml does not exist; own recipes: kitchen"):
        afkit.recipe("recipes/none.yaml")


def test_a_file_cannot_hide_a_built_in_recipe(project):
    write(project, WHOLE, "watch")
    for name in ("watch", "recipes/watch.yaml"):
        with pytest.raises(ValueError, match=r"watch\.yaml has the name of the built-in recipe 'watch'"):
            afkit.recipe(name)
    assert afkit.recipe("hapt").name == "hapt"


def test_settings_of_a_file_are_told_apart_and_how_they_are_written_is_not(project):
    assert own_settings("watch") == {}
    write(project, "base: watch\nmodel: {windows: 7}\n")
    first = own_settings("mine")
    write(project, "# a remark\nmodel.windows: 7\nbase: watch\noptim: {epochs: 35}\n")
    assert own_settings("mine") == first == own_settings("recipes/mine.yaml") and len(first["recipe_file"]) == 8
    write(project, "base: watch\nmodel: {windows: 5}\n")
    assert own_settings("mine") != first


VALUES = {
    "optim.epochs": st.integers(1, 99),
    "optim.learning_rate": st.floats(1e-9, 1),
    "data.prefix": st.text(max_size=8),
    "data.train_subsets": st.lists(st.text(max_size=4), max_size=3),
    "data.crop_ratio": st.none() | st.just([0.5, 1.0]),
    "optim.ema_warmup": st.booleans(),
}


@given(st.fixed_dictionaries({}, optional=VALUES), st.text(max_size=200))
def test_what_is_written_is_read_back(tmp_path_factory, settings, why):
    path = tmp_path_factory.mktemp("recipes") / "mine.yaml"
    needed = changed_settings(afkit.recipe("watch"))
    choices = [(name, value, why) for name, value in (needed | settings).items()]
    write_recipe_file(path, choices, "a remark")
    assert changed_settings(afkit.recipe(str(path))) == changed_settings(afkit.recipe("watch", settings))


def test_a_written_file_gives_each_setting_with_its_reason_above_it(tmp_path):
    choices = [("optim.epochs", 3, "Few."), ("data.fps", 25, "As given."), ("optim.ema_warmup", True, "Short.")]
    write_recipe_file(tmp_path / "mine.yaml", choices, "Top.")
    assert (tmp_path / "mine.yaml").read_text().splitlines() == [
        "# Top.",
        "",
        "data:",
        "  # As given.",
        "  fps: 25",
        "",
        "optim:",
        "  # Few.",
        "  epochs: 3",
        "  # Short.",
        "  ema_warmup: true",
    ]


def test_a_file_is_not_written_over_and_needs_its_ending(tmp_path):
    (tmp_path / "mine.yaml").write_text("base: watch\n")
    with pytest.raises(ValueError, match="exists and may hold changes of your own"):
        write_recipe_file(tmp_path / "mine.yaml", [])
    assert (tmp_path / "mine.yaml").read_text() == "base: watch\n"
    with pytest.raises(ValueError, match=r"mine\.yml must end in \.yaml"):
        write_recipe_file(tmp_path / "mine.yml", [])
