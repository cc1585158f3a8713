"""The threads behind `asyncio.to_thread`, for what may block at a request's behest: reading unit files, logs and overrides.

Where no further thread is to be had (a limit of processes), those that are there do the work. It never decides what is done, and never
reports a piece of work as failed that is done all the same. Work for the engine, whose answers come in their order, is `workers`'.
"""

from concurrent.futures import ThreadPoolExecutor


class Pool(ThreadPoolExecutor):
    """A pool that has one thread from the beginning, so that no work is refused for want of another, and none is done and called failed."""

    def __init__(self) -> None:
        super().__init__(thread_name_prefix="loop")
        self.submit(int)

    def _adjust_thread_count(self) -> None:
        """Called by `submit`, whose work is in the queue by then."""
        try:
            super()._adjust_thread_count()
        except RuntimeError:
            if not self._threads:
                raise
