"""A CPU as verl's device, by verl's and vLLM's own plugin points: `platform`, `engine` and `loadable_weights`."""
