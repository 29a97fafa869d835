"""Train the causal model of the parity check: a small GPT-2 on a folder of texts, by plain transformers and a loop.

    python tests/benchmarks/parity_causal_model.py TEXT_DIR TOKENIZER_DIR OUT_DIR [POSITIONS]

It uses the tokenizer of the masked model that train_worker.py has trained on the same text. It takes a minute on one
core.
"""

import sys
import time
from pathlib import Path

import numpy as np
import torch
from transformers import AutoTokenizer, GPT2Config, GPT2LMHeadModel

UPDATES, BATCH, LENGTH, RATE, WARMUP = 200, 8, 128, 3e-3, 0.05
POSITIONS = "256"
"""Tokens of the longest text that the model can read, if none are given."""


def main(text_dir: Path, tokenizer_dir: Path, out_dir: Path, positions: int) -> None:
    """Train and save."""
    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(tokenizer_dir)
    lines = [line for path in sorted(text_dir.glob("*.txt")) for line in path.read_text().splitlines() if line.strip()]
    encoded = tokenizer(lines)["input_ids"]  # with the special tokens of a text that is scored
    stream = torch.from_numpy(np.concatenate([np.array(ids, dtype=np.int64) for ids in encoded]))
    config = GPT2Config(
        vocab_size=len(tokenizer),
        n_positions=positions,
        n_embd=64,
        n_layer=2,
        n_head=4,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        initializer_range=0.1,
    )
    model = GPT2LMHeadModel(config).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda n: min((n + 1) / (WARMUP * UPDATES), (UPDATES - n) / ((1 - WARMUP) * UPDATES))
    )
    started = time.perf_counter()
    for update in range(UPDATES):
        # Rows of all positions now and then, so that every position has been trained.
        length = positions if update % 4 == 0 else LENGTH
        rows = BATCH * LENGTH // length
        starts = torch.randint(len(stream) - length, (rows, 1))
        ids = stream[starts + torch.arange(length)]
        loss = model(input_ids=ids, labels=ids).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
        if update % 50 == 0 or update == UPDATES - 1:
            print(f"{update + 1}/{UPDATES} loss {loss.item():.3f} {time.perf_counter() - started:.0f} s", flush=True)
    model.eval().save_pretrained(out_dir)
    tokenizer.save_pretrained(out_dir)


if __name__ == "__main__":
    text, tokenizer, out, positions = [*sys.argv[1:], POSITIONS][:4]
    main(Path(text), Path(tokenizer), Path(out), int(positions))
