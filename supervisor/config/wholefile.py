"""Small files that are replaced as a whole: whoever reads one, after a crash or a power failure too, finds the old text or the new."""

import contextlib
import os


def replace_file(path: str, text: str) -> None:
    """Put `text` at `path`, for its owner's eyes alone; on disk, name and all, when this returns.

    Raises OSError; the old text is then still there. What a crash may leave is `path`.new, which the next call overwrites.
    """
    new = f"{path}.new"
    try:
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.rename(new, path)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(new)  # half a text is of no use, and it takes room that may be what is lacking
        raise
    directory = os.open(os.path.dirname(path) or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
