"""Preference and reward training of the decision to speak or to be silent.

    rooms -> rollouts (the engine plays, and is copied at doubtful decisions) -> reward
          -> pairs -> dpo     one prefix, a better and a worse turn
          -> group -> grpo    one prefix, several sampled turns

`trainer.py` is the loop, `rows.py` the forward pass over a window with all its decisions.
"""
