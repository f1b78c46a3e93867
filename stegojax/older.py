"""Configs of earlier versions, brought to today's form when they are read.

What a run measures after training was set in `evaluation` and is now in `report`; runs whose method
lists stages had `steps` or `epochs` besides; HiDDeN's `noise` was `noises`, and the security
protocol's `steganalyzers` were `detectors`.
"""

from __future__ import annotations

import ml_collections

MOVED = {
    "evaluation.final_batches": "report.batches",
    "evaluation.transfer_steps": "report.transfer.steps",
    "evaluation.transfer_optimizer": "report.transfer.optimizer",
    "evaluation.security": "report.security",
    "evaluation.covers": "report.covers",
    "evaluation.sentences": "report.sentences.count",
    "evaluation.searched": "report.sentences.searched",
    "evaluation.beams": "report.sentences.beams",
    "evaluation.weights": "report.sentences.weights",
    "evaluation.photographs": "report.bits.photographs",
    "evaluation.cross_source": "report.bits.cross_source",
    "method.noises": "method.noise",
    "report.security.detectors": "report.security.steganalyzers",
    "detectors": "steganalyzers",
}
"""Where a field or a section was -> where it is."""

ADDED = {
    "asymmetric": {"generator": "plain"},
    "isgan": {"mse_scale": 255.0, "mse_norm": "mean"},
    **dict.fromkeys(("seq2seq_gan", "seq2seq_user"), {"state": 256, "size": 64}),
}
"""Fields that methods have got since, and what their runs did before; fields whose value was empty,
zero or false need no entry.
"""

STAGES = ("stage_lengths", "stage_steps", "curriculum")
"""Fields of `method` that list stages."""


def renew(config: ml_collections.ConfigDict) -> None:
    """Brings a config to today's form, in place; one that has it already stays as it is.

    Args:
      config: of a run or of the security protocol.
    """
    _renew(config)
    # Runs of networks lie within the security protocol's config.
    for section in (config, config.get("report", {}).get("security", {})):
        for network in section.get("networks", {}).values():
            _renew(network)


def _renew(config: ml_collections.ConfigDict) -> None:
    if "evaluation" in config and "report" not in config:
        if any(config.method.get(name, ()) for name in STAGES):
            config.steps, config.epochs = 0, 0.0
        config.steps = max(0, config.steps)
    method = config.get("method")
    if isinstance(method, ml_collections.ConfigDict):  # others are refused where they are used
        for name, value in ADDED.get(method.get("name", ""), {}).items():
            if name not in method:
                method[name] = value
    for old, new in MOVED.items():
        section, field = _place(config, old)
        if section is not None and field in section:
            value = section[field]
            del section[field]
            section, field = _place(config, new, make=True)
            section[field] = value


def _place(config, dotted: str, *, make: bool = False):
    """The section of a field, which is made where it is absent, or None; and the field's name."""
    *path, field = dotted.split(".")
    for name in path:
        if name not in config:
            if not make:
                return None, field
            config[name] = ml_collections.ConfigDict()
        config = config[name]
    return config, field
