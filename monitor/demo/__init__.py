"""A small real GRPO job on Ray, CPU only, in verl's names, lines and files, with hangs to order."""
