"""`dsvm doctor` on the host that runs these tests."""

from __future__ import annotations

import json

from tests.system.typed import Dsvm


def test_doctor_finds_an_engine_and_the_sources(dsvm: Dsvm) -> None:
    done = dsvm("doctor", "--json")
    found = json.loads(done.stdout)
    groups = {line["group"] for line in found}

    assert done.returncode == 0, done.stdout
    assert {"engines", "host", "sources", "versions"} <= groups
    assert any(line["ok"] for line in found if line["group"] == "engines")
    assert all(line["remedy"] for line in found if line["ok"] is False)
    assert all(line["seconds"] is not None for line in found if line["group"] == "engines")
    reached = {line["name"]: line for line in found if line["group"] == "sources"}
    assert reached["Python index"]["ok"], reached


def test_doctor_says_no_where_a_source_is_not_reached(dsvm: Dsvm) -> None:
    done = dsvm("doctor", env={"UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple"})
    lines = done.stdout.splitlines()
    (at,) = [number for number, line in enumerate(lines) if "Python index" in line]

    assert lines[at].startswith("NO  Python index")
    assert "not reached" in lines[at]
    assert any("hint: see `pip config list`" in line for line in lines[at : at + 3])
    assert "Traceback" not in done.stderr
