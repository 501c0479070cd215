"""Models of others on a machine: added without a restart, proven, broken, asked and served.

The tests follow one another on one machine.
"""

from __future__ import annotations

import base64
import hashlib
import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from dsvm.catalog.model import Tool
from dsvm.home import Home
from dsvm.models import load_models
from dsvm.models.load import FOLDER
from dsvm.models.tool import tool_name
from dsvm.verify.model import CheckResult
from tests.model_hub import MODEL, REPOSITORY, REVISION, ModelHub, doubling_model
from tests.system.project import Project
from tests.system.typed import Dsvm

NAME = "models"
NOWHERE = "http://127.0.0.1:9"
FEW = ("silero-vad", "magika", "py3langid")
DEFINITION = f'name = "{NAME}"\nprofile = ""\ntools = ["model-server"]\n'
OWN = """
[models.doubling]
hub = "huggingface"
repository = "{repository}"
revision = "{revision}"
[models.doubling.files]
{files}
"""


@pytest.fixture(scope="module")
def project(home: Home, dsvm: Dsvm) -> Iterator[Project]:
    with Project.made(home, dsvm, NAME, DEFINITION) as made:
        yield made


def tool(project: Project, model: str) -> Tool:
    return next(one for one in project.tools if one.name == tool_name(model))


def up(project: Project, hub: str) -> subprocess.CompletedProcess[str]:
    return project.dsvm("up", "--yes", cwd=project.folder, env={"HF_ENDPOINT": hub}, timeout_s=1800)


def sample(model: str, name: str) -> str:
    return str(FOLDER / model / "samples" / name)


def answers(project: Project, *words: str, stdin: str = "") -> list[dict[str, Any]]:
    done = project.dsvm("models", "run", *words, "--json", cwd=project.folder, stdin=stdin)
    assert done.returncode == 0, done.stderr
    return [one["answer"] for one in json.loads(done.stdout)]


def proofs(project: Project, name: str) -> dict[str, CheckResult]:
    report = project.saboteur.proven(tool(project, name))
    return {one.check: one for one in report.checks}


def own(files: dict[str, str]) -> str:
    lines = "\n".join(f'"{path}" = "{digest}"' for path, digest in files.items())
    return OWN.format(repository=REPOSITORY, revision=REVISION, files=lines)


def test_models_come_as_layers_of_their_own_while_the_machine_runs(project: Project) -> None:
    before, boot = project.layers(), project.boot()

    project.typed("models", "add", *FEW, "--yes")

    after = project.layers()
    assert project.boot() == boot
    assert {name: after[name] for name in before} == before
    assert after.keys() - before.keys() == {f"env-model-{name}-cpu" for name in FEW}


@pytest.mark.parametrize("name", FEW)
def test_a_model_is_proven_by_known_answers(project: Project, name: str) -> None:
    known = proofs(project, name)["known-answers"]

    assert known.outcome == "passed", known.reason
    assert known.measurements["known_answers"] == len(load_models()[name].known)


@pytest.mark.parametrize("name", FEW[:2])
def test_a_broken_model_is_noticed(project: Project, name: str) -> None:
    meant = tool(project, name)

    assert {one.name: project.saboteur.fault(meant, one) for one in meant.breaks} == {
        "missing weights": None,
        "other weights": None,
    }


def test_a_file_of_this_computer_or_of_the_machine_is_asked_about(project: Project) -> None:
    here, inside = answers(project, "magika", sample("magika", "two"), ":/etc/passwd")

    assert here["label"] == "rust"
    assert inside["mime_type"].startswith(("text/", "application/"))
    left = project.machine.ssh.run(["sh", "-c", "ls -d /var/tmp/dsvm-model.* 2>/dev/null | wc -l"])
    assert left.stdout == "0\n"


def test_a_text_is_asked_about_as_it_is(project: Project) -> None:
    (typed,) = answers(project, "py3langid", "Wo fährt der Zug; und $(wann) 'genau'?")
    (piped,) = answers(project, "py3langid", stdin="오늘 날씨가 참 좋습니다")

    assert (typed["language"], piped["language"]) == ("de", "ko")


def test_what_cannot_be_asked_is_told(project: Project, tmp_path: Path) -> None:
    def said(*words: str) -> str:
        done = project.dsvm("models", "run", *words, cwd=project.folder)
        assert done.returncode in (1, 2)
        return done.stderr

    noise = tmp_path / "noise.wav"
    noise.write_bytes(b"no sound")

    assert "there is no file `gone.wav` on this computer" in said("silero-vad", "gone.wav")
    assert "is no WAV file" in said("silero-vad", str(noise))
    assert "`dsvm models add kiwi` brings it" in said("kiwi", "안녕")
    assert "`magika` is asked with a file" in said("magika")


def test_a_user_of_the_machine_asks_it_there(project: Project) -> None:
    place = "/usr/share/dsvm/models/silero-vad/samples"
    told = project.machine.ssh.run(["dsvm-model", "silero-vad", f"{place}/hum.wav"]).stdout

    assert json.loads(told)["speech"] == []


def test_a_model_is_served_by_the_open_inference_protocol(project: Project) -> None:
    file = base64.b64encode(Path(sample("magika", "one")).read_bytes()).decode()
    tensor = {"name": "file", "shape": [1], "datatype": "BYTES", "data": [file]}
    request = {"id": "7", "inputs": [{**tensor, "parameters": {"content_type": "base64"}}]}
    served = project.dsvm.begun("models", "serve", "magika", "--json", "-m", NAME)
    try:
        assert served.stdout
        told = json.loads("".join(iter(served.stdout.readline, "}\n")) + "}")
        with httpx.Client(trust_env=False, timeout=60) as client:
            base = told["url"].partition("/v2/")[0]
            ready = client.get(f"{base}/v2/health/ready").json()
            about = client.get(told["url"]).json()
            answer = client.post(told["infer"], json=request).json()
            odd = client.post(told["infer"], json={"inputs": [{**tensor, "data": ["\0"]}]})
    finally:
        served.send_signal(signal.SIGINT)
        _, error = served.communicate(timeout=60)

    assert base.startswith("http://127.0.0.1:")
    assert ready == {"ready": True}
    assert about["name"] == "magika"
    assert answer["id"] == "7"
    (output,) = answer["outputs"]
    assert json.loads(output["data"][0])["label"] == "python"
    assert odd.status_code == 400
    assert served.returncode == 0, error
    running = project.machine.ssh.run(["pgrep", "-fc", "models/serve[.]py"], check=False)
    assert running.stdout == "0\n"


def test_a_model_of_a_hub_that_is_not_reached_is_not_tested_and_keeps_nothing_back(
    project: Project,
) -> None:
    files = {path: hashlib.sha256(data).hexdigest() for path, data in doubling_model().items()}
    project.file.write_text(project.file.read_text() + own({**files, MODEL: "0" * 64}))

    done = up(project, NOWHERE)

    assert done.returncode == 0, done.stderr
    assert "model-doubling is not in the machine, for it was not reached" in done.stderr
    known = proofs(project, "doubling")["known-answers"]
    assert known.outcome == "not_tested"
    assert "unreachable" in (known.reason or "")
    refused = project.dsvm("models", "run", "doubling", "x.json", cwd=project.folder)
    assert "`dsvm lock --upgrade model-doubling`" in refused.stderr


def test_a_model_of_a_hub_counts_only_with_its_digest(project: Project) -> None:
    hub = ModelHub(doubling_model())
    with hub.serving():
        project.file.write_text(project.file.read_text().replace(REVISION, "6" * 40))
        hub.revision = "6" * 40

        refused = up(project, hub.address)

        assert refused.returncode == 1
        assert f"a file of a model is not the one that dsvm.toml names: {REPOSITORY}/{MODEL}" in (
            refused.stderr
        )
        right = project.file.read_text().replace("0" * 64, hub.digests[MODEL])
        project.file.write_text(right)

        done = up(project, hub.address)

    assert done.returncode == 0, done.stderr
    known = proofs(project, "doubling")["known-answers"]
    assert known.outcome == "passed", known.reason
    row = {"name": "x", "shape": [1, 3], "datatype": "FP32", "data": [1.5, 2.0, -3.0]}
    asked = project.folder / "request.json"
    asked.write_text(json.dumps({"inputs": [row]}))
    (answer,) = answers(project, "doubling", str(asked))
    assert answer["outputs"][0]["data"] == [3.0, 4.0, -6.0]


@pytest.mark.long
def test_every_model_of_the_catalog_is_proven_and_broken(project: Project) -> None:
    project.typed("models", "add", *load_models(), "--yes")

    faults: dict[tuple[str, str], str | None] = {}
    for name in load_models():
        meant = tool(project, name)
        report = project.saboteur.proven(meant, examples=True)
        faults |= {(name, one.check): one.reason for one in report.checks if one.reason}
        faults |= {(name, one.name): project.saboteur.fault(meant, one) for one in meant.breaks}
    assert {what: fault for what, fault in faults.items() if fault} == {}
