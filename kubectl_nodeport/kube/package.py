"""What is used of the kubernetes package, its only importer: the HTTP client and what that raises.

The package's own ``__init__`` imports its watch, streams, dynamic client and configuration as well,
which is a quarter of the time that it takes to load. With an empty parent in their place the two
modules below are imported as they are.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec, module_from_spec

_spec = find_spec("kubernetes")
if _spec is not None and "kubernetes" not in sys.modules:
    sys.modules["kubernetes"] = module_from_spec(_spec)

from kubernetes.client.api_client import ApiClient  # noqa: E402 - see above
from kubernetes.client.configuration import Configuration  # noqa: E402
from kubernetes.client.exceptions import ApiException  # noqa: E402

__all__ = ["ApiClient", "ApiException", "Configuration"]
