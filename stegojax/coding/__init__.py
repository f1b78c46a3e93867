"""Codes that hide message bits in the elements of a cover at a small total cost.

* `stc` (syndrome-trellis codes) and `polar` (steganographic polar codes) embed bits in bits.
  `viterbi` is the search of the former as one pure function; `stc.embed` is the fast way.
* `ternary` puts either of them to work on whole values with +-1 changes in two layers.
* `lsbm` is LSB matching, which needs no code.
* `correction` brings bits through a noisy channel.

All of them take the elements in the order in which the key has already put them.
"""

from stegojax.coding.optimum import optimal_lambda
from stegojax.coding.parity_check import block_columns
from stegojax.coding.refusals import NoRoom
from stegojax.coding.stc import viterbi

__all__ = ["NoRoom", "block_columns", "optimal_lambda", "viterbi"]
