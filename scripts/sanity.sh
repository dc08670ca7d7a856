#!/usr/bin/env bash
# ansible-test sanity on the collection: those of its tests that need nothing beside ansible-core. The others make
# virtual environments from a download (ansible-doc, import, pep8, pylint, validate-modules, yamllint); ruff, mypy,
# yamllint, ansible-lint and tests/roles/plugins/test_plugin_docs.py look for the same here.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
tests=(action-plugin-docs compile empty-init ignores line-endings no-assert no-get-exception no-illegal-filenames
  no-smart-quotes replace-urlopen shebang symlinks use-argspec-type-path use-compat-six)

# ansible-test works in a directory of this name only.
copy=$(mktemp -d)/ansible_collections/messenger/kit
trap 'rm -rf "${copy%/ansible_collections/*}"' EXIT
mkdir -p "$copy"
tree=(galaxy.yml meta playbooks plugins roles tests/config.yml tests/sanity)
files=()
while IFS= read -r file; do
  if [[ -f $file && $file != playbooks/collections/* ]]; then files+=("$file"); fi
done < <(git ls-files --cached --others --exclude-standard "${tree[@]}")
cp --no-dereference --parents "${files[@]}" "$copy"
cd "$copy"
git init --quiet . && git add .
version=$(python -c 'import sys; print("%d.%d" % sys.version_info[:2])')
ansible-test sanity --color no --python "$version" "${tests[@]/#/--test=}"
