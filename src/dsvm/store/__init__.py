"""Content-addressed files: downloads, layers and images, each named by the sha256 of its bytes.

The disk layout, below `$DSVM_HOME/store`:

    lock                    flock: shared while blobs are used or added, exclusive while gc removes
    blobs/ab/abcdef...      one file, read-only; its name is the sha256 (hex) of its content
    partial/XXXX.partial    a file being written; flocked by its writer for as long as it lives
    layers/<key>.json       record of a built layer, by the digest of all it depends on
    images/<id>.json        record of an image
    sound/abcdef...         when a blob's content was last seen to be what its name says

The rules:

- A blob appears complete or not at all: it is written in `partial/`, hashed while it is written,
  then renamed (same file system). So any number of processes may put at once, also the same blob.
- A process that is killed leaves only `*.partial`. The kernel drops its flock, so whoever
  writes next, and `gc`, can tell a dead partial file from a live one, and remove it.
- Nothing is synced: all of it can be fetched or built again with the same bytes, and waiting for
  the disk would cost more than that seldom does. After a power cut a blob may be short or empty,
  which `sound` sees, for it hashes each blob once after each boot; a torn record counts as none.
  A blob that is not sound is replaced by the next put of it.
- Work that puts blobs now and names them in a record later holds `using()`; `gc` refuses meanwhile.
- A record names its blobs by its fields called `digest`, at any depth.
"""

from dsvm.store.faults import DamagedBlob, MissingBlob, StoreBusy, StoreFull, binary_size
from dsvm.store.files import file_digest
from dsvm.store.store import Store, Writer

__all__ = [
    "DamagedBlob",
    "MissingBlob",
    "Store",
    "StoreBusy",
    "StoreFull",
    "Writer",
    "binary_size",
    "file_digest",
]
