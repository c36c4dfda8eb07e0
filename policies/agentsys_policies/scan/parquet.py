"""How many rows a Parquet file says that it has, from its footer alone.

The footer is a Thrift structure in the compact protocol; its third field is the number of rows. Formats:
https://parquet.apache.org/docs/file-format/metadata/,
https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
"""

from __future__ import annotations

_ROWS = 3
_DEEPEST = 32
_STOP, _TRUE, _FALSE, _BYTE, _INT64 = 0, 1, 2, 3, 6


def parquet_rows(footer: bytes) -> int:
    """Return the number of rows. Raises: ValueError where the footer does not say it."""
    reader = _Reader(footer)
    number = 0
    while (kind := reader.byte()) & 15 != _STOP:
        number = number + (kind >> 4) if kind >> 4 else reader.signed()
        if number == _ROWS and kind & 15 == _INT64:
            rows = reader.signed()
            if rows < 0:
                break
            return rows
        reader.skip(kind & 15)
    raise ValueError("the footer names no number of rows")


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def byte(self) -> int:
        self._at += 1
        return self._data[self._at - 1]

    def unsigned(self) -> int:
        value = shift = 0
        while shift < 70:
            byte = self.byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7
        raise ValueError("a number without end")

    def signed(self) -> int:
        value = self.unsigned()
        return (value >> 1) ^ -(value & 1)

    def skip(self, kind: int, depth: int = 0) -> None:
        if depth > _DEEPEST:
            raise ValueError("nested too deeply")
        match kind:
            case 1 | 2:
                pass
            case 3:
                self._at += 1
            case 4 | 5 | 6:
                self.unsigned()
            case 7:
                self._at += 8
            case 8:
                self._at += self.unsigned()
            case 9 | 10:
                self._skip_list(depth)
            case 11:
                self._skip_map(depth)
            case 12:
                self._skip_struct(depth)
            case _:
                raise ValueError("an unknown type")
        if self._at > len(self._data):
            raise ValueError("cut short")

    def _skip_list(self, depth: int) -> None:
        head = self.byte()
        size = head >> 4 if head >> 4 < 15 else self.unsigned()
        self._items(size, (head & 15,), depth)

    def _skip_map(self, depth: int) -> None:
        if size := self.unsigned():
            kinds = self.byte()
            self._items(size, (kinds >> 4, kinds & 15), depth)

    def _items(self, size: int, kinds: tuple[int, ...], depth: int) -> None:
        if size > len(self._data):
            raise ValueError("more items than bytes")
        for _ in range(size):
            for kind in kinds:
                # Alone a boolean is in the field's type; in a list it is a byte.
                self.skip(_BYTE if kind in (_TRUE, _FALSE) else kind, depth + 1)

    def _skip_struct(self, depth: int) -> None:
        while (kind := self.byte()) & 15 != _STOP:
            if not kind >> 4:
                self.unsigned()
            self.skip(kind & 15, depth + 1)
