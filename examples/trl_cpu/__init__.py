"""TRL's GRPOTrainer on a CPU, seen through the same hooks: `train.py`."""
