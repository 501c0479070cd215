"""Files of a model hub, by the hub's own client, each of a digest that is known beforehand.

The client finds the address (`HF_ENDPOINT`), signs in where a repository asks for it (`HF_TOKEN`)
and goes on with a file that came in part. What it brings counts only with the right digest.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from dsvm.catalog.origins import HubNeed
from dsvm.errors import DsvmError
from dsvm.home import Home
from dsvm.lock.model import HubFile, LockedHub
from dsvm.lock.reached import NotReached
from dsvm.progress import Progress, Silent
from dsvm.store import Store

if TYPE_CHECKING:
    from huggingface_hub.errors import HfHubHTTPError

FORBIDDEN = (401, 403)
ABSENT = 404
CHUNK = 1024**2


class OtherFile(DsvmError):
    """A hub gives another file than the one whose digest the definition names."""

    def __init__(self, place: str, wanted: str, found: str) -> None:
        super().__init__(
            f"a file of a model is not the one that dsvm.toml names: {place}",
            cause=f"wanted: sha256 {wanted}\nnow:    sha256 {found}",
            remedy="look at the hub's page of it; if the new file is to be trusted, write its "
            "digest in dsvm.toml",
        )


def lock_hub(tool: str, need: HubNeed, home: Home) -> LockedHub:
    """The files with their sizes; they are in the store then.

    Raises `NotReached` when the hub does not answer, `OtherFile` for a wrong digest and
    `DsvmError` when it has no such file or wants somebody signed in.
    """
    store = Store(home.store)
    files = _fetched(need, need.files, store, home)
    return LockedHub(
        tool=tool,
        hub=need.hub,
        repository=need.repository,
        revision=need.revision,
        files=tuple(HubFile(path=p, sha256=need.files[p], size=files[p]) for p in sorted(files)),
    )


def fetch_hub(locked: LockedHub, home: Home, progress: Progress | None = None) -> None:
    """Put what is missing of the files in the store. Raises as `lock_hub` does."""
    store = Store(home.store)
    missing = {f.path: f.sha256 for f in locked.files if not store.sound(f.sha256, f.size)}
    if missing:
        with (progress or Silent()).step(f"fetching {locked.repository}"):
            _fetched(need_of(locked), missing, store, home)


def need_of(locked: LockedHub) -> HubNeed:
    """What was asked for when it was locked."""
    return HubNeed(
        hub=locked.hub,
        repository=locked.repository,
        revision=locked.revision,
        files={file.path: file.sha256 for file in locked.files},
    )


def _fetched(need: HubNeed, files: Mapping[str, str], store: Store, home: Home) -> dict[str, int]:
    """Path -> size in bytes of each file, which is in the store then."""
    found = {}
    for path, wanted in files.items():
        if not store.sound(wanted):
            place = home.cache / "hub" / need.repository.replace("/", "--") / need.revision
            came = hub_file(need.repository, path, need.revision, place)
            digest = _digest(came)
            if digest != wanted:
                came.unlink()
                raise OtherFile(f"{need.repository}/{path}", wanted, digest)
            store.put_file(came, expect=wanted)
            came.unlink()
        found[path] = store.get(wanted).stat().st_size
    return found


def hub_file(repository: str, path: str, revision: str, place: Path) -> Path:
    """One file as the client leaves it below `place`; it goes on there with what came in part.

    Raises `NotReached` when the hub does not answer, `DsvmError` when it has no such file or wants
    somebody signed in. Nobody has looked at its digest yet.
    """
    import huggingface_hub as client
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
    from huggingface_hub.utils.tqdm import disable_progress_bars

    disable_progress_bars()
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    where = f"{repository}/{path} at {revision[:12]}"
    try:
        came = client.hf_hub_download(
            repository,
            path,
            revision=revision,
            local_dir=place,
            endpoint=os.environ.get("HF_ENDPOINT"),
            user_agent="dsvm",
        )
    except HfHubHTTPError as refused:
        raise _refused(where, refused) from refused
    except LocalEntryNotFoundError as silent:
        reason = silent.__cause__ or silent
        raise NotReached(f"{where}: the hub does not answer: {_first_line(reason)}") from silent
    except OSError as silent:
        raise NotReached(f"{where}: {_first_line(silent)}") from silent
    return Path(came)


def _refused(where: str, refused: HfHubHTTPError) -> DsvmError:
    """What the hub's answer means for a person."""
    status = refused.response.status_code
    if status == ABSENT:
        return DsvmError(
            f"the hub has no {where}",
            remedy="correct its name: of the repository, the revision, or the file",
        )
    if status in FORBIDDEN:
        return DsvmError(
            f"the hub does not give {where} to everybody",
            cause=_first_line(refused),
            remedy="accept its terms on the hub's page, and set HF_TOKEN to a token of yours",
        )
    return NotReached(f"{where}: the hub answers {status}")


def _first_line(fault: BaseException) -> str:
    return (str(fault).strip().splitlines() or [type(fault).__name__])[0]


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
