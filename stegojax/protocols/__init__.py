"""What `--mode=evaluate` measures of a run beyond held-out figures, a module for every kind of
message (`methods.Entry.use`).

Each has `evaluate(config, workdir, loaded) -> (text, results)`: tables to print, and what goes into
`evaluation.json`.
"""
