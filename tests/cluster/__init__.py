"""A real Kubernetes for tests: two hosts and a cable, made of namespaces on this machine.

The node runs etcd, kube-apiserver, kube-controller-manager, kube-scheduler, containerd, kubelet and
kube-proxy; the laptop is where kubectl, the plugin and ssh are run, in a home of its own. Neither
has a way out to any other network. `python -m tests.cluster --help` plays with it by hand.

versions, prepare, build (with cache and image)     what it is made of
namespaces, holder, process                         how its hosts are held and ended
node, readiness, cgroups, pki, kubeconfig           the node
laptop, families, network, forwarder, relay         the laptop and its ways to the node
profiles, nodes, foreign                            what an environment makes of them
cluster, state, lifetime                            from start to down
namespace, pods, api, sshd_log, inside              what tests use
plugin, guard                                       the plugin under test; the real home
"""
