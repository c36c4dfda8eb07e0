"""How a debugger writes its edits: the text for the prompt. `edits.parse_edits` reads exactly this."""

from __future__ import annotations

EDIT_FORMAT = """\
Write your changes as fenced blocks of FOUR backticks. Text outside the blocks is not used.

To change parts of a file that exists (preferred for small changes):

````edit:src/example/model.py
<<<<<<< SEARCH
    return x + 1
=======
    return x + 2
>>>>>>> REPLACE
````

- The lines between SEARCH and ======= must stand in the file exactly once, character for character, with their
  indentation: copy them, and take enough lines around the change to make them unique.
- A block may hold several SEARCH/REPLACE pairs; they are applied one after the other. An empty REPLACE part deletes.

To write a new file, or to replace a whole file:

````file:configs/smoke.yaml
seed: 0
````

To remove a file:

````delete:src/example/old_name.py
````

- Paths are relative to the repository's root, with `/`, without `..`.
- If the text of a file itself holds four backticks, use five for the fence.
- All blocks of an answer are applied together or not at all. Every changed file must parse (Python, JSON, TOML,
  YAML, shell).
- Never weaken a check to make it pass: no deleted, emptied, skipped or xfailed test, no removed assertion, no looser
  tolerance, no mocked method, no swallowed exception, no constant where the paper asks for a computation, nothing
  written by hand into results/. Such a patch is refused.
"""
