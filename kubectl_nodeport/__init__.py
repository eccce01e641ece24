"""Expose a pod's port, resolve the address that answers, write the Host entry."""

__version__ = "0.1.0"
