"""The node: one machine's worth of namespaces with a whole Kubernetes in it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cluster import kubeconfig, profiles, versions
from tests.cluster.build import Built
from tests.cluster.cache import cache_root
from tests.cluster.families import Family
from tests.cluster.namespaces import Holder, hold

NAMESPACES = ("pid", "mount", "net", "uts", "ipc")
_DATA = "/run/node"  # on the node's own tmpfs
_SOCKET = "/run/containerd.sock"
_IMAGES = ("ctr", f"--address={_SOCKET}", "--namespace=k8s.io", "images")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_API = f"https://127.0.0.1:{profiles.API_PORT}"
_MACHINE_SETTINGS = (
    "kernel/keys/root_maxbytes",
    "kernel/keys/root_maxkeys",
    "kernel/panic",
    "kernel/panic_on_oops",
    "vm/overcommit_memory",
    "vm/panic_on_oom",
)
_FREEZE = 'copy=$(mktemp -p /run); cat "$1" >"$copy"; mount --bind "$copy" "$1"'


@dataclass(frozen=True, slots=True)
class Identity:
    """What of a Node object cannot change while it lives."""

    name: str
    provider_id: str = ""


DOCKER_DESKTOP = Identity("docker-desktop")
KIND = Identity("desktop-control-plane", "kind://docker/desktop/desktop-control-plane")
"""Docker Desktop's node in its kind mode."""
RANCHER_DESKTOP = Identity("lima-rancher-desktop")
"""Rancher Desktop's node, which is a Lima machine on macOS and Linux."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What the node is made from."""

    state: Path
    """The cluster's folder: pki/ is there, config files and log/ go there."""
    built: Built
    cgroup: str
    identity: Identity
    families: tuple[Family, ...]
    """The cluster's IP families, the primary one first."""
    api_flags: tuple[str, ...] = ()
    """More flags for the API server."""


def mark(name: str) -> str:
    """Source of the mount that only the node of this cluster has."""
    return f"node-of-{name}"


def start(plan: Plan, token: str) -> Holder:
    """Start the node's namespaces, with the administrator's token.

    Its programs begin on the word "go".
    """
    config = plan.state / "node"
    config.mkdir()
    (plan.state / "log").mkdir(exist_ok=True)
    for name, content in _files(plan, config, token).items():
        text = content if isinstance(content, str) else json.dumps(content, indent=1)
        (config / name).write_text(text)
    spec = {
        "setup": _setup(plan, config),
        "programs": _programs(plan, config),
        "exits": str(plan.state / "log" / "exits"),
    }
    return hold(NAMESPACES, spec, plan.state / "log" / "node.log")


def image_import(image: Path) -> list[str]:
    """The command that gives containerd an image, to be run in the node."""
    return [*_IMAGES, "import", str(image)]


def image_listing(name: str) -> list[str]:
    """The command that prints an image's name if containerd has it, to be run in the node."""
    return [*_IMAGES, "list", "--quiet", f"name=={name}"]


def _setup(plan: Plan, config: Path) -> list[list[str]]:
    """Mounts that keep to this node what its programs write outside their own folders.

    The kubelet also sets kernel settings of the whole machine: here it sets plain files instead.
    """
    cache = str(cache_root())
    hollow = str(plan.state / "hollow")
    var = f"lowerdir=/var,upperdir={hollow}/var,workdir={hollow}/work"
    folders = [f"{hollow}/{name}" for name in ("cache", "var", "work", "node")]
    return [
        ["mkdir", "-p", hollow],
        ["mount", "-t", "proc", "proc", "/proc"],
        ["mount", "-t", "tmpfs", "-o", "mode=755", mark(plan.state.name), hollow],
        ["mkdir", *folders],
        ["mount", "--bind", cache, f"{hollow}/cache"],
        ["mount", "-t", "overlay", "-o", var, "overlay", "/var"],
        ["mount", "--rbind", hollow, "/run"],
        ["mkdir", "-p", cache],
        ["mount", "--bind", "/run/cache", cache],  # it may have been below /var or /run
        ["mount", "--bind", str(config / "os-release"), "/etc/os-release"],
        *(["sh", "-ec", _FREEZE, "sh", f"/proc/sys/{name}"] for name in _MACHINE_SETTINGS),
        ["hostname", plan.identity.name],
    ]


def _programs(plan: Plan, config: Path) -> list[dict[str, Any]]:
    """All programs in the order of their start; some have to wait for the API server."""
    rows: list[tuple[str, str | None, Sequence[str]]] = [
        ("etcd", None, _etcd()),
        ("kube-apiserver", None, [*_apiserver(plan), *plan.api_flags]),
        ("containerd", None, [f"--config={config / 'containerd.toml'}"]),
        ("kubelet", f"{_API}/readyz", _kubelet(plan, config)),
        ("kube-controller-manager", None, _controller_manager(plan.state / "pki", config)),
        ("kube-scheduler", None, [*_client(config), "--leader-elect=false"]),
        ("kube-proxy", None, [f"--config={config / 'proxy.yaml'}"]),
    ]
    return [
        {
            "name": name,
            "after": after,
            "argv": [
                str(plan.built.components / name) if name.startswith("kube") else name,
                *arguments,
            ],
            "log": str(plan.state / "log" / f"{name}.log"),
            "env": {"PATH": _PATH, "HOME": "/run", "TMPDIR": "/run"},
        }
        for name, after, arguments in rows
    ]


def _etcd() -> list[str]:
    return [
        f"--data-dir={_DATA}/etcd",
        "--listen-client-urls=http://127.0.0.1:2379",
        "--advertise-client-urls=http://127.0.0.1:2379",
        "--listen-peer-urls=http://127.0.0.1:2380",
        "--unsafe-no-fsync",
    ]


def _apiserver(plan: Plan) -> list[str]:
    pki = plan.state / "pki"
    return [
        "--etcd-servers=http://127.0.0.1:2379",
        "--bind-address=::",  # IPv4 too
        f"--secure-port={profiles.API_PORT}",
        f"--cert-dir={_DATA}/apiserver",
        f"--tls-cert-file={pki}/server.crt",
        f"--tls-private-key-file={pki}/server.key",
        f"--token-auth-file={pki}/tokens.csv",
        f"--advertise-address={plan.families[0].cable_node}",
        f"--service-cluster-ip-range={','.join(family.services for family in plan.families)}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={pki}/accounts.key",
        f"--service-account-signing-key-file={pki}/accounts.key",
        "--authorization-mode=RBAC",
        "--allow-privileged",
        "--kubelet-preferred-address-types=InternalIP",
    ]


def _controller_manager(pki: Path, config: Path) -> list[str]:
    return [
        *_client(config),
        f"--service-account-private-key-file={pki}/accounts.key",
        f"--root-ca-file={pki}/ca.crt",
        "--use-service-account-credentials=false",
        "--leader-elect=false",
        "--allocate-node-cidrs=false",
        "--node-monitor-grace-period=24h",  # a Node that is an object alone sends no heartbeat
    ]


def _kubelet(plan: Plan, config: Path) -> list[str]:
    return [
        *_client(config),
        f"--config={config / 'kubelet.yaml'}",
        f"--root-dir={_DATA}/kubelet",
        f"--cert-dir={_DATA}/kubelet-pki",
        f"--node-ip={','.join(family.node for family in plan.families)}",
        f"--hostname-override={plan.identity.name}",
        f"--provider-id={plan.identity.provider_id}",
        "--cloud-provider=external",  # so that it leaves the node's addresses to us
    ]


def _client(config: Path) -> list[str]:
    return [f"--kubeconfig={config / 'kubeconfig'}"]


def _files(plan: Plan, config: Path, token: str) -> dict[str, Any]:
    return {
        "kubeconfig": kubeconfig.build(_API, plan.state / "pki/ca.crt", token),
        "os-release": 'PRETTY_NAME="Docker Desktop"\n',
        "resolv.conf": "nameserver 127.0.0.1\n",
        "containerd.toml": _containerd(config),
        "10-bridge.conflist": _pod_network(plan.families),
        "kubelet.yaml": _kubelet_configuration(plan, config),
        "proxy.yaml": {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "mode": "iptables",
            "hostnameOverride": plan.identity.name,
            "clientConnection": {"kubeconfig": str(config / "kubeconfig")},
            "clusterCIDR": ",".join(family.pods for family in plan.families),
            "conntrack": {  # 0 leaves this machine's own settings alone
                "maxPerCore": 0,
                "tcpEstablishedTimeout": "0s",
                "tcpCloseWaitTimeout": "0s",
            },
        },
    }


def _containerd(config: Path) -> str:
    # restrict_oom_score_adj: a machine without CAP_SYS_RESOURCE could not start containers else
    return f"""\
version = 2
root = "{_DATA}/containerd"
state = "/run/containerd"
[grpc]
address = "{_SOCKET}"
[plugins."io.containerd.internal.v1.opt"]
path = "{_DATA}/opt"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{versions.PAUSE_IMAGE}"
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "{config}"
"""


def _pod_network(families: tuple[Family, ...]) -> dict[str, Any]:
    everywhere = {"IPv4": "0.0.0.0/0", "IPv6": "::/0"}
    bridge = {
        "type": "bridge",
        "bridge": "cni0",
        "isGateway": True,
        "ipMasq": True,
        "hairpinMode": True,
        "ipam": {
            "type": "host-local",
            "ranges": [[{"subnet": family.pods}] for family in families],
            "routes": [{"dst": everywhere[family.name]} for family in families],
        },
    }
    ports = {"type": "portmap", "capabilities": {"portMappings": True}}
    return {"cniVersion": "0.4.0", "name": "pods", "plugins": [bridge, ports]}


def _kubelet_configuration(plan: Plan, config: Path) -> dict[str, Any]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": "::",  # IPv4 too
        "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
        "authorization": {"mode": "AlwaysAllow"},
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{plan.cgroup}",
        "failCgroupV1": False,  # as before 1.35
        "failSwapOn": False,
        "containerRuntimeEndpoint": f"unix://{_SOCKET}",
        "resolvConf": str(config / "resolv.conf"),
        "clusterDomain": "cluster.local",
        "volumePluginDir": f"{_DATA}/plugins",
        "imageGCHighThresholdPercent": 100,
        # 0% is never. On a tmpfs the kubelet at times reads a disk's numbers as nothing or as
        # another's, and would then remove the images and let no pod in.
        "evictionHard": {
            "memory.available": "50Mi",
            "nodefs.available": "0%",
            "nodefs.inodesFree": "0%",
            "imagefs.available": "0%",
            "imagefs.inodesFree": "0%",
        },
    }
