"""Fine-tuning of real checkpoints on the samples of the data engine."""
