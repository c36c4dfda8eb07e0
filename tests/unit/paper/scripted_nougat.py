"""Makes nougat checkpoints of a few hundred kilobytes that write a given text on every page.

All branches of the decoder are zero, its position embeddings are one-hot, and the output layer maps each position to
the token that stands there: the real classes load it and generate with it, and the answer is known.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any


def make_checkpoint(folder: Path, text: str, loops: bool = False) -> Path:
    """Write a checkpoint into `folder`; with `loops` it repeats the text until it is stopped."""
    torch: Any = import_module("torch")
    transformers: Any = import_module("transformers")
    tokenizer = _tokenizer(transformers)
    tokens: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    tokens = (tokens * 12)[:120] if loops else [*tokens, tokenizer.eos_token_id]
    width = -(-(len(tokens) + 8) // 4) * 4
    limit = len(tokens) if loops else len(tokens) + 6
    encoder = transformers.DonutSwinConfig(
        image_size=[112, 84], patch_size=4, embed_dim=16, depths=[1, 1], num_heads=[2, 4], window_size=7
    )
    decoder = transformers.MBartConfig(
        vocab_size=len(tokenizer), d_model=width, decoder_layers=1, encoder_layers=1, decoder_attention_heads=4,
        encoder_attention_heads=4, decoder_ffn_dim=8, encoder_ffn_dim=8, max_position_embeddings=limit, is_decoder=True,
        add_cross_attention=True, add_final_layer_norm=True, scale_embedding=False, tie_word_embeddings=False,
        pad_token_id=1, bos_token_id=0, eos_token_id=2, decoder_start_token_id=0, forced_eos_token_id=2,
    )  # fmt: skip
    config = transformers.VisionEncoderDecoderConfig.from_encoder_decoder_configs(encoder, decoder)
    config.tie_word_embeddings = False
    config.decoder_start_token_id, config.pad_token_id, config.eos_token_id = 0, 1, 2
    torch.manual_seed(0)
    model = transformers.VisionEncoderDecoderModel(config)
    _script(torch, model, tokens, width)
    generation = model.generation_config
    generation.decoder_start_token_id, generation.pad_token_id, generation.eos_token_id = 0, 1, 2
    generation.forced_eos_token_id = 2
    model.save_pretrained(folder)
    images = transformers.NougatImageProcessor(size={"height": 112, "width": 84}, do_crop_margin=False)
    transformers.NougatProcessor(image_processor=images, tokenizer=tokenizer).save_pretrained(folder)
    return folder


def _tokenizer(transformers: Any) -> Any:
    library: Any = import_module("tokenizers")
    letters = sorted(library.pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {name: number for number, name in enumerate(["<s>", "<pad>", "</s>", "<unk>", *letters])}
    tokenizer = library.Tokenizer(library.models.BPE(vocab=vocabulary, merges=[], unk_token="<unk>"))
    tokenizer.pre_tokenizer = library.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = library.decoders.ByteLevel()
    return transformers.NougatTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    )


def _script(torch: Any, model: Any, tokens: list[int], width: int) -> None:
    decoder = model.decoder.model.decoder
    with torch.no_grad():
        for name, value in decoder.named_parameters():
            if "embed_tokens" in name or ("layers." in name and "layer_norm" not in name):
                value.zero_()
        positions = decoder.embed_positions.weight
        positions.zero_()
        head = model.decoder.lm_head.weight
        head.zero_()
        # The table of learned positions has two rows before the first position.
        for step, token in enumerate(tokens):
            positions[step + 2, step] = 1.0
            head[token, step] = 10.0
