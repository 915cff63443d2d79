"""The roof: settings, assembly, command line; the only place that chooses parts.

What comes in: settings from the environment and `tocsin.env`, and what people type. What goes out: a
running Tocsin (`assemble`), or one command done. The command `tocsin` enters by `service.cli`; nobody
else calls this room.
"""

from service.settings import Settings, load_settings

__all__ = ["Settings", "load_settings"]
