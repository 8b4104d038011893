"""A package with TRL's names: what the hooks need of it, and nothing behind."""
