"""The list of what is in an archive: each part once, by a name that tools know."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from release.licences import Part
from release.sbom import document

PARTS = [
    Part("pypi", "PyYAML", "6.0.4", ("MIT",)),
    Part("pypi", "typing_extensions", "4.16.0", ("PSF",)),
    Part("golang", "golang.org/x/crypto", "v0.59.0", ("BSD",)),
    Part("deb/debian", "zlib1g", "1:1.2.13.dfsg-1+b1", ("zlib",)),
]
MTIME = 1_700_000_000


def test_each_part_has_its_package_url(tmp_path: Path) -> None:
    archive = tmp_path / "kubectl-nodeport_v1.0.0_linux_amd64.tar.gz"
    archive.write_bytes(b"packed")
    told = json.loads(document(PARTS, archive, MTIME))
    ours, *others = told["packages"]
    assert ours["packageFileName"] == told["name"] == archive.name
    assert ours["checksums"][0]["checksumValue"] == hashlib.sha256(b"packed").hexdigest()
    assert [one["externalRefs"][0]["referenceLocator"] for one in others] == [
        "pkg:pypi/pyyaml@6.0.4",
        "pkg:pypi/typing-extensions@4.16.0",
        "pkg:golang/golang.org/x/crypto@v0.59.0",
        "pkg:deb/debian/zlib1g@1:1.2.13.dfsg-1%2Bb1",
    ]
    assert told["creationInfo"]["created"] == "2023-11-14T22:13:20Z"


def test_every_relation_is_between_what_is_there(tmp_path: Path) -> None:
    archive = tmp_path / "a.tar.gz"
    archive.touch()
    told = json.loads(document(PARTS, archive, MTIME))
    identities = [one["SPDXID"] for one in told["packages"]]
    assert len(set(identities)) == len(PARTS) + 1
    assert [one["relatedSpdxElement"] for one in told["relationships"]] == identities
    assert {one["spdxElementId"] for one in told["relationships"]} == {
        "SPDXRef-DOCUMENT",
        "SPDXRef-archive",
    }
