"""Awkward configs that ssh accepts. ``{here}`` becomes the folder that the config lies in."""

from __future__ import annotations

ACCEPTED: dict[str, str] = {
    "empty": "",
    "blank": "\n\n",
    "comment only": "# nothing here",
    "globals only": "Compression yes\n",
    "globals, no final newline": "Compression yes",
    "globals, CRLF, no final newline": "Compression yes\r\nBatchMode no",
    "one host": "Host a\n  User x\n",
    "one host, no final newline": "Host a\n  User x",
    "CRLF": "Host a\r\n  User x\r\nHost b\r\n  Port 1\r\n",
    "mixed line ends": "Host a\r\n  User x\nHost b\n  Port 1\r\n",
    "tabs": "\tHost\ta\n\t\tUser\tx\n",
    "equals": "Host=a\nUser=x\nHost = b\nUser = y\n",
    "quotes": '"Host" "a"\n  "User" "x"\n',
    "upper case": "HOST a\nUSER x\n",
    "several names": "Host a b c\n  User x\n",
    "negated": "Host a* !ab\n  User x\nHost ab\n  User y\n",
    "star last": "Host a\n  User x\nHost *\n  User y\n  Port 2222\n",
    "star first": "Host *\n  User y\n  Port 2222\n  StrictHostKeyChecking no\n",
    "star with known hosts": "Host *\n  UserKnownHostsFile /dev/null\n  HostKeyAlias z\n",
    "star with control master": "Host *\n  ControlMaster auto\n  ControlPath {here}/%r@%h:%p\n",
    "star with jump": "Host a\n  User x\nHost *\n  ProxyJump bastion\n",
    "star with command": "Host *\n  ProxyCommand nc %h %p\n",
    "match all first": "Match all\n  User y\n  Port 2222\n",
    "match host": "Match host a,127.0.0.1\n  User y\n",
    "match originalhost": 'Match originalhost "a*"\n  User y\n',
    "match exec": 'Match exec "test -n x"\n  User y\n',
    "match user": "Match user root\n  Compression yes\n",
    "match final": "Match final all\n  Port 2222\n",
    "match in lower case": "match host a\n  user y\nhost b\n  user z\n",
    "keywords like host": "HostKeyAlgorithms +ssh-rsa\nHashKnownHosts yes\nHost a\n  User x\n",
    "comments attached": "# global\n\n# about a\n# more about a\nHost a\n  User x\n",
    "comments with markers of others": "# >>> other >>>\nHost a\n  User x\n# <<< other <<<\n",
    "devpod": "# DevPod Start a.devpod\nHost a.devpod\n  User x\n# DevPod End a.devpod\n",
    "coder": "# ------------START-CODER-----------\nHost coder.*\n  User x\n"
    "# ------------END-CODER------------\n",
    "commented host": "#Host z\n# Host y\nHost a\n  User x\n",
    "commented host glued": "# x\nCompression yes\n#Host z\nHost a\n  User x\n",
    "include": "Include {here}/more\nHost a\n  User x\n",
    "include in host": "Host a\n  Include {here}/more\n  User x\n",
    "include of nothing": "Include {here}/none/*\n\nHost a\n  User x\n",
    "include last": "Host a\n  User x\nMatch all\n  Include {here}/more\n",
    "latin-1": "# M\udcfcller\nHost a\n  User x\n",
    "unicode": "# Grüße 生产 \u2028 x\nHost ä\n  User x\n",
    "odd white space": "# \x0b \x0c \x85\nHost a  \n  User x\t \n",
    "trailing comment": "Host a # the a host\n  User x # its user\n",
    "ignore unknown": "IgnoreUnknown UseKeychain\nUseKeychain yes\nHost a\n  User x\n",
    "twice": "Host a\n  User x\nHost a\n  User y\n  Port 3\n",
    "long line": "# " + "x" * 5000 + "\nHost a\n  User x\n",
    "forwards": "Host a\n  LocalForward 8080 localhost:80\n  LocalForward 8081 localhost:81\n",
    "identity files": "IdentityFile {here}/one\nHost a\n  IdentityFile {here}/two\n",
    "canonical": "CanonicalizeHostname no\nHost a.example\n  User x\n",
    "orbstack": "# Added by OrbStack: 'orb' SSH host for Linux machines\n"
    "# This only works if it's at the top of ssh_config (before any Host blocks).\n"
    "# This won't be added again if you remove it.\nInclude {here}/more\n\nHost a\n  User x\n",
    "colima and lima": 'Include "{here}/more"\n\nInclude {here}/none/colima/ssh_config\n'
    "Host lima-default\n  Port 1\n",
    "1password": 'Host *\n\tIdentityAgent "~/Library/Group Containers/2BUA8C4S2C.com.1password/t/'
    'agent.sock"\n\nHost a\n\tHostName a.example\n\tIdentityFile "{here}/my key.pub"\n'
    "\tIdentitiesOnly yes\n",
    "keychain of macOS": "IgnoreUnknown UseKeychain,AddKeysToAgent\n\nHost *\n  UseKeychain yes\n"
    "  AddKeysToAgent yes\n  IdentityFile ~/.ssh/id_ed25519\n",
    "unknown in sections": "Host *\n  IgnoreUnknown Tag,WarnWeakCrypto\n  Tag work\n"
    "  WarnWeakCrypto no\nHost a\n  User x\n",
    "tailscale": '# Tailscale\nMatch exec "test -z x" host *.ts.net\n'
    "  UserKnownHostsFile /dev/null\n  StrictHostKeyChecking no\nHost a\n  User x\n",
    "coder as it is": "Host a\n  User x\n\n# ------------START-CODER-----------\n"
    "# This section is managed by coder. DO NOT EDIT.\n#\n# :wait=auto\n#\nHost coder.*\n"
    "\tConnectTimeout=0\n\tStrictHostKeyChecking=no\n\tUserKnownHostsFile=/dev/null\n"
    "\tLogLevel ERROR\n\tProxyCommand /usr/bin/coder ssh --stdio --ssh-host-prefix coder. %h\n\n"
    'Match host *.coder !exec "/bin/false"\n\tProxyCommand /usr/bin/coder --stdio %h\n'
    "# ------------END-CODER------------\n",
    "gcloud": "# Google Compute Engine Section\n#\n# The following has been auto-generated by\n"
    "# 'gcloud compute config-ssh'.\n#\nHost a.europe-west1-b.lab\n    HostName 192.0.2.7\n"
    "    IdentityFile {here}/google_compute_engine\n    UserKnownHostsFile={here}/google_known\n"
    "    CheckHostIP=no\n\n# End of Google Compute Engine Section\n",
    "gh codespaces": "Host a\n  User x\n\nMatch all\nInclude {here}/more\n",
    "vagrant": "Host default\n  HostName 127.0.0.1\n  User vagrant\n  Port 2222\n"
    "  UserKnownHostsFile /dev/null\n  StrictHostKeyChecking no\n  PasswordAuthentication no\n"
    '  IdentityFile "{here}/private key"\n  IdentitiesOnly yes\n  LogLevel FATAL\n',
    "control master in a host": "Host a\n  ControlMaster auto\n  ControlPath ~/.ssh/%C\n"
    "  ControlPersist 10m\n",
    "bastions": "Host bastion\n  HostName b.example\nHost 10.* *.internal !bastion\n"
    "  ProxyJump bastion,second\n",
    "proxy of a shell": "Host a\n  ProxyCommand sh -c 'ssh b nc \"$(echo %h)\" %p'  \n",
    "match final canonical": "CanonicalizeHostname yes\nCanonicalDomains example.invalid\n"
    "CanonicalizeMaxDots 0\nHost a\n  User x\nMatch canonical final host b\n  User y\n",
    "match localuser": "Match localuser root,nobody host a\n  Compression yes\n",
    "match exec first": 'Match exec "exit 1"\n  User never\n'
    'Match exec "exit 0"\n  Compression yes\n',
    "nested sections by indentation": "Host a\n    Host b\n        User x\n    Match all\n"
    "        Compression yes\n",
    "equals everywhere": 'Host=a\n  User=x\n  Port = 3\n  IdentityFile="{here}/a b"\n',
    "quoted names": 'Host "a" "b" c\n  User "x"\n',
    "comment glued to a name": "Host a#b\n  User x\nHost b #c\n  User y\n",
    "comment line in a section": "Host a\n  # User z\n\n\n  User x\n\t# Port 9\n",
    "indented first host": "    Host a\n        User x\n",
    "blank lines with blanks": "  \n\t\nHost a\n   \n  User x\n  \n",
    "CRLF with globals": "Compression yes\r\nInclude {here}/more\r\n\r\n# a\r\n"
    "Host a\r\n\tUser x\r\n",
    "CRLF, no final newline": "Host a\r\n  User x\r\nHost b\r\n  User y",
    "mostly CRLF": "Host a\r\n  User x\r\n  Port 1\r\nHost b\n",
    "only carriage returns in a comment": "# a\rb\rc\nHost a\n  User x\n",
    "several includes in a line": 'Include {here}/none "{here}/more" {here}/none2\n'
    "Host a\n  User x\n",
    "include with tilde": "Include ~/.ssh/none-of-these/*\nHost a\n  User x\n",
    "include in a host": "Host a\n  User x\n  Include {here}/more\nHost b\n  User y\n",
    "our name in comments": "# kubectl-nodeport is great\n#>> kubectl-nodeport\nHost a\n  User x\n",
    "our word as a name": "Host kubectl-nodeport\n  User x\n",
    "emoji and right to left": "# \U0001f680 \u202eabc\u202c\nHost a\n  User x\n",
    "utf-16 leftovers in a comment": "# \udcff\udcfe\udc80\nHost a\n  User x\n",
    "env and set": 'Host a\n  SetEnv LANG=C "A=b c"\n  SendEnv LC_*\n  RemoteCommand none\n',
    "many names on a line": "Host "
    + " ".join(f"h{number}" for number in range(150))
    + "\n  User x\n",
    "a name longer than an argument may be": f"Host {'x' * 200_000} b\n  User x\n",
    "many sections": "".join(
        f"Host h{n}\n  HostName 192.0.2.{n}\n  User u{n}\n" for n in range(200)
    ),
    "wildcards only": "Host *.lab ?? web-*\n  User x\nHost !a *\n  Port 7\n",
    "no space at the end of a keyword": "Host a\n  User x\nHost\tb\tc\n  User\ty\n",
    "global known hosts lesser": "HashKnownHosts no\nVisualHostKey yes\nHost a\n  User x\n",
    "permit and tunnel options": "Host a\n  ForwardAgent yes\n  ForwardX11 no\n"
    "  DynamicForward 1080\n  ExitOnForwardFailure yes\n",
    "algorithms": "Host *\n  KexAlgorithms +diffie-hellman-group14-sha1\n  Ciphers ^aes256-ctr\n"
    "  HostKeyAlgorithms ^ssh-ed25519\n  PubkeyAcceptedAlgorithms +ssh-rsa\n",
}

# What wins over us from above: nothing may be written, and file and line are named. In {here} lie
# `user` ("User included"), `nested` (which includes it after a comment) and the config itself.
SHADOWING: dict[str, tuple[str, str, str]] = {
    "user": ("# x\nUser me\nHost a\n", "user me", "config:2"),
    "user=": ("user=me\n", "user me", "config:1"),
    "user, quoted": ('"User" "me"\n', "user me", "config:1"),
    "user, tab and CRLF": ("\r\n\tUser\tme\r\nHost a\r\n", "user me", "config:2"),
    "user, the first of two": ("User me\nUser you\n", "user me", "config:1"),
    "port": ("Compression yes\n\nPort 2222\n", "port 2222", "config:3"),
    "hostname": ("HostName 10.0.0.1\n", "hostname 10.0.0.1", "config:1"),
    "host key alias": ("HostKeyAlias x\n", "hostkeyalias x", "config:1"),
    "known hosts": ("UserKnownHostsFile /dev/null\n", "userknownhostsfile /dev/null", "config:1"),
    "global known hosts": ("GlobalKnownHostsFile /x\n", "globalknownhostsfile /x", "config:1"),
    "checking": ("StrictHostKeyChecking no\n", "stricthostkeychecking false", "config:1"),
    "jump": ("ProxyJump bastion\n", "proxyjump bastion", "config:1"),
    "command": ("ProxyCommand nc %h %p\n", "proxycommand nc", "config:1"),
    "a master's socket": ("#\nControlPath /s/%C\n", "controlpath /s/", "config:2"),
    "what ssh would run": ("RemoteCommand date\n", "remotecommand date", "config:1"),
    "no forwarding": ("ClearAllForwardings yes\n", "clearallforwardings yes", "config:1"),
    "family": ("AddressFamily inet6\n", "addressfamily inet6", "config:1"),
    "include": ("# x\nInclude {here}/user\nHost a\n", "user included", "user:1"),
    "include, a glob": ("Include {here}/us*r\nHost a\n", "user included", "user:1"),
    "include, quoted": ('Include "{here}/user"\nHost a\n', "user included", "user:1"),
    "include, nested": ("Include {here}/nested\nHost a\n", "user included", "user:1"),
    "include, twice": ("Include {here}/user {here}/user\n", "user included", "user:1"),
    "include, then another": ("Port 7\nInclude {here}/user\nUser me\n", "port 7", "config:1"),
    "include, not the first": ("User me\nInclude {here}/user\n", "user me", "config:1"),
    "include of a section": ("Include {here}/match\nUser me\nHost a\n", "user matched", "match:3"),
}
