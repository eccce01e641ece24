"""Pictures of real terminal sessions for README.md and docs/: `make docs`."""
