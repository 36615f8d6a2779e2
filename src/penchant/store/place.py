"""Where a store may lie: a directory of a local disk that this process can use."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from penchant.store.faults import StoreError, StoreReadOnly
from penchant.types import InvalidInput

# Beside the tables and no part of any: without them a store answers otherwise, or for strangers.
KEY_FILE, SCALES_FILE = "privacy.key", "scales.json"
STOPS_FILE = "experiments.json"  # what of experiments was stopped
HEADLINES_FILE = "headlines.json"  # lines that were written for items, and what was decided of them

# SQLite in WAL mode shares memory between processes and trusts file locks; these give neither.
_NETWORK = re.compile(
    r"(nfs4?|cifs|smb[23]|smbfs|afpfs|webdav|davfs|ncpfs|afs|glusterfs|ceph|lustre|beegfs|gpfs"
    r"|fuse\.(sshfs|s3fs|gcsfuse|rclone|glusterfs|ceph|blobfuse2?|goofys|mount-s3|davfs2?))"
)


def as_path(given: object, name: str) -> Path:
    """Return a path; InvalidInput where the caller gave something else."""
    if not isinstance(given, str | os.PathLike) or "\0" in str(given):
        raise InvalidInput(f"{name} is a path, got {type(given).__name__} {given!r:.80}")
    return Path(given)


def file_system(path: Path, mounts: Path = Path("/proc/mounts")) -> str | None:
    """Return the type of the file system that holds `path`, None where that cannot be known."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    best, kind = "", None
    real = f"{path.resolve()}/"
    for line in lines:
        fields = line.split()
        if len(fields) < 3:
            continue
        point = fields[1].encode().decode("unicode_escape", errors="replace").rstrip("/") + "/"
        # A later mount on the same point hides the earlier one.
        if real.startswith(point) and len(point) >= len(best):
            best, kind = point, fields[2]
    return kind


def prepare(
    directory: Path, *, read_only: bool, local: bool, mounts: Path = Path("/proc/mounts")
) -> None:
    """Create the directory where it is missing, and refuse one that cannot hold a store.

    `local` says that database files lie in it, so that a network file system is refused.
    """
    if read_only and not directory.exists():
        raise StoreError(f"{directory} does not exist; nothing can be read from it")
    if not directory.is_dir():
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise StoreError(
                f"{directory} is a file, or lies in one; a store is a directory, choose another"
            ) from error
        except OSError as error:
            raise StoreError(
                f"{directory} cannot be created ({error.strerror}); choose another path"
            ) from error
    if not os.access(directory, os.R_OK | os.X_OK):
        raise StoreError(f"{directory} cannot be read by this process; change its permissions")
    if not read_only and not os.access(directory, os.W_OK):
        raise StoreReadOnly(
            f"{directory} can only be read; give this process the right to write there, "
            "or open it with read_only=True"
        )
    if local and sys.platform.startswith("linux"):
        kind = file_system(directory, mounts)
        if kind is not None and _NETWORK.fullmatch(kind):
            raise StoreError(
                f"{directory} lies on a network file system ({kind}), where SQLite loses data; "
                "choose a local disk, or give the URL of a PostgreSQL database"
            )
