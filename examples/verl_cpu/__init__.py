"""Real verl and real vLLM on a CPU: an environment, a tiny model, and runs of the legacy trainer and of V1."""
