#!/usr/bin/env bash
# Make the files of a release in dist/: the package (wheel and sdist), the Ansible collection, the list of what they are
# made of, and notes.md, the version's part of CHANGELOG.md. Fails where the version differs from file to file.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' pyproject.toml)
grep -qx "version: $version" galaxy.yml || { echo "galaxy.yml has another version than pyproject.toml: $version" >&2; exit 1; }

rm -rf dist
mkdir dist
awk -v heading="## [$version]" 'index($0, "## ") == 1 {inside = index($0, heading) == 1; next} inside' CHANGELOG.md > dist/notes.md
[[ -s dist/notes.md ]] || { echo "CHANGELOG.md has no part for $version" >&2; exit 1; }
python -m build --no-isolation --outdir dist . > /dev/null
ansible-galaxy collection build --output-path dist . > /dev/null
scripts/sbom.py dist/messenger-kit.cdx.json > /dev/null
ls -l dist
