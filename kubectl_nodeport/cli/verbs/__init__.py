"""The verbs, in the order in which the help lists them: those of every day first."""

from kubectl_nodeport.cli.verbs.address import address
from kubectl_nodeport.cli.verbs.completion import completion
from kubectl_nodeport.cli.verbs.connect import connect
from kubectl_nodeport.cli.verbs.delete import delete
from kubectl_nodeport.cli.verbs.disconnect import disconnect
from kubectl_nodeport.cli.verbs.doctor import doctor
from kubectl_nodeport.cli.verbs.expose import expose
from kubectl_nodeport.cli.verbs.get import get
from kubectl_nodeport.cli.verbs.open import open_
from kubectl_nodeport.cli.verbs.options import options
from kubectl_nodeport.cli.verbs.proxy import proxy
from kubectl_nodeport.cli.verbs.ssh import ssh
from kubectl_nodeport.cli.verbs.sync import sync
from kubectl_nodeport.cli.verbs.version import version

ALL = (
    *(connect, ssh, open_, get, disconnect, sync, doctor),
    *(expose, address, delete),
    *(completion, version, options, proxy),
)
