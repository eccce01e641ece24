"""doctor: what is between a person and the pod, looked at in order. A check a file."""
