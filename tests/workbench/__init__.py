"""A real editor in a pod, and a real browser on the laptop that opens it.

The editor is VS Code's own server, as the npm package code-server ships it; Jupyter is the other
program of this kind. All of it is made once and kept in the cache of tests/cluster.

prepare                             what a machine needs, and getting it
node, server                        VS Code's server, with the node that it runs on
jupyter                             JupyterLab, with the Python that it runs on
browser, window                     Chromium on the laptop, and what drives it there
vscode_page, jupyter_page           what is done in it
shell, remote_ssh                   an ssh session that is typed into, and Remote-SSH's
"""
