"""The version, where every room may read it without knowing the rooms above."""

__version__ = "0.1.0"
