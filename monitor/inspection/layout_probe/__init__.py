"""Run by the target's own interpreter, in a child (`layout_probe.__main__`): where this build keeps what is looked for.

Every offset is found by looking at objects whose content is known, in this process's own memory; none is assumed.
Standard library only, Python 3.10 to 3.13. Imports are relative, since the package runs without laststep around it.
"""
