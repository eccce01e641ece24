"""Which of several pods kubectl takes, as for ``kubectl exec deploy/web``. Pure.

The order is that of podutils.ActivePods, reversed, and the first of equals wins:
https://github.com/kubernetes/kubernetes/blob/v1.34.4/staging/src/k8s.io/kubectl/pkg/util/podutils/podutils.go
https://github.com/kubernetes/kubernetes/blob/v1.34.4/staging/src/k8s.io/kubectl/pkg/polymorphichelpers/attachablepodforobject.go

Go's sort keeps the order of equals in lists of up to 12; in longer ones kubectl may take another
of the pods that are equal in all of this.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime

from kubectl_nodeport.kube.pod import Pod

# A phase that is not named counts as pending there, an ended pod's among them.
_PHASES = {"Unknown": 1, "Running": 2}


def first(pods: Sequence[Pod]) -> Pod:
    """The pod that kubectl would take; ``pods`` as the API server lists them, at least one."""
    return max(pods, key=rank)


def rank(pod: Pod) -> tuple[float, ...]:
    """Greater for the pod that is taken rather; a total order, with equals."""
    return (
        bool(pod.node),
        _PHASES.get(pod.phase, 0),
        pod.ready,
        not pod.deleting,
        _seconds(pod.deleted),  # of two that are leaving, the one that leaves later
        -_seconds(pod.ready_since, missing=math.inf),
        -max((container.restarts for container in pod.containers), default=0),
        -pod.sidecar_restarts,
        -_seconds(pod.created, missing=math.inf),
    )


def _seconds(time: datetime | None, missing: float = -math.inf) -> float:
    return missing if time is None else time.timestamp()
