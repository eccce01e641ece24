"""``python -m tests.pictures``: record each session, and write it to docs/pictures/NAME.svg."""

from __future__ import annotations

import sys

from tests.cluster import plugin
from tests.cluster.cluster import Cluster
from tests.cluster.laptop import REPOSITORY
from tests.cluster.process import ClusterError
from tests.pictures.recording import Recorder
from tests.pictures.sessions import SESSIONS
from tests.pictures.svg import render

PICTURES = REPOSITORY / "docs" / "pictures"


def main() -> int:
    """Make the pictures on a cluster in Docker Desktop's shape; 0 if all of them were made."""
    try:
        with Cluster.start("pictures") as cluster:
            cluster.laptop.path_prepend.append(plugin.installed())
            cluster.use("docker-desktop")
            for session in SESSIONS:
                cluster.reset_home()
                recorder = Recorder(cluster.laptop)
                session.play(cluster, recorder)
                path = PICTURES / f"{session.name}.svg"
                path.write_text(render(recorder.frames, session.title))
                print(f"{path.relative_to(REPOSITORY)}: {path.stat().st_size / 1000:.0f} kB")
    except ClusterError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
