"""Writes krew's manifest for the archives at hand, from the template of krew-release-bot.

    python -m release.manifest VERSION [--archives FOLDER] [--base-url URL] [--output FILE]

Only the platforms whose archive is there are in it, each with its real checksum.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import sys
from pathlib import Path

from release.parts import ROOT

TEMPLATE = ROOT / ".krew.yaml"

_VERSION = re.compile(r"v[0-9]+\.[0-9]+\.[0-9]+")
_TAG = "{{ .TagName }}"
_PLATFORM = "  - selector:\n"
# https://github.com/rajatjindal/krew-release-bot#documentation-for-templating
_ARCHIVE = re.compile(r'\{\{addURIAndSha "(?P<uri>.+)" \.TagName \}\}')
# Comments are for those who read the template.
_COMMENT = re.compile(r"^ *#.*\n", re.MULTILINE)


class ManifestError(Exception):
    """Why there is no manifest, in one line."""


def render(template: str, version: str, archives: Path, base_url: str = "") -> str:
    """The manifest of a version, such as ``v0.1.0``; raises ManifestError.

    :param base_url: where the archives are, instead of where the template says.
    """
    if not _VERSION.fullmatch(version):
        raise ManifestError(f"a version is like v0.1.0, krew takes no other: {version}")
    head, *platforms = _COMMENT.sub("", template).replace(_TAG, version).split(_PLATFORM)
    found = [
        filled
        for platform in platforms
        if (filled := _filled(platform, archives, base_url)) is not None
    ]
    if not found:
        raise ManifestError(f"{archives} has no archive of {version}: make package")
    return _PLATFORM.join([head, *found])


def _filled(platform: str, archives: Path, base_url: str) -> str | None:
    """A platform with the address and checksum of its archive; None where there is none."""
    asked = _ARCHIVE.search(platform)
    if asked is None:
        raise ManifestError(f"a platform of the template has no archive: {platform!r}")
    uri = asked["uri"]
    name = uri.rpartition("/")[2]
    archive = archives / name
    if not archive.is_file():
        return None
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    uri = f"{base_url.rstrip('/')}/{name}" if base_url else uri
    return _ARCHIVE.sub(lambda _: f"uri: {uri}\n    sha256: {digest}", platform)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("version", metavar="VERSION")
    parser.add_argument("--archives", type=Path, default=ROOT / "dist", metavar="FOLDER")
    parser.add_argument("--base-url", default="", metavar="URL")
    parser.add_argument("--output", type=Path, default=ROOT / "krew-manifest.yaml", metavar="FILE")
    asked = parser.parse_args()
    try:
        text = render(TEMPLATE.read_text(), asked.version, asked.archives, asked.base_url)
    except ManifestError as failed:
        print(f"error: {failed}", file=sys.stderr)
        return 1
    asked.output.write_text(text)
    print(asked.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
