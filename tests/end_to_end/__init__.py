"""The whole way on real input: a real Ray job, real processes, real stacks, a real model in real fake quantization."""
