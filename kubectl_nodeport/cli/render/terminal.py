"""What leaves for a terminal."""

from __future__ import annotations

from kubectl_nodeport.printable import one_line as one_line
from kubectl_nodeport.printable import safe as safe
from kubectl_nodeport.printable import short as short
