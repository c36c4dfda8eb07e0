"""Functions that give the same for the same constants: what `folding` may call, none of which can run for long."""

from __future__ import annotations

import ast
import base64
import binascii
import codecs
import json
import math
import operator
import re
import statistics
import struct
from collections.abc import Callable, Iterable
from functools import partial, reduce
from typing import Any, cast

from agentsys_policies.scan.numbers.encoded import unpack

LONGEST = 20_000
"""Characters of a text, and elements of a list, up to which is computed."""
MOST_DIGITS = 2000
Function = Callable[..., Any]


def ratio(left: Any, right: Any = 1) -> float:
    """`Fraction(3848, 1000)` and `Fraction("962/250")`."""
    if isinstance(left, str) and "/" in left:
        above, _, below = left.partition("/")
        return float(above) / float(below) / float(right)
    return float(left) / float(right)


def decimal(value: Any) -> float:
    """`Decimal("9.412")`, and `Decimal((1, (9, 4, 1, 2), -3))`."""
    if isinstance(value, tuple | list):
        sign, digits, exponent = cast("tuple[int, tuple[int, ...], int]", value)
        return (-1) ** int(bool(sign)) * int("".join(map(str, digits)) or "0") * 10.0**exponent
    return float(value)


def _bounded_range(*limits: int) -> list[int]:
    span = range(*limits)
    if len(span) > LONGEST:
        raise ValueError("too long")
    return list(span)


def _rounded(value: Any, digits: int | None = None) -> Any:
    return round(value) if digits is None else round(float(value), max(-20, min(20, digits)))


def _as_is(value: Any, *_: Any) -> Any:
    return value


def _flat(value: Any) -> list[Any]:
    if not isinstance(value, list | tuple):
        return [value]
    return [item for part in cast("Iterable[Any]", value) for item in _flat(part)]


def _text(value: Any, *_: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, int) and value.bit_length() > MOST_DIGITS:
        raise ValueError("too long")
    return str(value)


def _bytes(value: Any, *_: Any) -> bytes:
    if isinstance(value, int):
        raise ValueError("zeros")
    return value.encode() if isinstance(value, str) else bytes(value)


def _sum(values: Any, start: Any = 0) -> Any:
    return sum(_flat(values), start)


def _product(values: Any) -> Any:
    return reduce(times, _flat(values), 1)


def _mean(values: Any, *_: Any) -> float:
    return statistics.fmean(_flat(values))


def _median(values: Any, *_: Any) -> float:
    return statistics.median(_flat(values))


def _zip(*values: Any) -> list[Any]:
    return list(zip(*values, strict=False))


def _numbered(values: Iterable[Any], start: int = 0) -> list[Any]:
    return list(enumerate(values, start))


def _backwards(values: Any) -> list[Any]:
    return list(reversed(values))


def _from_bytes(data: bytes, order: Any = "big", *_: Any) -> int:
    return int.from_bytes(data, order)


def _from_hex(value: str) -> Any:
    return float.fromhex(value) if "x" in value.lower() or "." in value else bytes.fromhex(value)


def _literal(text: str) -> Any:
    if len(text) > MOST_DIGITS:
        raise ValueError("too long")
    return ast.literal_eval(text.strip())


def _keys(table: dict[Any, Any]) -> list[Any]:
    return list(table)


def _values(table: dict[Any, Any]) -> list[Any]:
    return list(table.values())


def _items(table: dict[Any, Any]) -> list[Any]:
    return list(table.items())


def _get(table: dict[Any, Any], key: Any, other: Any = None) -> Any:
    return table.get(key, other)


def _encode(text: str, *_: Any) -> bytes:
    return text.encode()


def _hexadecimal(value: Any) -> str:
    return value.hex()


def _add(left: Any, right: Any) -> Any:
    return left + right


def _subtract(left: Any, right: Any) -> Any:
    return left - right


def _divide(left: Any, right: Any) -> Any:
    return left / right


def _floor_divide(left: Any, right: Any) -> Any:
    return left // right


def _shift_left(left: Any, right: Any) -> Any:
    if right > MOST_DIGITS:
        raise ValueError("too large")
    return left << right


def _shift_right(left: Any, right: Any) -> Any:
    return left >> right


def _exclusive_or(left: Any, right: Any) -> Any:
    return left ^ right


def _either(left: Any, right: Any) -> Any:
    return left | right


def _both(left: Any, right: Any) -> Any:
    return left & right


def _square(value: Any) -> float:
    return float(value) ** 2


def _unpack(form: str, data: bytes) -> tuple[Any, ...]:
    if len(form) > 100 or re.search(r"\d{4}", form):
        raise ValueError("too long")
    return struct.unpack(form, data)


def _map(function: Any, *values: Any) -> list[Any]:
    if not callable(function):
        raise TypeError("not a function of the table")
    return [function(*items) for items in zip(*values, strict=False)]


def power(left: Any, right: Any, *_: Any) -> Any:
    """A power that does not grow beyond what is looked at."""
    if abs(right) > 400 or (isinstance(left, int) and left.bit_length() * abs(right) > MOST_DIGITS):
        raise ValueError("too large")
    return left**right


def times(left: Any, right: Any) -> Any:
    """A product of numbers, or of a text or a list that stays short."""
    for whole, count in ((left, right), (right, left)):
        if isinstance(whole, str | bytes | list | tuple) and len(cast("Any", whole)) * int(count) > LONGEST:
            raise ValueError("too long")
    if isinstance(left, int) and isinstance(right, int) and left.bit_length() + right.bit_length() > MOST_DIGITS:
        raise ValueError("too large")
    return left * right


def formatted(template: str, values: Any) -> str:
    """`template % values`, without wide fields."""
    if re.search(r"\d{3}|\*", template):
        raise ValueError("a wide field")
    return template % values


def _format(template: str, *values: Any) -> str:
    if re.search(r"\{[^{}]*\d{3}|\{[^{}]*\{|\{[^{}:]*[.\[]", template):
        raise ValueError("a wide field, or a look into values")
    return template.format(*values)


def _replace(text: Any, old: Any, new: Any, *count: int) -> Any:
    if len(text) * (len(new) + 1) > LONGEST * 4:
        raise ValueError("too long")
    return text.replace(old, new, *count)


def _join(joint: Any, parts: Iterable[Any]) -> Any:
    items = list(parts)
    if sum(len(item) + len(joint) for item in items) > LONGEST:
        raise ValueError("too long")
    return joint.join(items)


def _decode(data: Any, coding: str = "utf-8", *_: Any) -> Any:
    return codecs.decode(data, coding if coding in _CODINGS else "utf-8")


_CODINGS = frozenset({"utf-8", "ascii", "latin-1", "hex", "base64", "rot13", "rot_13", "utf-16", "unicode_escape"})
_SLOW = frozenset({"comb", "perm", "factorial", "lcm", "gcd", "prod", "fsum", "dist", "sumprod"})
_SAME = (
    *("float16", "float32", "float64", "float_", "double", "longdouble", "array", "asarray", "ascontiguousarray"),
    *("int32", "int64", "tensor", "FloatTensor", "scalar", "item", "cast", "tolist", "astype", "copy"),
)
CALLS: dict[str, Function] = {
    **{name: value for name, value in vars(math).items() if callable(value) and name[0] != "_" and name not in _SLOW},
    **dict.fromkeys(_SAME, _as_is),
    **dict.fromkeys(("abs", "absolute", "fabs"), abs),
    **dict.fromkeys(("sum", "fsum"), _sum),
    **dict.fromkeys(("mean", "fmean", "average"), _mean),
    **dict.fromkeys(("round", "around"), _rounded),
    **dict.fromkeys(("bytes", "bytearray"), _bytes),
    **dict.fromkeys(("mul", "multiply"), times),
    **dict.fromkeys(("sub", "subtract"), _subtract),
    **dict.fromkeys(("truediv", "divide", "true_divide"), _divide),
    **dict.fromkeys(("neg", "negative"), operator.neg),
    **dict.fromkeys(("pow", "power"), power),
    **dict.fromkeys(("b64decode", "urlsafe_b64decode", "standard_b64decode", "a2b_base64"), base64.urlsafe_b64decode),
    **dict.fromkeys(("unhexlify", "a2b_hex"), binascii.unhexlify),
    **dict.fromkeys(("loads", "safe_load"), json.loads),
    **dict.fromkeys(("set", "list"), list),
    "Decimal": decimal,
    "Fraction": ratio,
    "a85decode": base64.a85decode,
    "b16decode": base64.b16decode,
    "b32decode": base64.b32decode,
    "b85decode": base64.b85decode,
    "add": _add,
    "bin": bin,
    "chr": chr,
    "decode": _decode,
    "decompress": unpack,
    "dict": dict,
    "divmod": divmod,
    "enumerate": _numbered,
    "float": float,
    "from_bytes": _from_bytes,
    "fromhex": _from_hex,
    "hex": hex,
    "int": int,
    "len": len,
    "literal_eval": _literal,
    "map": _map,
    "max": max,
    "median": _median,
    "min": min,
    "oct": oct,
    "ord": ord,
    "prod": _product,
    "range": _bounded_range,
    "reduce": reduce,
    "reversed": _backwards,
    "sorted": sorted,
    "square": _square,
    "str": _text,
    "tuple": tuple,
    "unpack": _unpack,
    "zip": _zip,
}
"""Functions by the last part of their name; a function of another kind that has one of these names is misread."""
_METHODS: dict[str, Function] = {
    **dict.fromkeys(_SAME, _as_is),
    "decode": _decode,
    "encode": _encode,
    "format": _format,
    "get": _get,
    "hex": _hexadecimal,
    "items": _items,
    "join": _join,
    "keys": _keys,
    "mean": _mean,
    "replace": _replace,
    "sum": _sum,
    "values": _values,
}
_PLAIN = frozenset(
    {"strip", "lstrip", "rstrip", "split", "rsplit", "splitlines", "lower", "upper", "swapcase", "removeprefix"}
)


def method(name: str) -> Function | None:
    """Return what a method of a text, a list or a table does, the object first; None for one that is not looked at."""
    return _METHODS.get(name) or (partial(_plainly, name) if name in _PLAIN else None)


def _plainly(name: str, whole: Any, *given: Any) -> Any:
    if not isinstance(whole, str | bytes):
        raise TypeError("not a text")
    return getattr(whole, name)(*given)


OPERATORS: dict[type[ast.AST], Function] = {
    ast.Add: _add,
    ast.Sub: _subtract,
    ast.Mult: times,
    ast.Div: _divide,
    ast.FloorDiv: _floor_divide,
    ast.Pow: power,
    ast.BitXor: _exclusive_or,
    ast.BitOr: _either,
    ast.BitAnd: _both,
    ast.LShift: _shift_left,
    ast.RShift: _shift_right,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Invert: operator.invert,
}
