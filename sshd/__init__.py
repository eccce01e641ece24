"""The ssh server that connect brings along: its sources, in Go, and how they are built."""
