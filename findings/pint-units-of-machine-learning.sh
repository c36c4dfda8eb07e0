#!/usr/bin/env bash
# pint 0.25.3: units as machine-learning papers write them are read, without a word, as other units of other dimensions.
#
# Seen: `nats` is a pressure (nano technical atmospheres), `fps` a speed (feet a second), `acc` a tiny volume, `pp` a
# length (typographic points), `pt` a volume (pints), `k` the Boltzmann constant, `M` a concentration (molar) and `pct` a
# mass (picocarats). None is an error or a warning, while `tokens`, `epochs`, `FLOPs` and `BLEU` are unknown units.
# Why it matters here: whoever checks units before comparing a measured number with a paper's gets "cannot be converted" for
# nats against bits or percentage points against percent, and an energy a kelvin for thousands.
# Our units of claims define these names as the field means them.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/python -m pip install -q --disable-pip-version-check pint==0.25.3

venv/bin/python -W error - <<'PY'
import pint

seen = {
    "nats": "[mass] / [length] / [time] ** 2",
    "fps": "[length] / [time]",
    "acc": "[length] ** 3",
    "pp": "[length]",
    "pt": "[length] ** 3",
    "k": "[length] ** 2 * [mass] / [temperature] / [time] ** 2",
    "M": "[substance] / [length] ** 3",
    "pct": "[mass]",
}
registry = pint.UnitRegistry()
print("pint", pint.__version__)
for name, dimensions in seen.items():
    unit = registry.parse_units(name)
    print(f"{name:5} -> {unit!s:25} {dict(unit.dimensionality)}")
    assert unit.dimensionality == registry.get_dimensionality(pint.util.to_units_container(dimensions)), name
for name in ("tokens", "epochs", "FLOPs", "BLEU"):
    try:
        registry.parse_units(name)
    except pint.UndefinedUnitError:
        continue
    raise AssertionError(f"{name} is a unit now")
try:
    registry.Quantity(1, "nats").to("bits")
except pint.DimensionalityError as error:
    print("nats to bits:", error)
else:
    raise AssertionError("nats convert to bits now")
PY
