"""Imports run downward only, and heavy libraries stay where they belong (docs/architecture.md)."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FLOORS = [
    {"mt", "mt.errors", "mt.text.symbols"},
    {"mt.text", "mt.nn", "mt.evaluation"},
    {"mt.model", "mt.data", "mt.search"},
    {"mt.folder", "mt.request"},
    {"mt.model_folder"},
    {"mt.averaging", "mt.onnx", "mt.torch_model", "mt.windows"},
    {"mt.translator"},
    {"mt.paragraphs", "mt.parallel", "mt.scoring"},
    {"mt.training", "mt.pictures"},
    {"mt.commands"},
]
IGNORANT = {"mt.model", "mt.data", "mt.search"}  # of each other
ALLOWED = {
    "hydra": {"mt.commands"},
    "omegaconf": {"mt.commands"},
    "pytorch_lightning": {"mt.training", "mt.commands"},
    "datasets": {"mt.data", "mt.training", "mt.commands"},
    "typer": {"mt.commands", "mt.data.grammar.__main__"},
    "matplotlib": {"mt.pictures"},
    "onnx": {"mt.onnx"},
    "onnxruntime": {"mt.onnx"},
    "sentencepiece": {"mt.text"},
    "sentencex": {"mt.text"},
    "sacrebleu": {"mt.evaluation"},
}
MODULES = sorted((ROOT / "mt").rglob("*.py"))


def dotted(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(path: Path) -> set[str]:
    """Every module that a file imports anywhere, except for type checking only."""
    names: set[str] = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def home(module: str) -> tuple[int, str]:
    """The floor and the room of a module: the longest name in FLOORS that it lies in."""
    rooms = [(len(room), floor, room) for floor, rooms in enumerate(FLOORS) for room in rooms if inside(module, room)]
    _, floor, room = max(rooms)
    return floor, room


def inside(module: str, package: str) -> bool:
    return module == package or (module.startswith(package + ".") and package != "mt")


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_imports_run_downward(path):
    if path == ROOT / "mt" / "__init__.py":
        return  # the public names, imported when first asked for
    floor, room = home(dotted(path))
    for name in imported(path):
        if not name.startswith("mt.") or not any(inside(name, known) for rooms in FLOORS[1:] for known in rooms):
            continue
        other_floor, other_room = home(name)
        assert other_floor <= floor, f"{dotted(path)} imports {name}, which is above it"
        assert room == other_room or not {room, other_room} <= IGNORANT, f"{dotted(path)} must not know {name}"


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_heavy_libraries_stay_in_their_rooms(path):
    module = dotted(path)
    for name in imported(path):
        allowed = ALLOWED.get(name.split(".")[0])
        assert allowed is None or any(inside(module, room) for room in allowed), f"{module} must not import {name}"


def test_every_package_is_shipped():
    import tomllib

    shipped = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    here = {dotted(path) for path in (ROOT / "mt").rglob("__init__.py")}
    assert set(shipped) == here | {"mt.conf"}


def test_nothing_else_lies_at_the_root():
    expected = {"pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "constraints.txt"}
    expected |= {"mt", "conf", "scripts", "tests", "docs"}
    generated = {"runs", "multirun", "build", "dist", "mt.egg-info"}
    found = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")}
    assert found - generated == expected
