"""Reading a process from outside without stopping it: threads, ObjectRefs, and the hooks' responder."""
