"""Where things are kept between runs: downloads and the base root file system."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from agentsys_sandbox.errors import Unavailable

_SYSTEM_CACHE = Path("/var/cache/agentsys")


def cache_dir() -> Path:
    """The folder AGENTSYS_CACHE_DIR names, otherwise the user's cache directory. Not created here."""
    configured = os.environ.get("AGENTSYS_CACHE_DIR", "")
    if configured:
        return Path(configured).expanduser().absolute()
    import platformdirs

    return Path(platformdirs.user_cache_dir("agentsys"))


def shared_dir() -> Path:
    """A cache folder that another uid can enter, as bubblewrap needs when agentsys runs as root.

    An ordinary user's own cache directory will do, because the sandbox keeps the uid of the caller.

    Raises:
        Unavailable: agentsys runs as root and AGENTSYS_CACHE_DIR lies below a private folder.
    """
    chosen = cache_dir()
    if os.geteuid() != 0 or enterable(chosen):
        return chosen
    if os.environ.get("AGENTSYS_CACHE_DIR"):
        raise Unavailable(
            f"other users cannot enter `{chosen}`, so a sandbox that gives up root cannot either",
            "point `AGENTSYS_CACHE_DIR` to a folder that everybody may enter, such as `/var/cache/agentsys`",
        )
    return _SYSTEM_CACHE


def enterable(path: Path) -> bool:
    """True if every existing folder on the way to `path` may be entered by everybody."""
    for folder in (path, *path.parents):
        try:
            mode = folder.stat().st_mode
        except FileNotFoundError:
            continue
        except PermissionError:
            return False
        if not mode & stat.S_IXOTH:
            return False
    return True
