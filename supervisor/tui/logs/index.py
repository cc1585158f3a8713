"""Which lines of a store a filter wants: the places per chunk, kept up as lines come and built in slices, newest first.

Laws:
- `extend` looks at each new line once; `build` looks at a bounded number of older ones a call, the newest chunk first, so that the page a
  person looks at is there at once and no call holds up a key.
- An id's position is its rank among the wanted lines; ids stay, positions move while older chunks are being looked at.
- After everything is built the index holds exactly the lines that `Filter.matches` wants. Tests hold it to a list made line by line.
"""

from array import array
from bisect import bisect_left

from supervisor.tui.logs.filters import Filter
from supervisor.tui.logs.store import LOCAL_BITS, LOCAL_MASK, Chunk, LogStore

SLICE_LINES = 1_000


class LogIndex:
    """The wanted lines of one store. With an empty filter every line is wanted, and nothing is kept."""

    def __init__(self, store: LogStore, wanted: Filter) -> None:
        self.store = store
        self.wanted = wanted
        self._is_all = wanted.is_empty
        self._places: dict[int, array[int]] = {}
        self._looked_at: dict[int, int] = {}
        self._generation = -1
        if store.chunks:
            # The living end is kept up by `extend`: what it holds now is looked at by `build`, like all that is older.
            self._live_number = store.chunks[-1].number
        else:
            self._live_number = -1

    def __len__(self) -> int:
        if self._is_all:
            return len(self.store)
        self._forget_dropped()
        return sum(map(len, self._places.values()))

    @property
    def is_complete(self) -> bool:
        if self._is_all:
            return True
        return all(self._looked_at.get(chunk.number, 0) == len(chunk) for chunk in self.store.chunks)

    def build(self, limit_lines: int = SLICE_LINES) -> bool:
        """Look at some more lines, the newest chunk that is not looked at first; False when there is nothing left to do."""
        if self._is_all:
            return False
        self._forget_dropped()
        for chunk in reversed(self.store.chunks):
            done = self._looked_at.get(chunk.number, 0)
            if done < len(chunk):
                self._look_at(chunk, done, min(len(chunk), done + limit_lines))
                return True
        return False

    def extend(self) -> int:
        """Look at the lines that came at the living end; how many of them are wanted. What is older than the last `build` is not begun."""
        if self._is_all:
            return 0
        found = 0
        for chunk in reversed(self.store.chunks):
            done = self._looked_at.get(chunk.number, 0)
            if chunk.number < self._live_number or (chunk.number == self._live_number and not done):
                break
            if done < len(chunk):
                found += self._look_at(chunk, done, len(chunk))
        if self.store.chunks:
            self._live_number = max(self._live_number, self.store.chunks[-1].number)
        return found

    def id_at(self, position: int) -> int:
        """The id of the wanted line of this rank. Raises IndexError."""
        if position >= 0:
            for chunk in self.store.chunks:
                count = self._count(chunk)
                if position < count:
                    return chunk.first_id + (position if self._is_all else self._places[chunk.number][position])
                position -= count
        raise IndexError(position)

    def ids(self, position: int, count: int) -> list[int]:
        """The ids of the wanted lines of rank `position` and after, at most `count`."""
        found: list[int] = []
        for chunk in self.store.chunks:
            if position >= (held := self._count(chunk)):
                position -= held
                continue
            stop = min(held, position + count - len(found))
            places = range(position, stop) if self._is_all else self._places[chunk.number][position:stop]
            found.extend([chunk.first_id + place for place in places])
            position = 0
            if len(found) >= count:
                break
        return found

    def position_of(self, line_id: int) -> int:
        """The rank of this id, or of the first wanted one after it; `len` if there is none."""
        number, place = line_id >> LOCAL_BITS, line_id & LOCAL_MASK
        position = 0
        for chunk in self.store.chunks:
            if chunk.number >= number:
                if chunk.number == number:
                    position += min(place, len(chunk)) if self._is_all else bisect_left(self._places.get(number, _NO_PLACES), place)
                break
            position += self._count(chunk)
        return position

    def holds(self, line_id: int) -> bool:
        """Whether this line is here and wanted."""
        try:
            chunk, place = self.store.find(line_id)
        except KeyError:
            return False
        if self._is_all:
            return True
        places = self._places.get(chunk.number, _NO_PLACES)
        at = bisect_left(places, place)
        return at < len(places) and places[at] == place

    def _count(self, chunk: Chunk) -> int:
        return len(chunk) if self._is_all else len(self._places.get(chunk.number, _NO_PLACES))

    def _look_at(self, chunk: Chunk, start: int, stop: int) -> int:
        found = self.wanted.places(chunk, start, stop)
        self._places.setdefault(chunk.number, array("H")).extend(found)
        self._looked_at[chunk.number] = stop
        return len(found)

    def _forget_dropped(self) -> None:
        if self._generation == self.store.generation:
            return
        self._generation = self.store.generation
        numbers = {chunk.number for chunk in self.store.chunks}
        for number in [number for number in self._looked_at if number not in numbers]:
            del self._looked_at[number]
            self._places.pop(number, None)


_NO_PLACES: "array[int]" = array("H")
