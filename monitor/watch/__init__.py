"""The headless watchdog process: attach, tick until the run ends, tell. It survives the terminal; screens only read."""
