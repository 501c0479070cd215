"""What a changed definition implies, from the two wishes alone."""

from __future__ import annotations

import pytest

from dsvm.definition.model import Definition, SizeDefinition, UserDefinition
from dsvm.engines.base import Size
from dsvm.errors import DsvmError
from dsvm.lock.model import LockedArtifact, LockedNpm
from dsvm.machines.plan import Change, plan_change
from tests.unit.machines.support import SIZE, deb, environment, lock, tree, wish

GIT, VIM, R = deb("git"), deb("vim"), deb("r-base")
BASE = environment("base", "numpy==2.0")


def test_the_same_wish_changes_nothing() -> None:
    one = wish(lock(tree(GIT), BASE), tools={"git": (("git",), None)})

    assert plan_change(one, one) == Change()


def test_other_devices_of_the_host_need_a_restart_and_prove_everything() -> None:
    tools: dict[str, tuple[tuple[str, ...], str | None]] = {
        "git": (("git",), None),
        "r": ((), None),
    }
    size = SizeDefinition(devices=["nvidia.com/gpu=0"])
    given = Definition(name="lab", size=size)
    locked = lock(tree(GIT), BASE)

    change = plan_change(wish(locked, tools=tools), wish(locked, given, tools))

    assert change.restart == ("the devices of the host changed",)
    assert change.prove == ("git", "r")
    assert plan_change(wish(locked, given, tools), wish(locked, given, tools)) == Change()


def test_an_added_environment_is_a_layer_and_proves_its_tools_only() -> None:
    boosting = environment("boosting", "xgboost==3.0")
    old = wish(lock(tree(GIT), BASE), tools={"git": (("git",), None)})
    tools: dict[str, tuple[tuple[str, ...], str | None]] = {
        "git": (("git",), None),
        "xgboost": ((), "boosting"),
    }

    change = plan_change(old, wish(lock(tree(GIT), BASE, boosting), tools=tools))

    assert change.environments == ("boosting",)
    assert change.prove == ("xgboost",)
    assert change.restart == ()
    assert change.said == ("environment boosting added",)


def test_another_version_swaps_the_environment() -> None:
    newer = environment("base", "numpy==2.1")

    change = plan_change(wish(lock(tree(GIT), BASE)), wish(lock(tree(GIT), newer)))

    assert change.environments == ("base",)
    assert change.said == ("environment base swapped",)


def test_an_environment_is_swapped_when_its_interpreter_is_another() -> None:
    one = environment("torch", "torch==2", interpreter="3.11")
    old = lock(tree(GIT), one, interpreters={"3.11": tree(deb("python3.11", "3.11.2"))})
    new = lock(tree(GIT), one, interpreters={"3.11": tree(deb("python3.11", "3.11.3"))})

    assert plan_change(wish(old), wish(new)).environments == ("torch",)


def test_a_new_package_proves_only_the_tool_that_asked() -> None:
    old = wish(lock(tree(GIT)), tools={"git": (("git",), None)})
    tools: dict[str, tuple[tuple[str, ...], str | None]] = {
        "git": (("git",), None),
        "vim": (("vim",), None),
    }

    change = plan_change(old, wish(lock(tree(GIT, VIM)), tools=tools))

    assert change.install == (VIM,)
    assert change.remove == ()
    assert change.prove == ("vim",)
    assert change.said == ("package vim 1.0 added",)


def test_an_upgraded_package_proves_everything() -> None:
    tools: dict[str, tuple[tuple[str, ...], str | None]] = {
        "git": (("git",), None),
        "r": (("r-base",), None),
    }
    newer = deb("git", "2.0")

    change = plan_change(
        wish(lock(tree(GIT, R)), tools=tools), wish(lock(tree(newer, R)), tools=tools)
    )

    assert change.install == (newer,)
    assert change.prove == ("git", "r")
    assert change.said == ("package git 1.0 → 2.0",)


def test_a_package_no_longer_asked_for_is_removed() -> None:
    change = plan_change(wish(lock(tree(GIT, VIM))), wish(lock(tree(GIT))))

    assert change.remove == ("vim",)
    assert change.said == ("package vim 1.0 removed",)


def test_apps_that_come_go_and_change_are_told_and_prove_their_tools() -> None:
    nothing: tuple[tuple[str, ...], str | None] = ((), None)
    tools = dict.fromkeys(("editor", "kept", "notices"), nothing)
    old = lock(tree(GIT)).model_copy(
        update={
            "npm": (npm("kept"), npm("gone")),
            "artifacts": (artifact("editor", "1"), artifact("also-gone", "1")),
        }
    )
    new = lock(tree(GIT)).model_copy(
        update={"npm": (npm("kept"), npm("notices")), "artifacts": (artifact("editor", "2"),)}
    )

    change = plan_change(
        wish(old, tools={**tools, "gone": nothing}, ports=(80, 81)),
        wish(new, tools=tools, ports=(80,)),
    )

    assert change.said == (
        "app editor swapped",
        "app notices added",
        "app also-gone taken away",
        "app gone taken away",
        "a page is gone; its port of this host closes at the machine's next start",
    )
    assert change.prove == ("editor", "notices")
    assert change.restart == ()


def npm(tool: str) -> LockedNpm:
    return LockedNpm(tool=tool, requirements={}, packages=(), package_lock="{}")


def artifact(tool: str, content: str) -> LockedArtifact:
    return LockedArtifact(tool=tool, url="https://maker.example/a.tgz", sha256=content, size=1)


def test_mounts_and_app_ports_need_a_restart_cpus_memory_and_disk_do_not() -> None:
    locked = lock(tree(GIT))
    mounted = Definition(name="lab", mounts={"~/data": "/srv/data"})
    larger = Size(SIZE.cpus, SIZE.memory, SIZE.disk * 2)
    faster = Size(SIZE.cpus + 1, SIZE.memory * 2, SIZE.disk)

    def why(**new: object) -> tuple[str, ...]:
        return plan_change(wish(locked), wish(locked, **new)).restart  # type: ignore[arg-type]

    assert why(definition=mounted) == ("the mounts changed",)
    assert why(size=larger) == ()
    assert why(size=faster) == ()
    assert why(ports=(8888,)) == ("an app needs a port of the host",)


def test_a_larger_disk_is_told_apart_from_other_processors() -> None:
    locked = lock(tree(GIT))
    larger = Size(SIZE.cpus, SIZE.memory, SIZE.disk * 2)
    changed = plan_change(wish(locked), wish(locked, size=larger))

    assert (changed.size, changed.disk) == (False, True)
    assert changed.said[0].endswith("80G of disk")


def test_users_need_no_restart_and_no_proof_and_each_is_named() -> None:
    locked = lock(tree(GIT))

    def lab(**keys: str) -> Definition:
        users = {name: UserDefinition(keys=[f"ssh-ed25519 {key}"]) for name, key in keys.items()}
        return Definition(name="lab", users=users)

    before, after = lab(ada="AAAA", bob="BBBB"), lab(bob="CCCC", eve="DDDD")
    changed = plan_change(wish(locked, before), wish(locked, after))

    assert changed == Change(users=changed.users, said=changed.users)
    assert [line.split(" and ")[0] for line in changed.said] == [
        "user eve may log in",
        "user ada can no longer log in",
        "user bob has other keys",
    ]
    assert "/home/ada and changes of environments stay" in changed.said[1]


def test_a_disk_never_shrinks() -> None:
    locked = lock(tree(GIT))
    smaller = Size(SIZE.cpus, SIZE.memory, SIZE.disk // 2)

    with pytest.raises(DsvmError) as refused:
        plan_change(wish(locked), wish(locked, size=smaller))

    assert refused.value.cause == "it is 40G, the definition now says 20G"


def test_another_base_is_refused_with_the_remedy() -> None:
    with pytest.raises(DsvmError) as refused:
        plan_change(wish(lock(tree(GIT))), wish(lock(tree(GIT), base="debian-12")))

    assert refused.value.what == "machine `lab` runs debian-13, the definition now says debian-12"
    assert "dsvm rm lab" in (refused.value.remedy or "")
