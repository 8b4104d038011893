"""One file a screen: pure functions from the data and the room there is to lines of styled text."""
