"""A trainer with the demo's names and no Ray, no model: what the observers see of a run, and nothing else."""
