# Becomes part of the repository's own files in a variant of it: what is here needs nothing but the standard library,
# keeps its names to itself, and is told everything by the arguments of the decorator that is put on a function.
import copy as _agentsys_copy
import functools as _agentsys_functools
import inspect as _agentsys_inspect
import math as _agentsys_math
import os as _agentsys_os
import sys as _agentsys_sys

_AGENTSYS_DEEPEST = 6
_AGENTSYS_MOST = 20_000
_AGENTSYS_OWN = {name.partition(".")[0] for name in (__name__, __package__ or __name__)}
_agentsys_said = set()
_agentsys_waves = {}


def _agentsys_wrap(key, mode, strength, log, alters=False):
    """Decorate a function: note its first call in `log`, then fail (`raise`), or change what it gives or is given.

    Args:
        mode: `observe`, `raise`, `perturb` (what it returns or yields), `arguments` (what it is called with).
        strength: relative size of a change.
        alters: it returns nothing: what it changes in its arguments is changed further.
    """

    def before(state, args, kwargs):
        if key not in _agentsys_said:
            _agentsys_said.add(key)
            _agentsys_note(log, key)
        state["calls"] = state.get("calls", 0) + 1
        if mode == "raise":
            raise RuntimeError(f"{key} was made to fail")
        if mode == "arguments":
            first = 1 if args and "." in key.rpartition(":")[2] else 0
            turn = (strength, state["calls"])
            args = (*args[:first], *(_agentsys_changed(item, *turn) for item in args[first:]))
            kwargs = {name: _agentsys_changed(item, *turn) for name, item in kwargs.items()}
        return args, kwargs

    def after(state, result, owner):
        if mode != "perturb" or result is owner:
            return result
        return _agentsys_changed(result, strength, state["calls"])

    return lambda function: _agentsys_decorated(function, before, after, mode == "perturb" and alters, strength)


def _agentsys_decorated(function, before, after, alters, strength):
    state = {}

    def run(*args, **kwargs):
        args, kwargs = before(state, args, kwargs)
        owner = args[0] if args else None
        old = _agentsys_leaves((args, kwargs)) if alters else None
        result = function(*args, **kwargs)
        if alters and (result is None or result is owner):
            _agentsys_alter((args, kwargs), old, strength, state["calls"])
        return after(state, result, owner if owner is not None else state)

    async def wait(*args, **kwargs):
        args, kwargs = before(state, args, kwargs)
        return after(state, await function(*args, **kwargs), state)

    def give(*args, **kwargs):
        args, kwargs = before(state, args, kwargs)
        steps = function(*args, **kwargs)
        step = _agentsys_functools.partial(steps.send, None)
        while True:
            try:
                value = step()
            except StopIteration as end:
                return after(state, end.value, state)
            try:
                sent = yield after(state, value, state)
            except GeneratorExit:
                steps.close()
                raise
            except BaseException as error:  # noqa: BLE001 - the function's own affair
                step = _agentsys_functools.partial(steps.throw, error)
            else:
                step = _agentsys_functools.partial(steps.send, sent)

    async def give_later(*args, **kwargs):
        args, kwargs = before(state, args, kwargs)
        async for value in function(*args, **kwargs):
            yield after(state, value, state)

    kind = _agentsys_inspect
    chosen = run
    if kind.isasyncgenfunction(function):
        chosen = give_later
    elif kind.iscoroutinefunction(function):
        chosen = wait
    elif kind.isgeneratorfunction(function):
        chosen = give
    try:
        return _agentsys_functools.wraps(function)(chosen)
    except (AttributeError, TypeError):  # an object that a compiler made
        return chosen


def _agentsys_note(log, key):
    try:
        handle = _agentsys_os.open(log, _agentsys_os.O_WRONLY | _agentsys_os.O_APPEND | _agentsys_os.O_CREAT, 0o666)
        try:
            _agentsys_os.write(handle, (key + "\n").encode())
        finally:
            _agentsys_os.close(handle)
    except OSError:
        return


def _agentsys_seed(value):
    """Return another seed in the place of this one; what is no number stays."""
    if isinstance(value, (list, tuple)):
        return type(value)(_agentsys_seed(item) for item in value)
    if isinstance(value, bool) or not hasattr(value, "__index__") or getattr(value, "shape", ()) != ():
        return value
    number = value.__index__()
    return number + 7919 if number + 7919 < 2**31 else number - 7919


def _agentsys_factor(strength, call):
    """One number; it differs from call to call and always leans to the same side, so that nothing cancels out."""
    return 1.0 + strength * (1.0 + 0.5 * _agentsys_math.cos(1.7 * call))


def _agentsys_number(value, strength, call):
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value + max(1, round(abs(value) * strength))
    return value * _agentsys_factor(strength, call) if value != 0 else type(value)(strength)


def _agentsys_changed(value, strength, call, depth=0):
    """Return a value of the same kind with its numbers changed; what holds no numbers is returned as it is."""
    if value is None or isinstance(value, (str, bytes, bool)) or depth > _AGENTSYS_DEEPEST:
        return value
    if type(value) in (int, float, complex):
        return _agentsys_number(value, strength, call)
    numpy, torch = _agentsys_sys.modules.get("numpy"), _agentsys_sys.modules.get("torch")
    if numpy is not None and isinstance(value, (getattr(numpy, "ndarray", ()), getattr(numpy, "generic", ()))):
        return _agentsys_array(numpy, value, strength, call)
    if torch is not None and hasattr(torch, "Tensor") and isinstance(value, torch.Tensor):
        return _agentsys_tensor(torch, value, strength)
    if torch is not None and hasattr(torch, "nn") and isinstance(value, torch.nn.Module):
        for item in value.parameters():
            _agentsys_tensor(torch, item, strength)
        return value
    inner = (strength, call, depth + 1)
    if isinstance(value, dict):
        return _agentsys_rebuilt(value, {name: _agentsys_changed(item, *inner) for name, item in value.items()})
    if isinstance(value, (list, tuple)):
        items = [_agentsys_changed(item, strength, call + at, depth + 1) for at, item in enumerate(value[:_AGENTSYS_MOST])]
        items += value[_AGENTSYS_MOST:]
        return type(value)(*items) if hasattr(value, "_fields") else _agentsys_rebuilt(value, items)
    return _agentsys_object(value, inner)


def _agentsys_rebuilt(value, items):
    try:
        return items if type(value) is type(items) else type(value)(items)
    except Exception:  # noqa: BLE001 - a container that is made in some other way
        return items


def _agentsys_object(value, inner):
    """A data class or another object of the repository: a copy with other numbers. Tables of other packages: scaled."""
    kind = type(value)
    plain = hasattr(value, "__dataclass_fields__")
    if plain or kind.__module__.partition(".")[0] in _AGENTSYS_OWN:
        try:
            made = _agentsys_copy.copy(value)
            for name, item in list(vars(value).items()):
                if plain or not isinstance(item, int):  # else a counter or a size
                    object.__setattr__(made, name, _agentsys_changed(item, *inner))
        except Exception:  # noqa: BLE001 - it cannot be copied
            return value
        return made
    if hasattr(kind, "__mul__") and hasattr(value, "dtype" if not hasattr(value, "dtypes") else "dtypes"):
        try:
            return value * _agentsys_factor(*inner[:2])
        except Exception:  # noqa: BLE001 - a table of texts
            return value
    return value


def _agentsys_array(numpy, value, strength, call):
    kind = value.dtype.kind
    if value.ndim == 0:
        if kind not in "fciu":
            return value
        number = value.dtype.type(_agentsys_number(value.item(), strength, call))
        return numpy.asarray(number) if isinstance(value, numpy.ndarray) else number
    if kind in "iub":  # places and labels: the same ones elsewhere
        moved = numpy.roll(value, 1) if value.size > 1 else value
        return moved if kind == "b" or (moved != value).any() else value + value.dtype.type(1)
    if kind not in "fc" or value.size == 0:
        return value
    if not value.any():
        return (value + strength).astype(value.dtype)
    return (value * (1.0 + strength * _agentsys_wave(numpy, value.shape))).astype(value.dtype, copy=False)


def _agentsys_wave(numpy, shape):
    """A factor for each element: none alike, so that a scale that cancels out does not hide the change."""
    if shape not in _agentsys_waves:
        if len(_agentsys_waves) > 64:
            _agentsys_waves.clear()
        size = _agentsys_math.prod(shape)
        _agentsys_waves[shape] = (1.0 + 0.5 * numpy.cos(1.7 * numpy.arange(size))).reshape(shape)
    return _agentsys_waves[shape]


def _agentsys_tensor(torch, value, strength):
    if value.layout is not torch.strided or value.numel() == 0:
        return value
    if not value.is_floating_point():
        return value if value.dim() == 0 or value.is_complex() else torch.roll(value, 1)
    places = torch.arange(value.numel(), device=value.device, dtype=torch.float32)
    factor = (1.0 + strength * (1.0 + 0.5 * torch.cos(1.7 * places))).reshape(value.shape).to(value.dtype)
    if value.is_leaf and value.requires_grad:  # parameters: others hold this very object
        with torch.no_grad():
            value.mul_(factor)
        return value
    return value * factor if value.detach().count_nonzero() else value + strength


def _agentsys_leaves(root):
    """Return what may be changed in place below some arguments: place -> (holder, key, value, mark of its content)."""
    found, rest, seen = {}, [("", None, None, root, 0)], set()
    while rest and len(found) < _AGENTSYS_MOST:
        place, holder, key, value, depth = rest.pop()
        mark = _agentsys_mark(value)
        if mark is not None:
            found[place] = (holder, key, value, mark)
        elif depth <= _AGENTSYS_DEEPEST and id(value) not in seen:
            seen.add(id(value))
            rest += [(f"{place}/{name}", value, name, item, depth + 1) for name, item in _agentsys_parts(value)]
    return found


def _agentsys_parts(value):
    if isinstance(value, dict):
        return list(value.items())
    if isinstance(value, (list, tuple)):
        return list(enumerate(value))
    torch = _agentsys_sys.modules.get("torch")
    if torch is not None and hasattr(torch, "nn") and isinstance(value, torch.nn.Module):
        return list(value.named_parameters())
    own = type(value).__module__.partition(".")[0] in _AGENTSYS_OWN or hasattr(value, "__dataclass_fields__")
    return list(vars(value).items()) if own and hasattr(value, "__dict__") else []


def _agentsys_mark(value):
    """A float, or the place of an array and a sum over some of it; None for everything else."""
    if type(value) is float:
        return value
    numpy, torch = _agentsys_sys.modules.get("numpy"), _agentsys_sys.modules.get("torch")
    if numpy is not None and isinstance(value, getattr(numpy, "ndarray", ())):
        flat = value.reshape(-1)[:: max(1, value.size // 512)] if value.dtype.kind in "fc" else None
        return None if flat is None else (id(value), value.size, complex(flat.sum()))
    if torch is not None and hasattr(torch, "Tensor") and isinstance(value, torch.Tensor) and value.is_floating_point():
        flat = value.detach().reshape(-1)[:: max(1, value.numel() // 512)]
        return (id(value), value.numel(), float(flat.sum()))
    return None


def _agentsys_alter(root, old, strength, call):
    for place, (holder, key, value, mark) in _agentsys_leaves(root).items():
        if place in old and old[place][3] == mark:
            continue
        new = _agentsys_changed(value, strength, call)
        try:
            if type(value) is not float and place in old and old[place][2] is value and new is not value:
                value[...] = new
            elif isinstance(holder, (list, dict)):
                holder[key] = new
            elif not isinstance(holder, tuple) and new is not value:
                object.__setattr__(holder, key, new)
        except Exception:  # noqa: BLE001 - it may not be written
            continue
