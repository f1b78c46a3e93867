"""The security protocol: how well steganalyzers tell the stegos of embedding schemes from their
covers.

Covers come from one source, cut to one size. Every scheme makes a stego of every cover at every
payload, by an optimal sender's simulator or by a real code. Photographs are split by chance into
training, validation and test pictures, several times; a photograph, all its tiles, and every stego
of them are on one side. Each steganalyzer is trained on each scheme's pairs and tested on pairs
that it has not seen. Reported are P_E = (false alarms + missed stegos) / 2 of its decisions, the
area under the ROC curve, and the stegos missed at 5 % false alarms, each with the standard
deviation over the splits.

    WORKDIR/covers.npy, covers.json      uint8 [N, H, W]; names and photographs
    WORKDIR/splits/K.json                {"train": [...], "validation": [...], "test": [...]},
                                         numbers of pictures
    WORKDIR/stegos/SCHEME@PAYLOAD.npy    uint8 [N, H, W], with how it was made in the .json beside
                                         it
    WORKDIR/features/...                 float32 [n, D] in parts
    WORKDIR/results/...                  scores and decisions on the test pictures, one file per
                                         scheme, steganalyzer and split
    WORKDIR/steganalyzers/...            the trained steganalyzers, for `stegojax detect`
    WORKDIR/security.md, security.csv, roc.png, payloads.png

Whatever is there already is used and not made again, so a run that was killed goes on, and schemes,
payloads, steganalyzers and splits can be added later.
"""

from stegojax.security.ensembles import FEATURES
from stegojax.security.protocol import evaluate, of_a_run
from stegojax.security.sources import Case, StegoSource, parse
from stegojax.security.tables import figures, table

__all__ = ["FEATURES", "Case", "StegoSource", "evaluate", "figures", "of_a_run", "parse", "table"]
