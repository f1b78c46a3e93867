"""Where pictures and sentences come from and how they reach the devices.

Sources are random-access sequences of uint8 `[H, W, C]` pictures (`embedded`, `folder`,
`tfds_source`); `preprocess` holds the named operations on one picture; `sentences` reads texts,
`grammar` makes some, and `tokenizer` numbers their words; `pipeline.make` turns a config section
into an iterator of batches, pictures as float32 in 0..255 and words as int32.
"""
