"""Names of metrics: `eval/nll` on dev, `test/nll` on test, `babylm/<task>`, and variants of these.

A variant is the same measure of the same run, taken in another way. Its name comes first: `causal/eval/nll` of a hybrid
model that reads from left to right, `ema/eval/nll` of the averaged weights. So a reader that looks for `babylm/` at the
beginning of a name finds no variant.
"""

__all__ = ["AVERAGED", "CAUSAL", "VARIANTS", "of_variant", "on_test", "split_variant"]

CAUSAL, AVERAGED = "causal", "ema"
VARIANTS = (CAUSAL, AVERAGED)
"""First parts of the names of variants: of a hybrid model read from left to right, and of averaged weights."""

DEV, TEST = "eval/", "test/"
"""First parts of the plain names of metrics on dev and on test."""


def split_variant(metric: str) -> tuple[str, str]:
    """Return (variant, plain name) of a metric; the variant of a plain name is ''.

    >>> split_variant("causal/eval/nll"), split_variant("ema/causal/babylm/comps"), split_variant("eval/nll")
    (('causal', 'eval/nll'), ('ema/causal', 'babylm/comps'), ('', 'eval/nll'))
    """
    variants: list[str] = []
    while (first := metric.partition("/"))[0] in VARIANTS and first[2]:
        variants.append(first[0])
        metric = first[2]
    return "/".join(variants), metric


def of_variant(variant: str, metric: str) -> str:
    """Return the name of a plain metric's variant; '' stands for the plain metric.

    >>> of_variant("ema", "eval/nll"), of_variant("", "eval/nll")
    ('ema/eval/nll', 'eval/nll')
    """
    return f"{variant}/{metric}" if variant else metric


def on_test(metric: str) -> str:
    """Return a metric on test instead of dev; BabyLM's scores have one name for both.

    >>> on_test("eval/nll"), on_test("ema/eval/nll"), on_test("babylm/comps")
    ('test/nll', 'ema/test/nll', 'babylm/comps')
    """
    variant, plain = split_variant(metric)
    return of_variant(variant, TEST + plain.removeprefix(DEV) if plain.startswith(DEV) else plain)
