# pyright: reportUnusedFunction=false
# Becomes part of the repository's own files in a variant of it: what is here needs nothing but the standard library,
# keeps its names to itself, and is told everything by the arguments of the decorator that is put on a function.
import copy as _agentsys_copy
import functools as _agentsys_functools
import inspect as _agentsys_inspect
import math as _agentsys_math
import os as _agentsys_os
import sys as _agentsys_sys
from collections.abc import Generator as _AgentsysGenerator
from typing import Any as _AgentsysAny

_AGENTSYS_DEEPEST = 6
_AGENTSYS_MOST = 20_000
_AGENTSYS_STRONG = 0.1
_AGENTSYS_OWN = {name.partition(".")[0] for name in (__name__, __package__ or __name__)}


def _agentsys_wrap(key: str, mode: str, strength: float, log: str, alters: bool = False) -> _AgentsysAny:
    """Decorate a function: note its first call in `log`, then fail (`raise`), change what it gives or is given, or not.

    The first change of a number that it gives or is given is noted as well, as the function's key and `changed`.

    Args:
        mode: `raise`, `perturb` or `scale` (what it returns or yields), `arguments` (what it is called with), `watch`.
        strength: relative size of a change; the factor of `scale`.
        alters: it returns nothing: what it changes in its arguments is changed further.
    """
    change = _AgentsysScale(strength) if mode == "scale" else _AgentsysChange(strength, mode == "arguments")
    said: list[str] = []
    method = 1 if "." in key.rpartition(":")[2] else 0

    def before(args: tuple[_AgentsysAny, ...], kwargs: dict[str, _AgentsysAny]) -> _AgentsysAny:
        if not said:
            said.append(key)
            _agentsys_note(log, key)
        if mode == "raise":
            raise RuntimeError(f"{key} was made to fail")
        if mode == "arguments" and (kwargs or len(args) > method):
            args = (*args[:method], *(change.of(item, place) for place, item in enumerate(args[method:])))
            kwargs = {name: change.of(item) for name, item in kwargs.items()}
            note_change()
        return args, kwargs

    def note_change() -> None:
        if change.touched and len(said) == 1:
            said.append("changed")
            _agentsys_note(log, f"{key} changed")

    def after(result: _AgentsysAny) -> _AgentsysAny:
        if mode not in ("perturb", "scale"):
            return result
        changed = change.of(result)
        note_change()
        return changed

    def alter(old: _AgentsysAny, new: _AgentsysAny) -> None:
        change.alter(old, new)
        note_change()

    def decorate(function: _AgentsysAny) -> _AgentsysAny:
        in_place = alter if mode in ("perturb", "scale") and alters else None
        return _agentsys_decorated(function, before, after, in_place, bool(method))

    return decorate


def _agentsys_decorated(
    function: _AgentsysAny, before: _AgentsysAny, after: _AgentsysAny, in_place: _AgentsysAny, owned: bool
) -> _AgentsysAny:
    def run(*args: _AgentsysAny, **kwargs: _AgentsysAny) -> _AgentsysAny:
        args, kwargs = before(args, kwargs)
        if in_place is not None:
            old = _agentsys_leaves((args, kwargs))
            result = function(*args, **kwargs)
            in_place(old, _agentsys_leaves((args, kwargs)))
            return result
        result = function(*args, **kwargs)
        return result if owned and args and result is args[0] else after(result)

    async def wait(*args: _AgentsysAny, **kwargs: _AgentsysAny) -> _AgentsysAny:
        args, kwargs = before(args, kwargs)
        return after(await function(*args, **kwargs))

    def give(
        *args: _AgentsysAny, **kwargs: _AgentsysAny
    ) -> _AgentsysGenerator[_AgentsysAny, _AgentsysAny, _AgentsysAny]:
        args, kwargs = before(args, kwargs)
        steps = function(*args, **kwargs)
        step: _AgentsysAny = _agentsys_functools.partial(steps.send, None)
        while True:
            try:
                value = step()
            except StopIteration as end:
                return after(end.value)
            try:
                sent = yield after(value)
            except GeneratorExit:
                steps.close()
                raise
            except BaseException as error:  # noqa: BLE001 - the function's own affair
                step = _agentsys_functools.partial(steps.throw, error)
            else:
                step = _agentsys_functools.partial(steps.send, sent)

    async def give_later(*args: _AgentsysAny, **kwargs: _AgentsysAny) -> _AgentsysAny:
        args, kwargs = before(args, kwargs)
        async for value in function(*args, **kwargs):
            yield after(value)

    chosen: _AgentsysAny = run
    if _agentsys_inspect.isasyncgenfunction(function):
        chosen = give_later
    elif _agentsys_inspect.iscoroutinefunction(function):
        chosen = wait
    elif _agentsys_inspect.isgeneratorfunction(function):
        chosen = give
    try:
        return _agentsys_functools.wraps(function)(chosen)
    except (AttributeError, TypeError):  # an object that a compiler made
        return chosen


def _agentsys_note(log: str, key: str) -> None:
    try:
        handle = _agentsys_os.open(log, _agentsys_os.O_WRONLY | _agentsys_os.O_APPEND | _agentsys_os.O_CREAT, 0o666)
        try:
            _agentsys_os.write(handle, (key + "\n").encode())
        finally:
            _agentsys_os.close(handle)
    except OSError:
        return


def _agentsys_seed(value: _AgentsysAny) -> _AgentsysAny:
    """Return another seed in the place of this one; what is no number stays."""
    if _agentsys_is(value, list, tuple):
        return type(value)(_agentsys_seed(item) for item in value)
    if _agentsys_is(value, bool) or not hasattr(value, "__index__") or getattr(value, "shape", ()) != ():
        return value
    number = value.__index__()
    return number + 7919 if number + 7919 < 2**31 else number - 7919


def _agentsys_is(value: _AgentsysAny, *kinds: type) -> bool:
    return isinstance(value, kinds)


def _agentsys_module(name: str, needs: str) -> _AgentsysAny:
    """Return a package that the program itself has imported; None where it has not, or not yet the whole."""
    module = _agentsys_sys.modules.get(name)
    return module if hasattr(module, needs) else None


class _AgentsysChange:
    """Changes numbers, the same one always to the same: what iterates until it stands still still does.

    No two elements get the same factor, so that a scale that cancels out does not hide the change. A strong change
    shifts as well, or what is driven to zero would stay; of arguments a slight one leaves counts and settings alone.
    """

    def __init__(self, strength: float, values_only: bool = False) -> None:
        self.strength = strength
        self.factor = 1.0 + strength
        self.strong = strength > _AGENTSYS_STRONG
        self.values_only = values_only and not self.strong
        self.touched = False
        self.plain: _AgentsysAny = None
        self.sizes: dict[_AgentsysAny, float] = {}
        self.factors: dict[_AgentsysAny, _AgentsysAny] = {}

    def of(self, value: _AgentsysAny, place: int = 0, depth: int = 0) -> _AgentsysAny:
        """Return a value of the same kind with its numbers changed; what holds no numbers is returned as it is."""
        kind: object = value.__class__
        if kind is float and not self.strong and value:  # here and below: the short way, for what is called often
            self.touched = True
            return value * (1.0 + self.strength * (1.0 + 0.5 * _agentsys_math.cos(1.7 * place)))
        if kind is self.plain:
            factor = self.factors.get((value.shape, value.dtype))
            if factor is not None:
                return value * factor[0] + factor[1] if self.strong else value * factor[0]
        if value is None or _agentsys_is(value, str, bytes, bool) or depth > _AGENTSYS_DEEPEST:
            return value
        if type(value) in (int, float, complex):
            return value if self.values_only and type(value) is int else self.number(value, place)
        numpy, torch = _agentsys_module("numpy", "ndarray"), _agentsys_module("torch", "Tensor")
        if numpy is not None and _agentsys_is(value, numpy.ndarray, numpy.generic):
            return self.array(numpy, value, place)
        if torch is not None and _agentsys_is(value, torch.Tensor):
            return self.tensor(torch, value, place)
        if torch is not None and hasattr(torch, "nn") and _agentsys_is(value, torch.nn.Module):
            for number, item in enumerate(value.parameters()):
                self.tensor(torch, item, place + number)
            return value
        if self.values_only and not _agentsys_is(value, list, tuple):
            return value
        if _agentsys_is(value, dict):
            items: _AgentsysAny = {name: self.of(item, at, depth + 1) for at, (name, item) in enumerate(value.items())}
            return _agentsys_rebuilt(value, items)
        if _agentsys_is(value, list, tuple):
            items = [self.of(item, place + at, depth + 1) for at, item in enumerate(value[:_AGENTSYS_MOST])]
            items += value[_AGENTSYS_MOST:]
            return type(value)(*items) if hasattr(value, "_fields") else _agentsys_rebuilt(value, items)
        return self.thing(value, place, depth)

    def number(self, value: _AgentsysAny, place: int) -> _AgentsysAny:
        if _agentsys_is(value, bool):
            return value
        self.touched = True
        if _agentsys_is(value, int):
            return value + max(1, round(abs(value) * self.strength))
        if value == 0:
            return type(value)(self.strength)
        factor = 1.0 + self.strength * (1.0 + 0.5 * _agentsys_math.cos(1.7 * place))
        return value * factor + (0.5 * self.strength * self.sizes.setdefault(place, abs(value)) if self.strong else 0.0)

    def thing(self, value: _AgentsysAny, place: int, depth: int) -> _AgentsysAny:
        """A data class or an object of the repository: a copy with other numbers. Tables of other packages: scaled."""
        plain = hasattr(value, "__dataclass_fields__")
        try:
            if plain or str(value.__module__).partition(".")[0] in _AGENTSYS_OWN:
                made = _agentsys_copy.copy(value)
                for at, (name, item) in enumerate(list(value.__dict__.items())):
                    if plain or not isinstance(item, int):  # else a counter or a size
                        object.__setattr__(made, name, self.of(item, place + at, depth + 1))
                return made
            if hasattr(value, "__mul__") and (hasattr(value, "dtype") or hasattr(value, "dtypes")):
                self.touched = True
                return value * self.factor
        except Exception:  # noqa: BLE001 - it cannot be copied, or is no table of numbers
            return value
        return value

    def array(self, numpy: _AgentsysAny, value: _AgentsysAny, place: int) -> _AgentsysAny:
        kind = value.dtype.kind
        if value.ndim == 0:
            if kind not in "fciu":
                return value
            number = value.dtype.type(self.number(value.item(), place))
            return numpy.asarray(number) if isinstance(value, numpy.ndarray) else number
        if self.values_only and kind not in "fc":
            return value
        self.touched = True
        if kind in "iub":  # places and labels: the same ones elsewhere
            moved = numpy.roll(value, 1) if value.size > 1 else value
            return moved if kind == "b" or (moved != value).any() else value + value.dtype.type(1)
        if kind not in "fc" or value.size == 0:
            return value
        self.plain = numpy.ndarray
        factor = self.factors.get((value.shape, value.dtype))
        if factor is None:
            wave = self.strength * (1.0 + 0.5 * numpy.cos(1.7 * numpy.arange(value.size))).reshape(value.shape)
            shift = 0.05 * (float(numpy.abs(value).mean()) or 1.0) * wave
            factor = (1.0 + wave).astype(value.dtype), shift.astype(value.dtype)
            self.factors[value.shape, value.dtype] = factor
        return value * factor[0] + factor[1] if self.strong else value * factor[0]

    def tensor(self, torch: _AgentsysAny, value: _AgentsysAny, place: int) -> _AgentsysAny:
        if value.layout is not torch.strided or value.numel() == 0 or value.is_complex():
            return value
        self.touched = True
        if not value.is_floating_point():
            return value if value.dim() == 0 or self.values_only else torch.roll(value, 1)
        key = (tuple(value.shape), value.device, value.dtype, place)
        factor = self.factors.get(key)
        if factor is None:
            places = torch.arange(value.numel(), device=value.device, dtype=torch.float32)
            wave = (self.strength * (1.0 + 0.5 * torch.cos(1.7 * places))).reshape(value.shape).to(value.dtype)
            size = (float(value.detach().abs().mean()) or 1.0) if self.strong else 0.0
            factor = self.factors[key] = (1.0 + wave, 0.05 * size * wave)
        if value.is_leaf and value.requires_grad:  # parameters: others hold this very object
            with torch.no_grad():
                value.mul_(factor[0]).add_(factor[1])
            return value
        return value * factor[0] + factor[1]

    def alter(self, old: _AgentsysAny, new: _AgentsysAny) -> None:
        """Change what differs now from what it was before a call, where it lies."""
        for at, (place, (holder, key, value, mark)) in enumerate(new.items()):
            if place in old and old[place][3] == mark:
                continue
            changed = self.of(value, at)
            try:
                if type(value) is not float and place in old and old[place][2] is value and changed is not value:
                    value[...] = changed
                elif isinstance(holder, (list, dict)):
                    holder[key] = changed
                elif not isinstance(holder, tuple) and changed is not value:
                    object.__setattr__(holder, key, changed)
            except Exception:  # noqa: BLE001 - it may not be written
                continue


class _AgentsysScale(_AgentsysChange):
    """Multiplies every number; whole ones, which may be sizes and counts, only by nothing."""

    def __init__(self, factor: float) -> None:
        super().__init__(1.0)
        self.factor = factor

    def number(self, value: _AgentsysAny, place: int) -> _AgentsysAny:
        if _agentsys_is(value, bool) or (_agentsys_is(value, int) and self.factor):
            return value
        self.touched = True
        return type(value)(value * self.factor)

    def array(self, numpy: _AgentsysAny, value: _AgentsysAny, place: int) -> _AgentsysAny:
        if value.dtype.kind not in "fc" and (self.factor or value.dtype.kind not in "iu"):
            return value
        self.touched = True
        return value * value.dtype.type(self.factor)

    def tensor(self, torch: _AgentsysAny, value: _AgentsysAny, place: int) -> _AgentsysAny:
        if value.layout is not torch.strided or not value.is_floating_point():
            return value
        self.touched = True
        if value.is_leaf and value.requires_grad:  # parameters: others hold this very object
            with torch.no_grad():
                value.mul_(self.factor)
            return value
        return value * self.factor


def _agentsys_rebuilt(value: _AgentsysAny, items: _AgentsysAny) -> _AgentsysAny:
    try:
        return items if type(value) is type(items) else type(value)(items)
    except Exception:  # noqa: BLE001 - a container that is made in some other way
        return items


def _agentsys_leaves(root: _AgentsysAny) -> dict[str, _AgentsysAny]:
    """Return what may be changed in place below some arguments: place -> (holder, key, value, mark of its content)."""
    found: dict[str, _AgentsysAny] = {}
    rest: list[_AgentsysAny] = [("", None, None, root, 0)]
    seen: set[int] = set()
    while rest and len(found) < _AGENTSYS_MOST:
        place, holder, key, value, depth = rest.pop()
        mark = _agentsys_mark(value)
        if mark is not None:
            found[place] = (holder, key, value, mark)
        elif depth <= _AGENTSYS_DEEPEST and id(value) not in seen:
            seen.add(id(value))
            rest += [(f"{place}/{name}", value, name, item, depth + 1) for name, item in _agentsys_parts(value)]
    return found


def _agentsys_parts(value: _AgentsysAny) -> list[_AgentsysAny]:
    if _agentsys_is(value, dict):
        return list(value.items())
    if _agentsys_is(value, list, tuple):
        pairs: list[_AgentsysAny] = [*enumerate(value)]
        return pairs
    torch = _agentsys_module("torch", "nn")
    if torch is not None and isinstance(value, torch.nn.Module):
        return list(value.named_parameters())
    own = type(value).__module__.partition(".")[0] in _AGENTSYS_OWN or hasattr(value, "__dataclass_fields__")
    return list(value.__dict__.items()) if own and hasattr(value, "__dict__") else []


def _agentsys_mark(value: _AgentsysAny) -> _AgentsysAny:
    """A float, or the place of an array and a sum over some of it; None for everything else."""
    if type(value) is float:
        return value
    numpy, torch = _agentsys_module("numpy", "ndarray"), _agentsys_module("torch", "Tensor")
    if numpy is not None and isinstance(value, numpy.ndarray) and value.dtype.kind in "fc":
        return id(value), value.size, complex(value.reshape(-1)[:: max(1, value.size // 512)].sum())
    if torch is not None and isinstance(value, torch.Tensor) and value.is_floating_point():
        flat = value.detach().reshape(-1)[:: max(1, value.numel() // 512)]
        return id(value), value.numel(), float(flat.sum())
    return None
