"""Training: `tiny/` makes the embedded model, `finetune/` trains other checkpoints.

`LOSSES` are the names of the losses in `loss.py`. They are here because settings and `--help` need
them without importing torch.
"""

LOSSES = ("balanced", "balanced_all", "plain", "harness")
