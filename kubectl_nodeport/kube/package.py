"""What is used of the kubernetes package, its only importer: the HTTP client and what that raises.

The package's own ``__init__`` and that of its utils import its watch, streams, dynamic client and a
YAML reader as well, and its ApiClient what validates models: nine tenths of the time that it takes
to load. With empty parents in their place the three modules below are imported as they are.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec, module_from_spec


def _empty(name: str) -> None:
    """Put a package without content there, below which its modules are found."""
    spec = find_spec(name)
    if spec is not None and name not in sys.modules:
        sys.modules[name] = module_from_spec(spec)


_empty("kubernetes")
_empty("kubernetes.utils")

from kubernetes.client.configuration import Configuration  # noqa: E402 - see above
from kubernetes.client.exceptions import ApiException  # noqa: E402
from kubernetes.client.rest import RESTClientObject  # noqa: E402

__all__ = ["ApiException", "Configuration", "RESTClientObject"]
