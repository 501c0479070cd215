"""A lesson's script becomes a notebook for readers of each language."""

from __future__ import annotations

import json

import pytest

from dsvm.learn.notebook import cells, notebook

SCRIPT = """\
# %% [markdown] lang="en"
# # Title
#
# Some text.

# %% [markdown] lang="ko"
# # 제목

# %%
import math  # no %% of a cell


print(math.pi)

# %%
1 + 1
"""


def sources(text: str) -> list[tuple[str, str]]:
    return [(one["cell_type"], "".join(one["source"])) for one in json.loads(text)["cells"]]


def test_code_is_the_same_and_text_is_the_readers() -> None:
    code = [("code", "import math  # no %% of a cell\n\n\nprint(math.pi)"), ("code", "1 + 1")]

    english, korean = (notebook(SCRIPT, one, "base") for one in ("en", "ko"))

    assert sources(english) == [("markdown", "# Title\n\nSome text."), *code]
    assert sources(korean) == [("markdown", "# 제목"), *code]


def test_it_names_its_kernel_and_each_of_its_cells() -> None:
    told = json.loads(notebook(SCRIPT, "en", "pytorch"))

    assert told["metadata"]["kernelspec"]["name"] == "pytorch"
    assert (told["nbformat"], told["nbformat_minor"]) == (4, 5)
    names = [one["id"] for one in told["cells"]]
    assert len(set(names)) == len(names) == 3


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("import os\n# %%\n1\n", "begins with"),
        ("", "begins with"),
        ('# %% [markdown] lang="xx"\n# text\n', "nobody reads `xx`"),
        ('# %% [markdown] lang="en"\ntext\n', "text without `#`"),
    ],
)
def test_a_script_that_is_none_is_refused(script: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        list(cells(script))
