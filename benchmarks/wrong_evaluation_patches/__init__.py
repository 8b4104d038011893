"""What makes an evaluation of a real verl run wrong: modules that verl imports in each of its processes."""
