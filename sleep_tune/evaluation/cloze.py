"""Log-probabilities of tokens in texts, masked or not, by any language model: the engine behind every score.

Shape suffixes: N texts, P probes, C copies of texts, R different copies (the rows that the model reads), S different
positions of these rows at which the model's prediction is used.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from sleep_tune.evaluation.logits import ignores_padding, logits_at
from sleep_tune.models.evaluation_mode import evaluation_mode

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["Cloze", "Probes"]

Ints = NDArray[np.integer]

SHORTEST = 7 / 8
"""Length of a batch's shortest row over that of its longest, at least: padding stays below an eighth."""

HEAD_RATIO = 8
"""At least this many tokens per predicted token in a batch of masked rows, which bounds the memory of logits."""


CPU_TOKENS = 2048
"""Highest number of tokens in a pass on a CPU: longer ones do not fit its caches and take up to a tenth longer."""

CPU_LOGITS = 2**22
"""Highest number of logits in a pass of unmasked rows on a CPU: more memory would be requested from the system each
time, which takes longer than filling it."""


@dataclass(frozen=True, slots=True)
class Probes:
    """Tokens whose probability is computed, as arrays of length P.

    Probes of one text with the same group are masked together, in one copy of the text. If nothing is masked, a text
    needs only one group.
    """

    text: Ints
    """(P,) index of the text."""
    position: Ints
    """(P,) index of the token in its text; the text's length for the token that would come next."""
    group: Ints
    """(P,) integers from 0 that distinguish the copies of a text."""
    target: Ints | None = None
    """(P,) token whose probability is computed; None: the token at `position`."""


class Cloze:
    """Masked copies of texts, planned once and scored by any number of models.

    Equal copies are one row, even of different texts: two sentences that differ in one token share the copy in which
    this token is masked. Rows are sorted by length, longest first (so a device with too little memory fails at once),
    and cut into batches of similar lengths. The head of models of this package is computed at the needed positions
    only. Equal copies are found by a 128-bit fingerprint, and each is made when its batch is, so they are never all in
    memory.

        cloze = Cloze(texts, Probes(text, position, group), pad=pad, mask=mask, batch_tokens=16_384)
        log_probabilities = cloze.score(model)  # (P,)
    """

    def __init__(
        self, texts: Sequence[Ints], probes: Probes, *, pad: int, mask: int | None, batch_tokens: int, shift: int = 0
    ) -> None:
        """Find the different copies and sort them.

        Args:
            texts: N arrays (T,) of token ids, with special tokens, without padding.
            probes: at least one; a (text, position) may occur in several copies.
            pad: token that fills a row, without attention.
            mask: token that replaces the probed ones; None: the texts are read unchanged.
            batch_tokens: highest number of tokens in one forward pass (a single row may be longer; a CPU gets fewer).
            shift: number of positions before the token at which the model predicts it: 0 for masked models, 1 for
                causal ones and for masked next-token prediction. Every position must be at least this.
        """
        self._pad, self._mask = pad, mask
        self._lengths_N = np.array([len(text) for text in texts], dtype=np.int64)
        self._starts_N = np.cumsum(self._lengths_N) - self._lengths_N
        self._tokens = np.concatenate([np.asarray(text, dtype=np.int32) for text in texts])

        groups = int(probes.group.max()) + 1
        copies, copy_P = np.unique(probes.text * groups + probes.group, return_inverse=True)
        text_C: Ints = copies // groups
        prints_C = self._fingerprints(text_C, copy_P, probes)
        _, first_R, row_C = np.unique(prints_C, return_index=True, return_inverse=True)
        by_length_R = np.argsort(-self._lengths_N[text_C[first_R]], kind="stable")
        rank_R = np.empty_like(by_length_R)
        rank_R[by_length_R] = np.arange(len(by_length_R))
        self._text_R: Ints = text_C[first_R[by_length_R]]

        # With unmasked text, the predictions at most positions are used.
        self._head_ratio = 1 if mask is None else HEAD_RATIO
        longest = int(self._lengths_N.max())
        row_P = rank_R[row_C[copy_P]]
        slots, slot_P = np.unique(row_P * longest + probes.position - shift, return_inverse=True)
        self._row_S, self._position_S = np.divmod(slots, longest)
        self._order_P = np.argsort(slot_P, kind="stable")
        self._slot_P: Ints = slot_P[self._order_P]
        target_P = (
            self._tokens[self._starts_N[probes.text] + probes.position] if probes.target is None else probes.target
        )
        self._target_P = target_P[self._order_P]
        masked = np.unique(row_P * longest + probes.position) if mask is not None else slots[:0]
        self._row_M, self._position_M = np.divmod(masked, longest)
        self._batch_tokens = batch_tokens

    def __repr__(self) -> str:
        """Return the sizes that determine the cost."""
        return f"Cloze({len(self._order_P)} probes, {len(self._text_R)} rows, {self.num_tokens} tokens)"

    @property
    def num_tokens(self) -> int:
        """Number of tokens in all rows, without padding: the sum of the calls of `advance`."""
        return int(self._lengths_N[self._text_R].sum())

    @property
    def longest(self) -> int:
        """Number of tokens in the longest row."""
        return int(self._lengths_N[self._text_R[0]])

    def score(self, model: "PreTrainedModel", advance: Callable[[int], None] | None = None) -> NDArray[np.float64]:
        """Compute the log-probability of every probe; the model's mode and torch's random state stay as they were.

        The model's device and dtype and an active autocast are kept; log-probabilities are computed in float32.

        Args:
            model: a language model.
            advance: called after each batch with the number of tokens that it had.

        Returns:
            (P,) natural logarithm of each token's probability, in the order of the probes.
        """
        device = next(model.parameters()).device
        limit = self._batch_tokens
        if device.type == "cpu":
            limit = min(limit, CPU_TOKENS)
            if self._mask is None:
                limit = min(limit, max(1, CPU_LOGITS // int(model.config.vocab_size)))
        # One tensor for all: a small one kept from each batch would fragment the heap, which then grows by gigabytes.
        answers_P = torch.empty(len(self._order_P), device=device)
        with evaluation_mode(model):
            for start, stop in self._cut(limit, SHORTEST if self._may_pad(model, device) else 1.0):
                input_ids, attention_mask, positions = self._rows(start, stop)
                logits = logits_at(
                    model,
                    torch.from_numpy(input_ids).to(device),
                    None if attention_mask is None else torch.from_numpy(attention_mask).to(device),
                    torch.from_numpy(positions).to(device),
                    causal=self._mask is None,
                ).float()
                begin, end, slot_p, target_p = self._probes_of(start, stop)
                slots, targets = torch.from_numpy(slot_p).to(device), torch.from_numpy(target_p).to(device)
                answers_P[begin:end] = logits[slots, targets] - logits.logsumexp(dim=-1)[slots]
                if advance is not None:
                    advance(int(self._lengths_N[self._text_R[start:stop]].sum()))
        scores_P = np.empty(len(self._order_P), dtype=np.float64)
        scores_P[self._order_P] = answers_P.cpu().numpy()
        return scores_P

    def _fingerprints(self, text_C: Ints, copy_P: Ints, probes: Probes) -> NDArray[np.void]:
        """Return 128 bits for each copy, which are equal for equal copies and practically never for others.

        Two multilinear hashes modulo 2^64 (Carter and Wegman 1979; Lemire and Kaser 2014): a sum of tokens times random
        coefficients, so that a mask changes it by one term. Two different copies collide with a chance below 2^-90.
        """
        width = int(self._lengths_N.max())
        within = np.arange(len(self._tokens)) - np.repeat(self._starts_N, self._lengths_N)
        # One is added so that token 0 at the end of a text differs from no token there.
        tokens = self._tokens.astype(np.uint64) + np.uint64(1)
        if self._mask is not None:
            asked_P = self._starts_N[probes.text] + probes.position
            change_P = np.uint64(self._mask + 1) - tokens[asked_P]  # modulo 2^64, as intended
        prints_C = np.empty((len(text_C), 2), dtype=np.uint64)
        coefficients = np.random.default_rng(0).integers(0, 2**64, size=(2, width), dtype=np.uint64)
        for half, coefficient in enumerate(coefficients):
            whole_N = np.add.reduceat(tokens * coefficient[within], self._starts_N)
            prints_C[:, half] = whole_N[text_C]
            if self._mask is not None:
                np.add.at(prints_C[:, half], copy_P, change_P * coefficient[probes.position])
        return prints_C.view("V16").reshape(-1)

    def _may_pad(self, model: "PreTrainedModel", device: torch.device) -> bool:
        """Return whether rows of different lengths may share a batch, as for nearly all models."""
        shortest, longest = int(self._text_R[-1]), self.longest
        start, size = self._starts_N[shortest], int(self._lengths_N[shortest])
        text = torch.from_numpy(self._tokens[start : start + size].astype(np.int64))[None].to(device)
        return size == longest or ignores_padding(model, text, self._pad, longest)

    def _cut(self, batch_tokens: int, least: float = SHORTEST) -> Iterator[tuple[int, int]]:
        """Cut the rows into batches [start, stop); each row has at least the share `least` of its batch's longest."""
        lengths_R = self._lengths_N[self._text_R]
        slots_before_R = np.searchsorted(self._row_S, np.arange(len(lengths_R) + 1))
        start = 0
        while start < len(lengths_R):
            longest = int(lengths_R[start])
            asked = slots_before_R[start] + max(batch_tokens, longest) // self._head_ratio
            stop = min(
                start + batch_tokens // longest,
                int(np.searchsorted(-lengths_R, -least * longest, side="right")),
                int(np.searchsorted(slots_before_R, asked, side="right")) - 1,
            )
            yield start, max(stop, start + 1)
            start = max(stop, start + 1)

    def _rows(self, start: int, stop: int) -> tuple[NDArray[np.int64], NDArray[np.int64] | None, NDArray[np.int64]]:
        """Return a batch, masked and padded: input ids (B, T), attention mask (B, T) or None, (S,) flat positions."""
        text_B = self._text_R[start:stop]
        length_B = self._lengths_N[text_B]
        width = int(length_B[0])
        inside_BT = np.arange(width) < length_B[:, None]
        from_BT = np.where(inside_BT, self._starts_N[text_B][:, None] + np.arange(width), 0)
        input_ids = np.where(inside_BT, self._tokens[from_BT], self._pad).astype(np.int64)
        if self._mask is not None:
            first, last = np.searchsorted(self._row_M, [start, stop])
            masked = (self._row_M[first:last] - start) * width + self._position_M[first:last]
            input_ids.reshape(-1)[masked] = self._mask
        first, last = np.searchsorted(self._row_S, [start, stop])
        positions = (self._row_S[first:last] - start) * width + self._position_S[first:last]
        return input_ids, None if inside_BT.all() else inside_BT.astype(np.int64), positions

    def _probes_of(self, start: int, stop: int) -> tuple[int, int, NDArray[np.int64], NDArray[np.int64]]:
        """Return the probes [begin, end) of a batch: index of each among the batch's positions, and its token."""
        first, last = np.searchsorted(self._row_S, [start, stop])
        begin, end = np.searchsorted(self._slot_P, [first, last])
        return int(begin), int(end), self._slot_P[begin:end] - first, self._target_P[begin:end].astype(np.int64)
