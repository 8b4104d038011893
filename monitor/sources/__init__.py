"""Everything that reads the world: pollers with deadlines, each of which may fail alone and says why."""
