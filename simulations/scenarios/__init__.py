"""Packaged scenarios; each file is also a commented example of the format."""
