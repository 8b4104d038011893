"""The same quantization inside vLLM workers. Importing this package imports neither torch nor vLLM."""
