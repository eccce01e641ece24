from __future__ import annotations

from hypothesis import settings

# Deadlines measure the machine, and others work on it while tests run.
settings.register_profile("ssh", deadline=None)
settings.load_profile("ssh")
