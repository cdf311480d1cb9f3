"""The types that all rooms share: frozen values, no input or output."""
