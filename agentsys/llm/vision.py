"""Pictures for models that see, words for those that do not."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

from agentsys.core.errors import PrerequisiteError
from agentsys.core.settings import Settings
from agentsys.llm.faults import Fatal, ProviderFault
from agentsys.llm.store import Store, load
from agentsys.llm.types import Part, Prompt

NOT_SHOWN = "[figure not shown to the model]"

_SEES = re.compile(
    r"""(?x)
    (?:chatgpt-4o | gpt-4o | gpt-4\.[15] | gpt-4-turbo | gpt-[5-9] | o1(?!-(?:mini|preview)) | o3(?!-mini) | o4)
    | claude-(?!2|instant)
    | gemini-(?!pro\b|1\.0)
    | gemma-?3n? (?! .* \b (?:1b|270m) \b) | gemma-?4
    | llama-?4 | llama-?3\.2 .* vision
    | grok-(?:[4-9] | .*vision) | mistral-(?:small-3\.[1-9] | medium-3) | pixtral
    | glm-4(?:\.\d)?v | llava | moondream | internvl | minicpm-v | molmo | phi-(?:3.*vision | 4-multimodal) | kimi-vl
    | .* (?: \b vl \b | qwen[\d.]*-?vl | -vision\b | multimodal)
    """
)
"""Beginnings of the names of models that their makers' documentation says take images."""

_REFUSED = frozenset({400, 404, 413, 415, 422})
"""Endpoints refuse pictures with any of these: 404 where a router finds no endpoint that takes them."""
_WORDS = re.compile(r"(?i)\b(images?|image_url|vision|multi-?modal|mmproj)\b")


def knows_images(model: str) -> bool:
    """Return whether a model of this name is known to take images; a router's prefix (`openai/gpt-5`) is dropped."""
    return _SEES.match(model.lower().rpartition("/")[2]) is not None


def can_see(settings: Settings, role: str) -> bool:
    """Return whether pictures go to the model of a role.

    A replay with `auto` does as the recording did, whose model is not chosen again.
    """
    if settings.vision != "auto":
        return settings.vision == "on"
    if settings.replay is not None:
        return _recorded_with_images(settings.replay, role)
    return knows_images(settings.model_of(role))


def refuses_images(fault: ProviderFault) -> bool:
    """Return whether a fault may mean that the endpoint does not take the pictures of a request."""
    return (isinstance(fault, Fatal) and fault.status in _REFUSED) or bool(
        fault.status and fault.status != 429 and _WORDS.search(fault.message)
    )


def without_images(prompt: Prompt) -> Prompt:
    """Return the prompt with the captions in words, and the note that their pictures are not shown."""
    if not prompt.images:
        return prompt
    words = "\n\n".join(f"{image.caption or image.name}\n{NOT_SHOWN}" for image in prompt.images)
    return Prompt(prompt.prefix, (*prompt.body, Part("figures", words)))


@lru_cache(maxsize=32)
def _recorded_with_images(folder: Path, role: str) -> bool:
    store = Store(folder / "llm" if (folder / "llm").is_dir() else folder)
    for path in store.paths():
        try:
            recording = load(path)
        except PrerequisiteError:
            continue  # said by whoever needs this recording
        if recording.role == role and any(name.startswith("image:") for name in recording.prompt):
            return True
    return False
