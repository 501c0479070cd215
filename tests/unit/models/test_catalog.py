"""What every model of the catalog must be, which one a person means, and what its tool is."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from dsvm.build.guest_tree import entries
from dsvm.catalog.compose import compose
from dsvm.catalog.toolchecks import ToolChecker
from dsvm.definition import parse_bytes
from dsvm.definition.faults import Faults, SourceText
from dsvm.errors import DsvmError, ErrorGroup
from dsvm.guest.places import MODELS
from dsvm.lock.request import request_digest
from dsvm.models import Model, load_models, model
from dsvm.models.load import find_models
from dsvm.models.tool import as_tool

LIBRARY = Path(__file__).parents[3] / "src/dsvm/verify/inside/lib"
HUB = """\
hub = "huggingface"
repository = "onnxmodelzoo/legacy_models"
revision = "{revision}"
[models.mine.files]
"a/model.onnx" = "{digest}"
"""
DIGEST = hashlib.sha256(b"").hexdigest()
GOOD = HUB.format(revision="a" * 40, digest=DIGEST)


@pytest.fixture(params=load_models().values(), ids=lambda one: one.name)
def each(request: pytest.FixtureRequest) -> Model:
    found: Model = request.param
    return found


def definition(folder: Path, text: str) -> Path:
    file = folder / "dsvm.toml"
    file.write_text(f'name = "lab"\nprofile = ""\n{text}')
    return file


def screen(folder: Path, text: str) -> str:
    with pytest.raises(ErrorGroup) as group:
        compose(definition(folder, text))
    return str(group.value)


def test_its_weights_come_with_one_version_of_one_package(each: Model) -> None:
    versions = [Requirement(text) for text in each.requirements if "==" in text]

    assert versions
    assert Requirement(each.source) in versions


def test_what_it_is_asked_about_lies_in_its_folder(each: Model) -> None:
    for known in each.known:
        assert known.equals or known.least or known.most
        if each.input != "text":
            assert (each.folder / "samples" / known.input).is_file()


def test_its_memory_is_a_size_and_its_licence_is_told(each: Model) -> None:
    assert parse_bytes(each.memory) >= 16 * 1024**2
    assert each.licence


def test_its_tool_is_as_good_as_one_of_a_folder(each: Model) -> None:
    tool, faults = as_tool(each), Faults()

    ToolChecker(tool, SourceText("model.toml", ""), faults).check({tool.name: tool}, [])

    faults.raise_if_any()
    assert tool.lives_in == f"model-{each.name}"
    assert tool.environment
    assert not tool.environment.kernel


def test_a_machine_has_its_adapter(each: Model) -> None:
    files = {str(entry.path): entry.content for entry in entries()}

    assert files[f"{MODELS}/{each.name}/model.py"] == (each.folder / "model.py").read_bytes()
    assert files[f"{MODELS}/dsvm_model.py"] == (LIBRARY / "dsvm_model.py").read_bytes()


def test_a_model_is_found_by_words_and_bounds() -> None:
    assert [one.name for one in find_models(["OCR"])] == ["rapidocr"]
    assert {one.task for one in find_models(task="speech")} == {
        *("speech-activity", "speech-quality", "speech-recognition"),
    }
    assert all(one.size <= 5_000_000 for one in find_models(largest=5_000_000))
    assert {one.licence for one in find_models(licence="apache")} == {"Apache-2.0"}
    assert find_models(["magika"], runtime="numpy") == []
    sizes = [one.size for one in find_models()]
    assert sizes == sorted(sizes)


def test_an_unknown_model_is_told_with_the_nearest_one() -> None:
    with pytest.raises(DsvmError) as unknown:
        model("magica")

    assert unknown.value.remedy == "did you mean `magika`? `dsvm models` lists them all"


def test_each_model_brings_one_environment_and_moves_no_other(tmp_path: Path) -> None:
    text = 'tools = ["python"]\n'
    _, before = compose(definition(tmp_path, text))
    _, after = compose(definition(tmp_path, f"{text}[models.magika]\n[models.py3langid]\n"))

    assert after.environments[: len(before.environments)] == before.environments
    added = after.environments[len(before.environments) :]
    assert [one.name for one in added] == ["model-magika", "model-py3langid"]
    assert (after.packages, after.apps) == (before.packages, before.apps)
    assert request_digest(after) != request_digest(before)


def test_a_model_of_a_hub_brings_its_files(tmp_path: Path) -> None:
    text = f"[models.mine]\n{GOOD}"

    _, composition = compose(definition(tmp_path, text))

    (tool,) = composition.tools
    (origin,) = tool.origins
    assert origin.hub
    assert origin.hub.files == {"a/model.onnx": DIGEST}
    assert tool.lives_in == "model-mine"
    other = definition(tmp_path, text.replace("a" * 40, "b" * 40))
    assert request_digest(compose(other)[1]) != request_digest(composition)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[models.magica]\n", "unknown model `magica`"),
        (
            "[models.magika]\n" + GOOD.replace("models.mine", "models.magika"),
            "has the name of one of the catalog",
        ),
        ("[models.mine]\nrevision = '" + "a" * 40 + "'\n", "has `revision` and no `hub`"),
        ("[models.mine]\nhub = 'huggingface'\n", "has no `repository`"),
        ("[models.mine]\n" + HUB.format(revision="main", digest=DIGEST), "revision"),
        ("[models.mine]\n" + HUB.format(revision="a" * 40, digest="a" * 40), "has no sha256"),
        ("[models.mine]\n" + GOOD.replace("a/", "../"), "is no path in a repository"),
        ("[models.mine]\n" + GOOD.replace(".onnx", ".bin"), "none of its files is an ONNX model"),
    ],
)
def test_a_mistake_is_told(tmp_path: Path, text: str, said: str) -> None:
    assert said in screen(tmp_path, text)
