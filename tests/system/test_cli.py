"""The commands, typed at real machines."""

from __future__ import annotations

import hashlib
import json
import os
import pty
import subprocess
import time
from pathlib import Path

import pytest

from dsvm.machines.machine import Machine
from tests.system.typed import CHECKOUT, Dsvm


def test_up_of_a_running_machine_answers_at_once(
    dsvm: Dsvm, small: Machine, small_folder: Path
) -> None:
    began = time.monotonic()
    done = dsvm("up", cwd=small_folder)
    took = time.monotonic() - began

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("small was running already (")
    assert "  shell: dsvm ssh small\n" in done.stdout
    assert took < 3  # the figure itself, 1 s, is benchmarks/'s: here others work beside


def test_up_as_json_has_the_stable_keys(dsvm: Dsvm, small: Machine, small_folder: Path) -> None:
    done = dsvm("up", "--json", cwd=small_folder)
    found = json.loads(done.stdout)

    assert {"name", "engine", "accelerator", "ssh", "apps", "seconds"} <= found.keys()
    assert found["ssh"].keys() == {"host", "port", "user", "identity"}
    assert found["seconds"].keys() == {"lock", "build", "boot", "verify"}
    assert found["ssh"]["user"] == "ds"


def test_a_folder_below_the_definition_means_the_same_machine(
    dsvm: Dsvm, small: Machine, small_folder: Path
) -> None:
    below = small_folder / "notebooks" / "deep"
    below.mkdir(parents=True, exist_ok=True)

    assert dsvm("run", "--", "hostname", cwd=below).stdout == "small\n"


@pytest.mark.parametrize(
    "argv",
    [
        ["printf", "<%s>", "", "a b", "$HOME", "`id`", "*", "'", '"', "\\", "new\nline", "ä€"],
        ["printf", "<%s>", "--yes", "--json", "--", "-n", "--help"],
    ],
)
def test_run_passes_arguments_unchanged(dsvm: Dsvm, small: Machine, argv: list[str]) -> None:
    done = dsvm("run", "small", "--", *argv)

    assert done.stdout == "".join(f"<{word}>" for word in argv[2:])
    assert (done.returncode, done.stderr) == (0, "")


def test_run_passes_streams_and_the_exit_status(dsvm: Dsvm, small: Machine) -> None:
    script = "tr a-z A-Z; echo wrong >&2; exit 42"
    done = dsvm("run", "small", "--", "sh", "-c", script, stdin="hello")

    assert (done.stdout, done.stderr, done.returncode) == ("HELLO", "wrong\n", 42)


def test_copies_keep_every_byte_both_ways(dsvm: Dsvm, small: Machine, tmp_path: Path) -> None:
    data = tmp_path / "in" / "a file"
    data.parent.mkdir()
    data.write_bytes(os.urandom(1 << 20))

    assert dsvm("cp", str(data.parent), "small:/home/ds/").returncode == 0
    seen = dsvm("run", "small", "--", "sha256sum", "/home/ds/in/a file").stdout.split()[0]
    assert dsvm("cp", "small:/home/ds/in/a file", str(tmp_path / "back")).returncode == 0

    assert seen == hashlib.sha256(data.read_bytes()).hexdigest()
    assert (tmp_path / "back").read_bytes() == data.read_bytes()


def test_copying_what_is_not_there_says_so(dsvm: Dsvm, small: Machine, tmp_path: Path) -> None:
    done = dsvm("cp", "small:/nothing/here", str(tmp_path))

    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr


def test_ls_tells_what_the_engine_sees(dsvm: Dsvm, small: Machine) -> None:
    (row,) = [row for row in json.loads(dsvm("ls", "--json").stdout) if row["name"] == "small"]

    assert {"name", "state", "engine", "size", "image", "uptime_seconds", "notes"} <= row.keys()
    assert row["state"] == "running"
    assert row["uptime_seconds"] > 0
    assert row["last_report"]["summary"]["failed"] == 0
    assert any(line.split()[:2] == ["small", "running"] for line in dsvm("ls").stdout.splitlines())


def test_verify_as_json_has_the_stable_keys(dsvm: Dsvm, small: Machine) -> None:
    done = dsvm("verify", "small", "--tool", "git", "--json")
    found = json.loads(done.stdout)

    assert done.returncode == 0, done.stdout
    assert {"machine", "at", "summary", "checks"} <= found.keys()
    assert found["summary"].keys() == {"passed", "failed", "not_tested"}
    keys = {"tool", "check", "environment", "variant", "device", "outcome", "reason", "seconds"}
    assert all(keys | {"versions", "measurements"} <= check.keys() for check in found["checks"])


def test_a_failed_check_is_exit_code_3_with_its_cause(dsvm: Dsvm, small: Machine) -> None:
    away = ["sudo", "mv", "/usr/bin/git", "/usr/bin/git.away"]
    back = ["sudo", "mv", "/usr/bin/git.away", "/usr/bin/git"]
    try:
        assert dsvm("run", "small", "--", *away).returncode == 0
        done = dsvm("verify", "small", "--tool", "git")
    finally:
        dsvm("run", "small", "--", *back)

    assert done.returncode == 3
    assert "FAILED" in done.stdout
    assert dsvm("verify", "small", "--tool", "git").returncode == 0


def test_verify_of_a_tool_the_machine_lacks_is_wrong_usage(dsvm: Dsvm, small: Machine) -> None:
    done = dsvm("verify", "small", "--tool", "pytorch")

    assert done.returncode == 2
    assert "`dsvm add pytorch` adds one" in done.stderr


def test_logs_show_the_journal_of_a_running_machine(dsvm: Dsvm, small: Machine) -> None:
    done = dsvm("logs", "small", "-n", "20")

    assert (done.returncode, len(done.stdout.splitlines())) == (0, 20)
    assert dsvm("logs", "small", "--log", "engine").stdout.startswith("$ ")
    assert dsvm("logs", "small", "--log", "nothing").returncode == 2
    assert "console.log" in dsvm("logs", "small", "--list").stdout


def test_ssh_gives_a_login_shell_on_a_terminal(small: Machine, dsvm: Dsvm) -> None:
    leader, follower = pty.openpty()
    shell = subprocess.Popen(
        [CHECKOUT / "dsvm", "ssh", "small"], stdin=follower, stdout=follower, stderr=follower
    )
    os.close(follower)
    os.write(leader, b'echo "$USER at $(hostname)"; exit 7\n')
    seen = b""
    while True:
        try:
            part = os.read(leader, 4096)
        except OSError:  # the terminal ends with its last program
            break
        if not part:
            break
        seen += part
    os.close(leader)

    assert shell.wait(timeout=60) == 7
    assert b"ds at small" in seen


def test_stop_start_and_remove_of_a_second_machine(
    dsvm: Dsvm, small: Machine, tmp_path: Path
) -> None:
    (tmp_path / "dsvm.toml").write_text(
        'name = "second"\nprofile = ""\ntools = ["git"]\n[size]\ncpus = 1\nmemory = "1G"\n'
    )
    try:
        assert dsvm("up", "--yes", cwd=tmp_path, timeout_s=900).returncode == 0
        assert dsvm("run", "second", "--", "touch", "kept").returncode == 0
        assert dsvm("stop", cwd=tmp_path).stderr == "second is stopped\n"
        assert dsvm("stop", cwd=tmp_path).stderr == "second was not running\n"
        refused = dsvm("run", "second", "--", "true")
        assert refused.returncode == 1
        assert "hint: " in refused.stderr
        assert dsvm("start", cwd=tmp_path).returncode == 0
        assert dsvm("run", "second", "--", "ls", "kept").stdout == "kept\n"
        assert dsvm("rm", cwd=tmp_path).returncode == 1
    finally:
        assert dsvm("rm", "second", "--yes").returncode == 0
    assert "second" not in dsvm("ls").stdout
    assert dsvm("ssh", "second").returncode == 1


def test_gc_frees_nothing_that_a_machine_needs(
    dsvm: Dsvm, small: Machine, small_folder: Path
) -> None:
    dry = json.loads(dsvm("gc", "--dry-run", "--json", cwd=small_folder).stdout)
    done = dsvm("gc", "--json", cwd=small_folder)

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["bytes"] == dry["bytes"]
    assert dsvm("run", "small", "--", "git", "--version").returncode == 0
    assert dsvm("gc", "--json", "--dry-run").stdout


def test_environments_are_listed_changed_and_reset(dsvm: Dsvm, starter: Machine) -> None:
    listed = json.loads(dsvm("env", "ls", "starter", "--json").stdout)
    names = {one["name"] for one in listed}
    assert {"base", "boosting", "jupyter"} <= names

    python = "/opt/dsvm/envs/base/bin/python"
    where = [python, "-c", "import numpy.version as v; print(v.__file__)"]
    file = dsvm("run", "starter", "--", *where).stdout.strip()
    assert dsvm("run", "starter", "--", "sh", "-c", f"echo '#' >> {file}").returncode == 0

    assert "numpy/version.py" in dsvm("env", "diff", "starter", "base").stdout
    assert dsvm("env", "reset", "starter", "base").returncode == 1
    assert dsvm("env", "reset", "starter", "base", "--yes").returncode == 0
    assert dsvm("env", "diff", "starter", "base").stdout == ""


def test_open_prints_an_address_that_is_signed_in(dsvm: Dsvm, starter: Machine) -> None:
    import httpx

    done = dsvm("open", "starter", env={"SSH_CONNECTION": "10.0.0.9 1234 10.0.0.1 22"})
    url = done.stdout.strip()
    with httpx.Client(trust_env=False, follow_redirects=True) as client:
        signed_in = client.get(url)
        plain = httpx.get(url.partition("?")[0], trust_env=False, follow_redirects=True)

    assert signed_in.status_code == 200
    assert "login" not in str(signed_in.url)
    assert "/login" in str(plain.url) or plain.status_code in (401, 403)
    assert "ssh -N -L " in done.stderr
    assert done.stderr.rstrip().endswith("@10.0.0.1")
