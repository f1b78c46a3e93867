"""What the methods that hide a picture in a colour picture share: `predict`, `measure` and the
shape of a batch.

A batch is `{"cover": [B, H, W, 3], "secret": [B, H, W, C]}`, pixel units 0..255, C = 1 for grey
secrets and 3 for colour.
"""

from __future__ import annotations

from collections.abc import Callable

from stegojax import metrics
from stegojax.images import round_to_pixels
from stegojax.types import Array, Batch, Key, State


def predict_with(
    embed: Callable[[State, Array, Array], Array], reveal: Callable[[State, Array], Array]
) -> Callable[[State, Batch, Key], dict[str, Array]]:
    """`Method.predict` from the two halves of a method.

    Args:
      embed: `(state, cover [B, H, W, 3], secret [B, H, W, C]) -> stego [B, H, W, 3]`, not yet
        rounded.
      reveal: `(state, stego [B, H, W, 3]) -> [B, H, W, C]`, not yet rounded.

    Returns:
      A function giving, from a batch with "cover" and "secret", "stego" (rounded) and "revealed"
      (from the rounded stego, rounded); from a batch with "stego" alone, "revealed".
    """

    def predict(state, batch, key):
        del key
        if "stego" in batch:
            return {"revealed": round_to_pixels(reveal(state, batch["stego"]))}
        stego = round_to_pixels(embed(state, batch["cover"], batch["secret"]))
        return {"stego": stego, "revealed": round_to_pixels(reveal(state, stego))}

    return predict


def measure(batch: Batch, outputs: dict[str, Array]) -> dict[str, Array]:
    """The columns of ISGAN's Table 5, all on 8-bit values.

    Args:
      batch: with "cover" and "secret".
      outputs: of `predict_with`'s function.

    Returns:
      `[B]` each: "stego_psnr" and "revealed_psnr" (dB), "stego_ssim" and "revealed_ssim".
    """
    return {
        "stego_psnr": metrics.psnr(outputs["stego"], batch["cover"]),
        "stego_ssim": metrics.ssim(outputs["stego"], batch["cover"]),
        "revealed_psnr": metrics.psnr(outputs["revealed"], batch["secret"]),
        "revealed_ssim": metrics.ssim(outputs["revealed"], batch["secret"]),
    }
