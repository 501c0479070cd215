"""What is on the screen when something is wrong, compared whole, and the exit code."""

from __future__ import annotations

import errno
import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from dsvm.cli import Interrupted
from dsvm.cli.trouble import told
from dsvm.errors import DsvmError, ErrorGroup
from dsvm.lock import write_lock
from dsvm.lock.model import OsPackage, OsTree
from tests.unit.cli.conftest import Type
from tests.unit.cli.machine import a_machine
from tests.unit.lock.examples import example


def test_an_unknown_command_names_the_nearest(dsvm: Type) -> None:
    screen = dsvm("doctr")

    assert screen.code == 2
    assert screen.out == ""
    assert screen.err == (
        "error: no such command 'doctr'. Did you mean 'doctor'?\n"
        "hint: `dsvm --help` says what it takes\n"
    )


def test_an_unknown_option_points_to_the_commands_own_help(dsvm: Type) -> None:
    screen = dsvm("env", "ls", "--nonsense")

    assert screen.code == 2
    assert screen.err == (
        "error: no such option: --nonsense\nhint: `dsvm env ls --help` says what it takes\n"
    )


def test_an_unknown_tool_names_the_nearest(dsvm: Type) -> None:
    screen = dsvm("tools", "pytorh")

    assert screen.code == 1
    assert screen.out == ""
    assert screen.err == (
        "error: unknown tool `pytorh`\nhint: did you mean `pytorch`? `dsvm tools` lists them all\n"
    )


@pytest.mark.parametrize("words", [["ssh"], ["verify"], ["stop"], ["env", "ls"]])
def test_without_a_definition_a_command_asks_which_machine(dsvm: Type, words: list[str]) -> None:
    screen = dsvm(*words)

    assert screen.code == 2
    assert screen.err == (
        "error: which machine?\n"
        "  cause: neither `HERE` nor a folder above it has a dsvm.toml\n"
        "hint: name the machine (`dsvm ls` lists them), or `dsvm init` writes a definition\n"
    )


@pytest.mark.parametrize("words", [["ssh", "lab"], ["run", "lab", "--", "ls"], ["start", "lab"]])
def test_a_machine_that_does_not_exist_is_said_to(dsvm: Type, words: list[str]) -> None:
    screen = dsvm(*words)

    assert screen.code == 1
    assert screen.err == (
        "error: there is no machine `lab`\n"
        "hint: there is none yet: `dsvm up` makes the one of your dsvm.toml\n"
    )


def test_run_without_the_two_hyphens_says_how(dsvm: Type) -> None:
    screen = dsvm("run", "lab", "ls")

    assert screen.code == 2
    assert screen.err == (
        "error: where does the command begin?\nhint: dsvm run [NAME] -- CMD ARG..., with the `--`\n"
    )


def test_the_name_of_what_is_dead_leads_to_its_heir_and_says_why(dsvm: Type) -> None:
    found = dsvm("tools", "cntk")
    asked = dsvm("tools", "deep-water")

    assert [line.split()[0] for line in found.out.splitlines()] == ["NAME", "tensorflow"]
    assert found.err.startswith("`tensorflow` stands in for CNTK. CNTK ended in 2019;")
    assert asked.err.endswith("hint: `h2o` stands in for it\n")


def test_a_new_tool_is_tested_from_where_it_was_written(dsvm: Type) -> None:
    assert dsvm("tools", "new", "sums").code == 0

    screen = dsvm("tools", "test", "summs")

    assert screen.err == (
        "error: unknown tool `summs`\nhint: did you mean `sums`? `dsvm tools` lists them all\n"
    )


def test_a_copy_has_one_side_in_a_machine(dsvm: Type) -> None:
    screen = dsvm("cp", "a", "b")

    assert screen.code == 2
    assert screen.err == (
        "error: exactly one side of a copy is in a machine\n"
        "hint: dsvm cp FILE NAME:PATH, or dsvm cp NAME:PATH FILE\n"
    )


def test_all_mistakes_of_a_definition_are_shown_at_once(dsvm: Type, folder: Path) -> None:
    (folder / "dsvm.toml").write_text('name = "lab"\ntools = ["pytorh"]\nprofil = "starter"\n')

    screen = dsvm("lock", "--check")

    assert screen.code == 1
    assert screen.err.count("error: ") == 2
    assert "dsvm.toml:2" in screen.err
    assert "dsvm.toml:3" in screen.err
    assert screen.err.count("hint: ") == 2
    assert "Traceback" not in screen.err


def test_a_group_of_errors_is_printed_one_after_another(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    first = DsvmError("one", cause="two\nlines", log=tmp_path / "x.log", where=["dsvm.toml:4  a"])
    second = DsvmError("two", remedy="do it")

    code = told(ErrorGroup([first, second]), debug=False)

    assert code == 1
    assert capsys.readouterr().err == (
        "error: one\n"
        "  dsvm.toml:4  a\n"
        "  cause: two\n"
        "         lines\n"
        f"  log:   {tmp_path}/x.log\n"
        "\n"
        "error: two\n"
        "hint: do it\n"
    )


def test_a_full_disk_is_an_error_with_a_remedy(capsys: pytest.CaptureFixture[str]) -> None:
    code = told(OSError(errno.ENOSPC, "No space left on device", "/big/file"), debug=False)

    assert code == 1
    assert capsys.readouterr().err == (
        "error: no space left on device: /big/file\n"
        "hint: `dsvm gc` frees what no machine needs; DSVM_HOME moves everything to a larger disk\n"
    )


@pytest.mark.parametrize(
    "error",
    [
        httpx.ConnectError("[Errno 111] Connection refused"),
        ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"),
        socket.gaierror(-2, "Name or service not known"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_network_that_fails_is_no_bug(
    error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    assert told(error, debug=False) == 1
    assert capsys.readouterr().err == (
        "error: a download failed\n"
        f"  cause: {error}\n"
        "hint: look at the network and its proxy: `dsvm doctor` shows which sources are reached\n"
    )


def test_a_folder_of_somebody_else_names_its_owner(capsys: pytest.CaptureFixture[str]) -> None:
    told(PermissionError(errno.EACCES, "Permission denied", "/etc/x/y"), debug=False)

    assert capsys.readouterr().err == (
        "error: permission denied: /etc/x/y\n"
        "hint: /etc belongs to root: call dsvm as that user, or set DSVM_HOME to a folder of "
        "yours\n"
    )


def test_a_bug_shows_its_traceback_and_asks_for_a_report(
    capsys: pytest.CaptureFixture[str],
) -> None:
    try:
        raise KeyError("oops")
    except KeyError as bug:
        code = told(bug, debug=False)

    lines = capsys.readouterr().err.splitlines()
    assert code == 1
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-2] == "error: KeyError: 'oops'"
    assert lines[-1].startswith("hint: this is a bug in dsvm: please report it")


def test_debug_shows_the_traceback_of_an_error_too(dsvm: Type) -> None:
    screen = dsvm("ssh", "lab", "--debug")

    assert screen.code == 1
    assert screen.err.startswith("Traceback")
    assert screen.err.splitlines()[-2] == "error: there is no machine `lab`"


def test_ctrl_c_is_told_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert told(Interrupted(), debug=False) == 130
    assert capsys.readouterr().err == (
        "interrupted; what was finished is kept, the same command goes on\n"
    )


def test_a_signal_to_end_is_obeyed_in_one_line(folder: Path) -> None:
    program = (
        "import os, signal, sys; from dsvm import cli; import dsvm.cli.trouble\n"
        "cli.invoke = lambda args: os.kill(os.getpid(), signal.SIGTERM)\n"
        "try: cli.main()\n"
        "except KeyboardInterrupt as end: sys.exit(cli.trouble.told(end, debug=False))"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", program], capture_output=True, text=True, check=False
    )

    assert (done.returncode, len(done.stderr.splitlines())) == (130, 1)


def test_a_reader_that_leaves_is_no_error(folder: Path) -> None:
    command = f"{sys.executable} -P -m dsvm schema | true"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)

    assert done.stderr == ""


def test_what_would_lose_data_refuses_without_a_terminal_or_yes(
    dsvm: Type, folder: Path, tmp_path: Path
) -> None:
    a_machine(tmp_path / "home", "lab", folder)

    screen = dsvm("rm", "lab")

    assert screen.code == 1
    assert screen.err == (
        "error: not done without a yes: remove machine `lab` and all files in it?\n"
        "  cause: there is no terminal to ask on\n"
        "hint: add --yes\n"
    )


def test_ls_as_json_is_a_list_also_when_it_is_empty(dsvm: Type) -> None:
    assert dsvm("ls", "--json").out == "[]\n"
    assert dsvm("ls").err == "no machine yet: `dsvm up` makes the one of your dsvm.toml\n"


def test_tools_as_json_have_the_stable_keys(dsvm: Type) -> None:
    keys = {"name", "title", "group", "summary", "licence", "sources", "profiles"}
    found = json.loads(dsvm("tools", "--json").out)

    assert {"python", "r", "jupyterlab", "xgboost", "git", "vim", "pytorch"} <= {
        tool["name"] for tool in found
    }
    assert all(tool.keys() == keys for tool in found)


def test_tools_are_found_by_words_and_one_that_is_named_is_shown(dsvm: Type) -> None:
    found = dsvm("tools", "boosted", "TREES")
    page = dsvm("tools", "git")

    assert [line.split()[0] for line in found.out.splitlines()] == [
        "NAME",
        "catboost",
        "lightgbm",
        "xgboost",
    ]
    assert re.search(r"^start +git clone ADDRESS$", page.out, re.MULTILINE)
    assert re.search(r"^ +prints: On branch main$", page.out, re.MULTILINE)
    assert dsvm("tools", "find", "git").out == page.out


def test_a_tools_page_has_the_version_that_the_lock_here_has(dsvm: Type, folder: Path) -> None:
    git = OsPackage(
        name="git",
        version="1:2.47.3-0+deb13u1",
        architecture="amd64",
        sha256="0" * 64,
        size=1,
        source="debian/trixie",
        path="pool/main/g/git/git.deb",
    )
    tree = OsTree(suite="trixie", roots=("git",), packages=(git,))
    dsvm("init", "lab")
    write_lock(folder / "dsvm.lock", example(os=tree))

    assert json.loads(dsvm("tools", "git", "--json").out)["versions"] == {"git": git.version}


def test_a_new_tool_says_how_it_is_tested_and_added(dsvm: Type, folder: Path) -> None:
    screen = dsvm("tools", "new", "sums")

    assert screen.out == "our-tools/sums\n"
    assert screen.err == (
        "edit our-tools/sums/tool.toml; each of its lines says what it is for\n"
        'in dsvm.toml: [catalog] paths = ["our-tools"]\n'
        "then `dsvm tools test sums`, and `dsvm add sums`\n"
    )
    (folder / "dsvm.toml").write_text('name = "lab"\n[catalog]\npaths = ["our-tools"]\n')
    assert "sums" in dsvm("tools", "json").out
    assert dsvm("tools", "new", "more").err.endswith(
        "`dsvm tools test more`, and `dsvm add more`\n"
    )


def test_the_bill_of_materials_is_written_from_the_lock_here(dsvm: Type, folder: Path) -> None:
    dsvm("init", "lab")
    missing = dsvm("sbom")
    write_lock(folder / "dsvm.lock", example())

    written, shown = dsvm("sbom", "--output", "bill.json"), dsvm("sbom")

    assert missing.err == "error: there is no dsvm.lock\nhint: `dsvm lock` writes it\n"
    assert (written.out, written.err) == ("", "wrote bill.json\n")
    assert (folder / "bill.json").read_text() == shown.out
    assert json.loads(shown.out)["metadata"]["component"]["name"] == "lab"


def test_init_writes_a_definition_that_every_command_can_read(dsvm: Type, folder: Path) -> None:
    screen = dsvm("init", "lab")

    assert screen.code == 0
    assert screen.out == f"{folder}/dsvm.toml\n"
    assert screen.err == "wrote HERE/dsvm.toml with the profile `starter`; edit it as you like\n"
    stale = dsvm("lock", "--check")
    assert stale.code == 1
    assert stale.err == (
        "error: there is no dsvm.lock\n"
        "hint: `dsvm lock` brings it up to date, keeping versions that still fit\n"
    )
    again = dsvm("init")
    assert again.code == 1
    assert again.err == "error: HERE/dsvm.toml exists\nhint: edit it, or remove it first\n"


def test_adding_an_unknown_tool_leaves_the_definition_as_it_was(dsvm: Type, folder: Path) -> None:
    dsvm("init", "lab")
    before = (folder / "dsvm.toml").read_bytes()

    screen = dsvm("add", "git", "pytorh")

    assert screen.code == 1
    assert "did you mean `pytorch`?" in screen.err
    assert (folder / "dsvm.toml").read_bytes() == before


def test_an_unknown_engine_names_those_there_are(dsvm: Type) -> None:
    dsvm("init", "lab")

    screen = dsvm("up", "--engine", "vmware")

    assert screen.code == 2
    assert (
        screen.err == "error: unknown engine `vmware`\nhint: the engines are: auto, qemu, nspawn\n"
    )


def test_the_version_is_the_packages(dsvm: Type) -> None:
    from dsvm import __version__

    assert dsvm("--version").out == f"{__version__}\n"


def test_words_after_the_two_hyphens_are_not_dsvms(dsvm: Type) -> None:
    screen = dsvm("run", "lab", "--", "ls", "--debug", "--yes", "--nonsense")

    assert screen.code == 1
    assert screen.err.startswith("error: there is no machine `lab`")


def test_colour_only_on_a_terminal_and_without_no_color(monkeypatch: pytest.MonkeyPatch) -> None:
    from dsvm.console import has_colour

    leader, follower = os.openpty()
    with os.fdopen(follower, "w") as terminal, os.fdopen(leader):
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.delenv("NO_COLOR", raising=False)
        assert has_colour(terminal)
        monkeypatch.setenv("NO_COLOR", "1")
        assert not has_colour(terminal)


def test_open_takes_a_single_word_for_an_app_of_the_machine_here(folder: Path) -> None:
    from dsvm.home import Home
    from dsvm.machines.pages import app_meant
    from dsvm.machines.state import Machines

    machines = Machines(Home(folder.parent / "home"))
    a_machine(machines.home.root, "lab", folder)
    a_machine(machines.home.root, "other", folder)
    (folder / "dsvm.toml").write_text('name = "lab"\n')

    def meant(name: str | None, app: str | None) -> tuple[str, str | None]:
        machine, found = app_meant(machines, name, app, folder)
        return machine.name, found

    assert meant(None, None) == ("lab", None)
    assert meant("jupyterlab", None) == ("lab", "jupyterlab")
    assert meant("other", None) == ("other", None)
    assert meant("other", "jupyterlab") == ("other", "jupyterlab")


def test_open_says_what_a_word_is_not(dsvm: Type, folder: Path, tmp_path: Path) -> None:
    a_machine(tmp_path / "home", "lab", folder)
    (folder / "dsvm.toml").write_text('name = "lab"\n')

    screen = dsvm("open", "jupiter")

    assert screen.code == 2
    assert screen.err == (
        "error: `jupiter` is neither a machine nor an app of `lab`\n"
        "hint: its apps: jupyterlab; `dsvm ls` lists the machines\n"
    )


def test_the_hardware_of_this_computer_is_told_to_people_and_programs(dsvm: Type) -> None:
    told = json.loads(dsvm("hardware", "--json").out)
    screen = dsvm("hardware")

    assert screen.code == 0
    assert told["processors"]["threads"] == os.cpu_count()
    assert told["kernel"] == os.uname().release
    assert told["processors"]["model"] in screen.out
    assert {gpu["name"] for gpu in told["gpus"]} == {
        gpu["name"] for gpu in told["gpus"] if gpu["name"] in screen.out
    }
