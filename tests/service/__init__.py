"""The roof: settings, errors, commands, the service as a whole."""
