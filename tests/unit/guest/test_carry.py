"""A new layer under an overlay: real files, no mounts (the rules need none)."""

from __future__ import annotations

import json
import os
from pathlib import Path

from dsvm.guest import carry

SITE = "lib/python3.13/site-packages"
OLD, NEW = "a" * 64, "b" * 64


def distribution(prefix: Path, name: str, version: str, *files: str) -> None:
    info = f"{SITE}/{name}-{version}.dist-info"
    texts = {f"{SITE}/{file}": f"{name} {version}" for file in files}
    texts[f"{info}/METADATA"] = f"Name: {name}\nVersion: {version}\n"
    rows = [f"{Path(path).relative_to(SITE)},," for path in [*texts, f"{info}/RECORD"]]
    texts[f"{info}/RECORD"] = "\n".join(rows)
    for path, text in texts.items():
        put(prefix, path, text)


def put(prefix: Path, path: str, text: str = "x") -> None:
    (prefix / path).parent.mkdir(parents=True, exist_ok=True)
    (prefix / path).write_text(text)


def move(overlay: Path, layer: Path) -> carry.Carried | None:
    return carry.to_layer(overlay, layer, NEW, uid=os.getuid(), gid=os.getgid())


def on_old(tmp_path: Path) -> tuple[Path, Path, Path]:
    """An overlay that belongs to the old layer, its upper, and the new layer."""
    overlay, layer = tmp_path / "o" / "env", tmp_path / "layer"
    (layer / SITE).mkdir(parents=True)
    (overlay / "upper").mkdir(parents=True)
    (overlay / "layer").write_text(OLD + "\n")
    return overlay, overlay / "upper", layer


def test_a_package_the_new_layer_lacks_is_kept(tmp_path: Path) -> None:
    overlay, upper, layer = on_old(tmp_path)
    distribution(upper, "cowsay", "6.1", "cowsay/__init__.py", "../../../bin/cowsay")

    told = move(overlay, layer)

    assert told is not None
    assert told.kept == ("cowsay",)
    assert told.sentence() == ""
    assert (upper / "bin/cowsay").exists()
    assert (upper / SITE / "cowsay-6.1.dist-info/RECORD").exists()
    assert not list((overlay / "set-aside").iterdir())
    assert (overlay / "layer").read_text().strip() == NEW


def test_a_replaced_package_never_shadows_the_new_one(tmp_path: Path) -> None:
    overlay, upper, layer = on_old(tmp_path)
    distribution(upper, "six", "1.15.0", "six.py", "six_extra.py")
    distribution(layer, "six", "1.17.0", "six.py")

    told = move(overlay, layer)

    assert told is not None
    assert told.set_aside == ("six",)
    assert not [path for path in upper.rglob("*") if path.is_file()]
    aside = Path(told.place)
    assert (aside / "upper" / SITE / "six_extra.py").read_text() == "six 1.15.0"
    assert json.loads((aside / "record.json").read_text())["set_aside"] == ["six"]
    assert str(aside) in told.sentence()


def test_a_package_whose_file_the_new_layer_has_under_another_name_is_set_aside(
    tmp_path: Path,
) -> None:
    overlay, upper, layer = on_old(tmp_path)
    distribution(upper, "fork", "1", "shared.py")
    distribution(layer, "original", "2", "shared.py")

    told = move(overlay, layer)

    assert told is not None
    assert told.set_aside == ("fork",)


def test_files_of_ones_own_are_kept_where_the_new_layer_has_nothing(tmp_path: Path) -> None:
    overlay, upper, layer = on_old(tmp_path)
    put(upper, f"{SITE}/mine.py", "mine")
    put(upper, f"{SITE}/taken.py", "mine")
    put(layer, f"{SITE}/taken.py", "theirs")

    told = move(overlay, layer)

    assert told is not None
    assert (upper / SITE / "mine.py").read_text() == "mine"
    assert not (upper / SITE / "taken.py").exists()
    assert told.files_set_aside == 1


def test_another_python_sets_aside_what_was_installed_for_the_old_one(tmp_path: Path) -> None:
    overlay, upper, layer = on_old(tmp_path)
    old_site = "lib/python3.11/site-packages"
    put(upper, f"{old_site}/cowsay/__init__.py")
    put(upper, f"{old_site}/cowsay-6.1.dist-info/METADATA")
    put(
        upper,
        f"{old_site}/cowsay-6.1.dist-info/RECORD",
        "cowsay/__init__.py,,\ncowsay-6.1.dist-info/RECORD,,\n",
    )

    told = move(overlay, layer)

    assert told is not None
    assert told.set_aside == ("cowsay",)
    assert not (upper / "lib/python3.11").exists()


def test_directories_made_for_ownership_are_no_packages(tmp_path: Path) -> None:
    overlay, upper, layer = on_old(tmp_path)
    distribution(layer, "six", "1.17.0", "six.py")
    (upper / SITE / "six-1.16.0.dist-info").mkdir(parents=True)

    told = move(overlay, layer)

    assert told is not None
    assert told.sentence() == ""


def test_byte_code_never_moves_to_another_layer(tmp_path: Path) -> None:
    overlay, upper, layer = on_old(tmp_path)
    put(upper, f"{SITE}/__pycache__/six.cpython-313.pyc")

    told = move(overlay, layer)

    assert told is not None
    assert not list(upper.rglob("*.pyc"))
    assert told.sentence() == ""


def test_the_same_layer_changes_nothing(tmp_path: Path) -> None:
    overlay, upper, layer = on_old(tmp_path)
    (overlay / "layer").write_text(NEW + "\n")
    put(upper, f"{SITE}/mine.py")

    assert move(overlay, layer) is None
    assert (upper / SITE / "mine.py").exists()


def test_a_kill_between_two_files_is_survived(tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    overlay, upper, layer = on_old(tmp_path)
    distribution(upper, "cowsay", "6.1", *(f"cowsay/{number}.py" for number in range(6)))
    distribution(upper, "six", "1.15.0", "six.py")
    distribution(layer, "six", "1.17.0", "six.py")
    real, left = carry._move, 4

    def dies(old: Path, new: Path, file: Path) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise KeyboardInterrupt
        real(old, new, file)

    monkeypatch.setattr(carry, "_move", dies)
    try:
        move(overlay, layer)
    except KeyboardInterrupt:
        monkeypatch.setattr(carry, "_move", real)

    told = move(overlay, layer)

    assert told is not None
    assert told.set_aside == ("six",)
    assert sorted(path.name for path in (upper / SITE / "cowsay").iterdir()) == [
        f"{number}.py" for number in range(6)
    ]
    assert (upper / SITE / "cowsay-6.1.dist-info/RECORD").exists()
    assert not (overlay / "carry.json").exists()
