"""Finds on which line of a TOML text each key and each list element stands, since tomllib does not tell.

It reads only texts that tomllib has accepted, so it checks nothing: it walks over strings, comments and brackets and keeps count. Paths are
tuples of table names, keys and list positions: ("service", "exec_start", 1). An unexpected text yields fewer lines, never an exception.
"""

Path = tuple[str | int, ...]


def key_lines(text: str) -> dict[Path, int]:
    """The line (from 1) of every table, key and list element. A table is where its header or its first key stands."""
    scanner = _Scanner(text)
    try:
        scanner.document()
    except IndexError:
        pass  # the text ended where tomllib would not have let it: what was found so far still serves
    return scanner.lines


def _decoded(inside: str) -> str:
    """What stands between double quotes, without its escapes."""
    if "\\" not in inside:
        return inside
    import tomllib  # such keys are rare

    return str(tomllib.loads(f'key = "{inside}"')["key"])


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.line = 1
        self.counted = 0
        self.lines: dict[Path, int] = {}
        self.array_sizes: dict[Path, int] = {}

    def document(self) -> None:
        table: Path = ()
        while self.skip_blank():
            if self.text[self.position] == "[":
                table = self.header()
            else:
                self.key_value(table)

    def current_line(self) -> int:
        self.line += self.text.count("\n", self.counted, self.position)
        self.counted = self.position
        return self.line

    def note(self, path: Path, line: int) -> None:
        for length in range(1, len(path) + 1):
            self.lines.setdefault(path[:length], line)

    def skip_blank(self) -> bool:
        """Move over blanks, line ends and comments; False at the end of the text."""
        while self.position < len(self.text):
            char = self.text[self.position]
            if char == "#":
                end = self.text.find("\n", self.position)
                self.position = len(self.text) if end < 0 else end
            elif char in " \t\r\n":
                self.position += 1
            else:
                return True
        return False

    def header(self) -> Path:
        """`[a.b]` or `[[a.b]]`: the path of the table it opens, list positions of enclosing arrays of tables included."""
        line = self.current_line()
        is_array = self.text.startswith("[[", self.position)
        self.position += 2 if is_array else 1
        path: Path = ()
        keys = self.dotted_key("]")
        for index, key in enumerate(keys):
            path += (key,)
            if path in self.array_sizes and not (is_array and index == len(keys) - 1):
                path += (self.array_sizes[path] - 1,)
        self.position += 2 if is_array else 1
        if is_array:
            size = self.array_sizes[path] = self.array_sizes.get(path, 0) + 1
            path += (size - 1,)
        self.note(path, line)
        return path

    def key_value(self, table: Path) -> None:
        line = self.current_line()
        path = table + tuple(self.dotted_key("="))
        self.position += 1
        self.note(path, line)
        self.value(path)

    def dotted_key(self, end: str) -> list[str]:
        keys: list[str] = []
        while True:
            self.skip_blank()
            char = self.text[self.position]
            if char in "\"'":
                keys.append(_decoded(self.string()) if char == '"' else self.string())
            else:
                start = self.position
                while self.text[self.position] not in f" \t.\r\n{end}":
                    self.position += 1
                keys.append(self.text[start : self.position])
            self.skip_blank()
            if self.text[self.position] != ".":
                return keys
            self.position += 1

    def string(self) -> str:
        """Move over a string of any of the four kinds; its raw inside."""
        quote = self.text[self.position]
        delimiter = quote * 3 if self.text.startswith(quote * 3, self.position) else quote
        start = self.position + len(delimiter)
        self.position = start
        while not self.text.startswith(delimiter, self.position):
            self.position += 2 if quote == '"' and self.text[self.position] == "\\" else 1
            if self.position >= len(self.text):
                raise IndexError
        inside = self.text[start : self.position]
        self.position += len(delimiter)
        while len(delimiter) == 3 and self.text.startswith(quote, self.position):
            self.position += 1  # """x"""" ends with a quote of its own
        return inside

    def value(self, path: Path) -> None:
        self.skip_blank()
        char = self.text[self.position]
        if char in "\"'":
            self.string()
        elif char == "[":
            self.sequence(path, "]")
        elif char == "{":
            self.sequence(path, "}")
        else:
            while self.position < len(self.text) and self.text[self.position] not in ",]}#\n":
                self.position += 1

    def sequence(self, path: Path, end: str) -> None:
        """A list or an inline table, from its opening bracket to its closing one."""
        self.position += 1
        index = 0
        while True:
            self.skip_blank()
            if self.text[self.position] == end:
                self.position += 1
                return
            if self.text[self.position] == ",":
                self.position += 1
            elif end == "]":
                self.note((*path, index), self.current_line())
                self.value((*path, index))
                index += 1
            else:
                self.key_value(path)
