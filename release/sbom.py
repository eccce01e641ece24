"""What is in an archive, as an SPDX document: this program, and every part that others made.

https://spdx.github.io/spdx-spec/v2.3/
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from kubectl_nodeport import __version__
from release.licences import Part

_HOME = "https://github.com/raids-lab/kubectl-nodeport"
_NOT_IN_AN_ID = re.compile(r"[^A-Za-z0-9.-]+")


def document(parts: Iterable[Part], archive: Path, mtime: int) -> str:
    """The text of the archive's SPDX document, in JSON.

    :param mtime: when it is said to be made, in seconds since the epoch.
    """
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    ours = {
        **_package("SPDXRef-archive", "kubectl-nodeport", __version__, "Apache-2.0"),
        "packageFileName": archive.name,
        "checksums": [{"algorithm": "SHA256", "checksumValue": digest}],
    }
    others = [_other(part) for part in parts]
    made = datetime.fromtimestamp(mtime, timezone.utc)
    content = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": archive.name,
        "documentNamespace": f"{_HOME}/spdx/{archive.name}-{digest}",
        "creationInfo": {
            "created": made.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "creators": ["Tool: release/sbom.py"],
        },
        "packages": [ours, *others],
        "relationships": [
            _relation("SPDXRef-DOCUMENT", "DESCRIBES", ours),
            *(_relation("SPDXRef-archive", "CONTAINS", one) for one in others),
        ],
    }
    return json.dumps(content, indent=1) + "\n"


def _other(part: Part) -> dict[str, Any]:
    kind = part.kind.rpartition("/")[2]
    identity = _NOT_IN_AN_ID.sub("-", f"SPDXRef-{kind}-{part.name}")
    name = part.name.lower()
    if part.kind == "pypi":  # https://github.com/package-url/purl-spec, types/pypi-definition.json
        name = name.replace("_", "-")
    locator = f"pkg:{part.kind}/{name}@{part.version.replace('+', '%2B')}"
    return {
        **_package(identity, part.name, part.version, "NOASSERTION"),
        "externalRefs": [
            {
                "referenceCategory": "PACKAGE-MANAGER",
                "referenceType": "purl",
                "referenceLocator": locator,
            }
        ],
    }


def _package(identity: str, name: str, version: str, licence: str) -> dict[str, Any]:
    return {
        "SPDXID": identity,
        "name": name,
        "versionInfo": version,
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "licenseConcluded": licence,
        "licenseDeclared": licence,
        "copyrightText": "NOASSERTION",
    }


def _relation(of: str, kind: str, package: dict[str, Any]) -> dict[str, str]:
    return {
        "spdxElementId": of,
        "relationshipType": kind,
        "relatedSpdxElement": package["SPDXID"],
    }
