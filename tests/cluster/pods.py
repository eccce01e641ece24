"""Pods from a few words: what runs in them, and their manifests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from tests.cluster import versions

Object = dict[str, Any]

_AUTHORIZE = """\
for home in /root /home/dev; do
  mkdir -p -m 700 $home/.ssh
  echo "$AUTHORIZED_KEY" >$home/.ssh/authorized_keys
done
chown -R dev: /home/dev/.ssh
"""

RUNS = {
    "sshd": f"""\
{_AUTHORIZE}
if [ "$HOST_KEYS" = own ]; then
  rm /etc/ssh/ssh_host_*
  for kind in ed25519 ecdsa; do
    ssh-keygen -q -t $kind -N '' -f /etc/ssh/ssh_host_${{kind}}_key
  done
fi
echo "$SSHD_SETTINGS" >/etc/ssh/sshd_config.d/words.conf
if [ "$HOST_KEYS" = odd ]; then
  mkdir /srv/keys
  ssh-keygen -q -t ed25519 -N '' -f /srv/keys/odd
  rm /srv/keys/odd.pub
  echo "HostKey /srv/keys/odd" >>/etc/ssh/sshd_config.d/words.conf
fi
if [ "$SHELL_IN_IMAGE" = no ]; then
  sed -i s,/bin/bash,/bin/echo, /etc/passwd
  rm /bin/sh /bin/dash /bin/bash /bin/rbash
fi
mkdir -p /run/sshd
exec /usr/sbin/sshd -D -e
""",
    "dropbear": f"""\
{_AUTHORIZE}
key=/etc/dropbear/dropbear_ed25519_host_key
[ "$HOST_KEYS" != odd ] || key=/srv/keys/odd
mkdir -p /etc/dropbear /srv/keys
dropbearkey -t ed25519 -f $key >/dev/null
until grep -q ' 00000000:0016 .* 0A ' /proc/net/tcp; do sleep 0.1; done && echo listening &
[ "$HOST_KEYS" != odd ] || set -- -r $key
exec dropbear -F -E -p 22 "$@"
""",
    "nothing": "exec sleep infinity",
    "echo": 'echo listening; exec socat "TCP-LISTEN:$PORT,fork,reuseaddr" EXEC:cat',
    "crash": "echo it went wrong >&2; exit 3",
    "done": "exit 0",
}
"""What a pod can run: an sshd, a dropbear, a sleep, a listener, a failure, a success."""

_RESTRICTED = {
    "runAsUser": 1000,
    "runAsGroup": 1000,
    "runAsNonRoot": True,
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}

IMAGES = {
    "own": versions.SSHD_IMAGE,
    "trixie": versions.TRIXIE_IMAGE,
    "bare": versions.BARE_IMAGE,
    "busybox": versions.BUSYBOX_IMAGE,
    "pause": versions.PAUSE_IMAGE,
}


@dataclass(frozen=True, slots=True)
class Words:
    """The few words that tell one pod from another."""

    runs: str = "sshd"
    """A key of RUNS."""
    host_keys: Literal["image", "own", "odd"] = "image"
    """The image's keys are the same in all pods; own ones are made when the container starts, odd
    ones at a path that an included configuration names."""
    shell: bool = True
    """False: no shell is left in its container, and sshd starts `echo` instead."""
    ready: bool = True
    """False: its readiness probe fails for ever."""
    schedulable: bool = True
    """False: no node fits, so it stays Pending."""
    image: Literal["own", "trixie", "bare", "busybox", "pause"] = "own"
    """The machine's own Debian release, or trixie with OpenSSH 10 and its PerSourcePenalties; the
    former without any ssh; busybox and nothing else; a program that sleeps and nothing else.
    Without bash, `nothing` is all that can run."""
    verbose: bool = False
    """Its sshd logs each connection: Namespace.connections()."""
    passwords: bool = True
    """Whether its sshd allows password logins, as Debian's does unless told."""
    port: int = 22
    """Where its program listens."""
    port_name: str | None = "ssh"
    """Name of the declared container port; None declares no port at all."""
    labels: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    """More variables of its container."""
    command: Sequence[str] | None = None
    """Instead of what `runs` names."""
    restart: Literal["Always", "OnFailure", "Never"] = "Always"
    tool: bool = False
    """Whether a second container of the same image is there, `tool`, in which nothing runs."""
    share_processes: bool = False
    """Whether its containers see each other's processes."""
    restricted: bool = False
    """Whether it runs as the user 1000, without any capability or a way to more, on a root file
    system that is read-only."""
    volumes: Sequence[str] = ()
    """Where empty volumes are mounted."""
    of_node: Mapping[str, Path] = field(default_factory=dict)
    """Files and folders of the node, which has this machine's, by where they are mounted
    read-only."""


def manifest(name: str, words: Words, public_key: str) -> Object:
    """The Pod, with the key allowed to log in as root and as dev."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name, **words.labels}},
        "spec": _spec(words, public_key),
    }


def workload(kind: str, name: str, words: Words, public_key: str, replicas: int) -> Object:
    """A Deployment, StatefulSet or ReplicaSet whose pods all have the label app=NAME."""
    labels = {"app": name, **words.labels}
    spec: Object = {
        "replicas": replicas,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": _spec(words, public_key)},
    }
    if kind == "StatefulSet":
        spec["serviceName"] = name
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}


def _spec(words: Words, public_key: str) -> Object:
    variables = {
        "AUTHORIZED_KEY": public_key,
        "HOST_KEYS": words.host_keys,
        "SHELL_IN_IMAGE": "yes" if words.shell else "no",
        "PORT": str(words.port),
        "SSHD_SETTINGS": "\n".join(_sshd_settings(words)),
        **words.env,
    }
    container: Object = {
        "name": "main",
        "image": IMAGES[words.image],
        "imagePullPolicy": "Never",
        "command": list(words.command or _program(words)),
        "env": [{"name": key, "value": value} for key, value in variables.items()],
    }
    if words.port_name is not None:
        container["ports"] = [{"name": words.port_name, "containerPort": words.port}]
    if not words.ready:
        container["readinessProbe"] = {"exec": {"command": ["false"]}, "periodSeconds": 1}
    if words.restricted:
        container["securityContext"] = _RESTRICTED
    volumes = list(_volumes(words))
    container["volumeMounts"] = [mount for mount, _ in volumes]
    containers = [container]
    if words.tool:
        sleep = {"name": "tool", "command": ["sleep", "infinity"]}
        containers.append(
            {**{key: container[key] for key in ("image", "imagePullPolicy")}, **sleep}
        )
    spec: Object = {
        "automountServiceAccountToken": False,  # its volume waits for a ConfigMap, up to seconds
        "containers": containers,
        "dnsPolicy": "Default",
        "enableServiceLinks": False,
        "restartPolicy": words.restart,
        "shareProcessNamespace": words.share_processes,
        "terminationGracePeriodSeconds": 0,
        "volumes": [volume for _, volume in volumes],
    }
    if not words.schedulable:
        spec["nodeSelector"] = {"no-such-node": "true"}
    return spec


def _volumes(words: Words) -> Iterator[tuple[Object, Object]]:
    """Each mount with its volume."""
    for number, path in enumerate(words.volumes):
        name = {"name": f"empty{number}"}
        yield {**name, "mountPath": path}, {**name, "emptyDir": {}}
    for number, (path, source) in enumerate(words.of_node.items()):
        name = {"name": f"of-node{number}"}
        mount = {**name, "mountPath": path, "readOnly": True}
        yield mount, {**name, "hostPath": {"path": str(source)}}


def _program(words: Words) -> tuple[str, ...]:
    if words.image == "pause":
        return ("/pause",)
    return ("sh" if words.image == "busybox" else "bash", "-euc", RUNS[words.runs])


def _sshd_settings(words: Words) -> Iterator[str]:
    yield f"PasswordAuthentication {'yes' if words.passwords else 'no'}"
    if words.verbose:
        yield "LogLevel VERBOSE"
    if words.port != 22:
        yield f"Port {words.port}"


def settled(pod: Object, words: Words) -> bool:
    """Whether the pod has come to where its words lead, as far as its status tells.

    A crash-looping one has come there when it has ended for the second time: the kubelet waits 10 s
    before the next start, and says Error or CrashLoopBackOff, back and forth, for so long.
    """
    status = pod["status"]
    conditions = {row["type"]: row for row in status.get("conditions", [])}
    containers = status.get("containerStatuses", [])
    if not words.schedulable:
        return bool(conditions.get("PodScheduled", {}).get("reason") == "Unschedulable")
    if words.command is None and words.runs in ("crash", "done"):
        if words.restart == "Never":
            return status.get("phase") in ("Succeeded", "Failed")
        return any(row["restartCount"] and _has_ended(row["state"]) for row in containers)
    if not words.ready:
        return any("running" in row["state"] for row in containers)
    return bool(conditions.get("Ready", {}).get("status") == "True")


def _has_ended(state: Object) -> bool:
    """Whether a container's state is an end; one that is about to start waits for other reasons."""
    return "terminated" in state or state.get("waiting", {}).get("reason") == "CrashLoopBackOff"
