"""Training: `tiny/` makes the embedded model, `finetune/` trains real checkpoints.

`LOSSES` are the names of the losses of `loss.py`: settings and `--help` need them without torch.
"""

LOSSES = ("balanced", "balanced_all", "plain", "harness")
