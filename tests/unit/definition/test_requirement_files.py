"""Files that Python people already have, read as what an environment asks for."""

from __future__ import annotations

from pathlib import Path

import pytest

from dsvm.definition import Draft, draft
from dsvm.definition.requirements import RequirementSet


def asked(folder: Path, name: str, text: str) -> RequirementSet:
    found = _draft(folder, name, text)
    found.faults.raise_if_any()
    return found.requirements["own"]


def screen(folder: Path, name: str, text: str) -> str:
    return "\n".join(str(error) for error in _draft(folder, name, text).faults.errors)


def _draft(folder: Path, name: str, text: str) -> Draft:
    (folder / name).write_text(text)
    path = folder / "dsvm.toml"
    path.write_text(f'name = "lab"\n[environments.own]\nfile = "{name}"\n')
    return draft(path)


def test_requirements_txt_with_comments_hashes_includes_and_constraints(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more/dev.txt").write_text("-r ../dev2.txt\nruff\n")
    (tmp_path / "dev2.txt").write_text("mypy")
    (tmp_path / "limits.txt").write_text("numpy<2.3 # old\n")
    text = """\
# what we need
polars>=1.0  # fast
lightgbm==4.6.0 \\
    --hash=sha256:aaaa \\
    --hash=sha256:bbbb
-r more/dev.txt
--constraint=limits.txt
--only-binary :all:
pywin32 ; sys_platform == "win32"
dask[array]
"""
    found = asked(tmp_path, "requirements.txt", text)
    assert found.requirements == [
        "polars>=1.0",
        "lightgbm==4.6.0",
        "mypy",
        "ruff",
        'pywin32; sys_platform == "win32"',
        "dask[array]",
    ]
    assert found.constraints == ["numpy<2.3"]


def test_what_a_requirements_txt_cannot_ask_for_is_told_on_its_line(tmp_path: Path) -> None:
    (tmp_path / "loop.txt").write_text("-r requirements.txt\n")
    text = """\
--extra-index-url https://user:secret@mirror.lab/simple
-e .
git+https://example.org/x.git
-r gone.txt
-r loop.txt
--pre
token-${TOKEN}
"""
    assert (
        screen(tmp_path, "requirements.txt", text)
        == """\
error: `--extra-index-url` has no place in a definition's requirements
  requirements.txt:1   --extra-index-url https://***@mirror.lab/simple
hint: name the index in `[sources]` of dsvm.toml: `pypi`
error: an editable install cannot be locked
  requirements.txt:2   -e .
hint: mount its folder and `pip install -e` it inside
error: `git+https://example.org/x.git` is no requirement
  requirements.txt:3   git+https://example.org/x.git
  cause: Expected semicolon (after name with no version specifier) or end
hint: packages come from an index: build a wheel and name its folder as `find-links`
error: `gone.txt` cannot be read
  requirements.txt:4   -r gone.txt
  cause: No such file or directory
hint: correct the path, or create the file
error: option `--pre` is not understood
  requirements.txt:6   --pre
hint: leave the line out
error: variables are not filled in here
  requirements.txt:7   token-${TOKEN}
hint: write the value itself; `[sources]` holds addresses
error: these files include each other
  loop.txt:1   -r requirements.txt
hint: leave one `-r` out"""
    )


def test_pyproject_gives_its_dependencies_and_its_python(tmp_path: Path) -> None:
    text = """\
[project]
name = "churn"
requires-python = ">=3.11,<3.13"
dependencies = [
  "polars",
  "lightgbm>=4",
]
"""
    found = asked(tmp_path, "pyproject.toml", text)
    assert found.requirements == ["polars", "lightgbm>=4"]
    assert found.python == "<3.13,>=3.11"


def test_mistakes_in_a_pyproject_are_on_its_own_lines(tmp_path: Path) -> None:
    text = '[project]\nrequires-python = 3\ndependencies = [\n  "a",\n  "b c",\n]\n'
    assert (
        screen(tmp_path, "pyproject.toml", text)
        == """\
error: `requires-python` is no version specifier
  pyproject.toml:2   requires-python = 3
hint: write it like `requires-python = ">=3.11"`
error: `b c` is no requirement
  pyproject.toml:5   "b c",
  cause: Expected semicolon (after name with no version specifier) or end
hint: write it as pip does: `polars`, `lightgbm>=4`, `dask[array]==2025.1.0`"""
    )
    text = '[project]\ndynamic = ["dependencies"]\n'
    assert "computed when the project is built" in screen(tmp_path, "pyproject.toml", text)
    assert "no `[project]`" in screen(tmp_path, "pyproject.toml", "[tool.x]\n")
    assert "pyproject.toml:1   [project" in screen(tmp_path, "pyproject.toml", "[project")


def test_environment_yml_is_taken_as_packages_of_a_python_index(tmp_path: Path) -> None:
    text = """\
name: churn
channels: [conda-forge]
dependencies:
  - python=3.11
  - pandas=2.2
  - numpy==2.1.0
  - scipy>=1.10,<2
  - scikit-learn 1.5.*
  - matplotlib-base=3.9.2=py311h74b4f7c_0
  - conda-forge::pytorch
  - openssl
  - pip
  - pip:
      - polars[all]>=1
"""
    found = asked(tmp_path, "environment.yml", text)
    assert found.python == "==3.11.*"
    assert found.requirements == [
        "pandas==2.2.*",
        "numpy==2.1.0",
        "scipy<2,>=1.10",
        "scikit-learn==1.5.*",
        "matplotlib==3.9.2.*",
        "torch",
        "pip",
        "polars[all]>=1",
    ]


def test_what_is_no_python_package_is_refused_with_what_to_do_instead(tmp_path: Path) -> None:
    text = """\
dependencies:
  - r-base=4.3
  - ffmpeg
  - cudatoolkit=11.8
  - "pandas=>=2=="
  - {conda: x}
variables:
  A: b
dependancies: []
"""
    assert (
        screen(tmp_path, "environment.yml", text)
        == """\
error: `r-base` is no Python package
  environment.yml:2   - r-base=4.3
hint: add the tool `r`: `tools = ["r"]`
error: `ffmpeg` is no Python package
  environment.yml:3   - ffmpeg
hint: write `packages = ["ffmpeg"]`
error: `cudatoolkit` is no Python package
  environment.yml:4   - cudatoolkit=11.8
hint: leave it out: the packages for NVIDIA bring their own CUDA
error: `pandas=>=2==` is no package as conda writes it
  environment.yml:5   - "pandas=>=2=="
hint: write it like `pandas`, `pandas=2.2` or `pandas>=2,<3`
error: this is neither a package nor `pip:`
  environment.yml:6   - {conda: x}
hint: write `- polars`, or `- pip:` with a list
error: `variables` is not understood here
  environment.yml:7   variables:
hint: leave it out
error: `dependancies` is not understood here
  environment.yml:9   dependancies: []
hint: did you mean `dependencies`?"""
    )


@pytest.mark.parametrize("text", ["", "- a", "a: [", "a: &x [*x]\ndependencies: 3"])
def test_a_yaml_file_without_dependencies_is_refused(tmp_path: Path, text: str) -> None:
    assert "  environment.yml:" in screen(tmp_path, "environment.yml", text)
