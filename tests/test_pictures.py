"""Pictures are complete, escaped, repeatable and never half written."""

from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.image import imread

from mt.errors import ConfigError, DataError
from mt.evaluation.sweep import Run, SweepCell
from mt.pictures import AttentionItem, attention_picture, attention_pictures, learning_curves, sweep_picture

SOURCE = ["▁The", "▁old", "▁dog", "▁sleep", "s", ".", "</s>"]
TARGET = ["▁Der", "▁alte", "▁Hund", "▁schläft", ".", "</s>"]


def item(source: list[str], target: list[str]) -> AttentionItem:
    weights = np.random.default_rng(1).dirichlet(np.ones(len(source)), size=len(target))
    return AttentionItem(weights=weights, source_pieces=source, target_pieces=target)


def draw(path: Path, source: list[str] = SOURCE, target: list[str] = TARGET) -> None:
    drawn = item(source, target)
    attention_picture(
        weights=drawn.weights, source_pieces=drawn.source_pieces, target_pieces=drawn.target_pieces, path=path
    )


class Cells(HTMLParser):
    """Collects the labels and the weights of a page, as a browser would read them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.labels: list[str] = []
        self.titles: list[str] = []
        self.tags: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.titles += [value or "" for name, value in attrs if name == "title"]

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1] == "th" and data.strip():
            self.labels.append(data)


def svg_texts(path: Path) -> list[str]:
    return [element.text or "" for element in ElementTree.parse(path).iter("{http://www.w3.org/2000/svg}text")]


def test_png_is_dark_where_the_weight_is_large(tmp_path: Path) -> None:
    path = tmp_path / "attention.png"
    dark_pixels = []
    for weights in (np.zeros((2, 2)), np.eye(2)):
        attention_picture(weights=weights, source_pieces=["a", "b"], target_pieces=["c", "d"], path=path)
        dark_pixels.append(int((imread(path)[..., :3].max(-1) < 0.5).sum()))
    assert dark_pixels[1] - dark_pixels[0] == pytest.approx(
        2 * 60 * 60, rel=0.2
    )  # two cells of 0.3 inches, less the gaps


def test_svg_holds_each_label_as_text(tmp_path: Path) -> None:
    draw(tmp_path / "attention.svg")
    texts = svg_texts(tmp_path / "attention.svg")
    for label in ["The", "old", "dog", "sleep", "s", "Der", "alte", "Hund", "schläft", "</s>", "source", "translation"]:
        assert label in texts


def test_html_shows_each_weight(tmp_path: Path) -> None:
    path = tmp_path / "attention.html"
    attention_picture(
        weights=np.array([[0.75, 0.25]]), source_pieces=["▁dog", "</s>"], target_pieces=["▁Hund"], path=path
    )
    cells = Cells(path.read_text(encoding="utf-8"))
    assert cells.labels == ["dog", "</s>", "Hund"]
    assert cells.titles == ["dog → Hund: 0.750", "</s> → Hund: 0.250"]
    assert "script" not in cells.tags
    assert "link" not in cells.tags


@pytest.mark.parametrize("ending", ["png", "svg", "html"])
def test_hostile_and_foreign_pieces(tmp_path: Path, ending: str) -> None:
    source = ["▁<script>alert(1)</script>", '▁"&amp;', "▁$x_1$", "▁", "猫", "\x01", "</s>"]
    draw(tmp_path / f"attention.{ending}", source, ["▁Übergrößenträger", "▁שלום", "▁नमस्ते"])
    assert (tmp_path / f"attention.{ending}").stat().st_size > 1000


def test_pieces_are_shown_as_they_are(tmp_path: Path) -> None:
    source = ["▁<b>bold</b>", '▁"&amp;', "▁$x_1$", "▁", "\x01"]
    draw(tmp_path / "attention.html", source, ["▁x"])
    assert Cells((tmp_path / "attention.html").read_text(encoding="utf-8")).tags.count("b") == 0
    draw(tmp_path / "attention.svg", source, ["▁x"])
    for texts in (
        Cells((tmp_path / "attention.html").read_text(encoding="utf-8")).labels,
        svg_texts(tmp_path / "attention.svg"),
    ):
        assert set(texts) >= {"<b>bold</b>", '"&amp;', "$x_1$", "␣", "\N{REPLACEMENT CHARACTER}"}


def test_several_sentences_lie_below_each_other(tmp_path: Path) -> None:
    items = [item(SOURCE, TARGET), item(["▁Yes"], ["▁Ja"]), item(SOURCE, TARGET)]
    attention_pictures(items, tmp_path / "three.png")
    attention_pictures(items[:1], tmp_path / "one.png")
    three, one = imread(tmp_path / "three.png").shape, imread(tmp_path / "one.png").shape
    assert three[0] > 2 * one[0]
    assert three[1] == pytest.approx(one[1], abs=2)
    attention_pictures(items, tmp_path / "three.html")
    assert Cells((tmp_path / "three.html").read_text(encoding="utf-8")).tags.count("table") == 3


def test_the_same_picture_gives_the_same_file(tmp_path: Path) -> None:
    for ending in ("png", "svg", "html"):
        draw(tmp_path / f"first.{ending}")
        draw(tmp_path / f"second.{ending}")
        assert (tmp_path / f"first.{ending}").read_bytes() == (tmp_path / f"second.{ending}").read_bytes()


@pytest.mark.parametrize("name", ["attention.gif", "attention"])
def test_unknown_ending(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=r"no kind of picture.*Valid: \.html, \.png, \.svg"):
        draw(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"folder .*missing does not exist"):
        draw(tmp_path / "missing" / "attention.html")


def test_nothing_to_draw(tmp_path: Path) -> None:
    empty = AttentionItem(weights=np.zeros((1, 0)), source_pieces=[], target_pieces=["</s>"])
    with pytest.raises(DataError, match="no attention to draw"):
        attention_pictures([empty], tmp_path / "attention.png")


def test_too_many_sentences_for_a_picture(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"the sentences are too long for .*\.html"):
        attention_pictures([item(SOURCE, TARGET)] * 200, tmp_path / "attention.png")
    attention_pictures([item(SOURCE, TARGET)] * 200, tmp_path / "attention.html")
    assert [path.name for path in tmp_path.iterdir()] == ["attention.html"]


def test_labels_must_fit_the_weights() -> None:
    with pytest.raises(ValueError, match=r"\(2, 3\).*\(3, 2\)"):
        AttentionItem(weights=np.zeros((2, 3)), source_pieces=["a", "b"], target_pieces=["c", "d", "e"])


TABLE = """epoch,lr,step,train/loss,train/tokens_per_second,validation/bleu,validation/loss,validation/perplexity
0,0.001,9,6.5,1000,,,
0,0.001,19,4.5,1000,,,
0,,19,,,31.4,4.0,54.6
1,0.001,29,3.5,1000,,,
1,,29,,,62.8,3.0,20.1
1,,39,,,60.0,nan,
"""


def test_learning_curves_have_two_panels(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text(TABLE, encoding="utf-8")
    assert learning_curves([tmp_path / "metrics.csv"], tmp_path / "curves.svg")
    texts = svg_texts(tmp_path / "curves.svg")
    assert set(texts) >= {"loss (nats per token)", "training", "validation", "validation BLEU", "optimizer steps"}
    assert "62.8" in texts  # the best BLEU is named


def test_learning_curves_without_validation(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text("step,train/loss\n9,6.5\n19,4.5\n", encoding="utf-8")
    assert learning_curves([tmp_path / "metrics.csv"], tmp_path / "curves.svg")
    texts = svg_texts(tmp_path / "curves.svg")
    assert "training" in texts
    assert "validation BLEU" not in texts


def test_a_resumed_run_overwrites_the_steps_it_repeats(tmp_path: Path) -> None:
    tables = {"clean": "9,10.0\n19,20.0\n29,5.0\n", "first": "9,10.0\n19,99.0\n", "second": "19,20.0\n29,5.0\n"}
    for name, rows in tables.items():
        (tmp_path / f"{name}.csv").write_text("step,validation/bleu\n" + rows, encoding="utf-8")
    learning_curves([tmp_path / "clean.csv"], tmp_path / "clean.svg")
    learning_curves([tmp_path / "first.csv", tmp_path / "second.csv"], tmp_path / "resumed.svg")
    assert (tmp_path / "resumed.svg").read_bytes() == (tmp_path / "clean.svg").read_bytes()


@pytest.mark.parametrize("table", [None, "", "epoch,step,lr\n0,9,0.001\n", "step,train/loss\n9,nan\n"])
def test_no_curve_no_file(tmp_path: Path, table: str | None) -> None:
    if table is not None:
        (tmp_path / "metrics.csv").write_text(table, encoding="utf-8")
    assert not learning_curves([tmp_path / "metrics.csv"], tmp_path / "curves.png")
    assert not (tmp_path / "curves.png").exists()


def cell(*scores: float | None, **settings: str) -> SweepCell:
    shared = {"overrides": {}, "config": {}, "settings_fingerprint": "", "signature": "", "tokens_per_second": None}
    runs = [
        Run(folder=Path("x"), seed=seed, bleu=score, steps=1, train_seconds=1.0, **shared)
        for seed, score in enumerate(scores)
    ]
    return SweepCell(settings, tuple(runs))


def test_a_sweep_names_its_cells_and_their_means(tmp_path: Path) -> None:
    cells = [cell(30.0, 32.0, model="$small$"), cell(25.5, model=""), cell(None, model="unvalidated")]
    assert sweep_picture(cells, tmp_path / "sweep.svg")
    texts = svg_texts(tmp_path / "sweep.svg")
    assert set(texts) >= {"model", "$small$", "–", "31.00 ± 1.41", "25.50", "mean ± sd", "validation BLEU"}
    assert "unvalidated" not in texts


def test_a_sweep_grows_in_height_up_to_a_limit(tmp_path: Path) -> None:
    shapes = []
    for count in (2, 40, 1000):
        cells = [cell(float(number), number + 0.5, size=str(number)) for number in range(count)]
        sweep_picture(cells, tmp_path / f"{count}.png")
        shapes.append(imread(tmp_path / f"{count}.png").shape)
    assert shapes[1][0] - shapes[0][0] == pytest.approx(38 * 0.3 * 200, abs=10)
    assert shapes[2][0] - shapes[1][0] == pytest.approx(60 * 0.3 * 200, abs=10)


def test_no_score_no_picture(tmp_path: Path) -> None:
    assert not sweep_picture([cell(None)], tmp_path / "sweep.png")
    assert list(tmp_path.iterdir()) == []
