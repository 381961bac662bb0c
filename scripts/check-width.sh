#!/usr/bin/env bash
# Lists the lines of code and comments that are wider than 120 columns, and fails if there are any. One that ends in an
# address may be: it cannot be broken.
set -euo pipefail
cd "$(dirname "$0")/.."

# Columns are characters, not bytes.
export LC_ALL=C.UTF-8
wide=$(git ls-files --cached --others --exclude-standard -z -- '*.rs' '*.wgsl' '*.sh' .ci/run |
  xargs -0 grep -nE '^.{121,}' -- | grep -vE 'https?://[^ ]+$' || true)
if [[ -n $wide ]]; then
  cut -c -140 <<<"$wide"
  echo "$(wc -l <<<"$wide") lines are wider than 120 columns" >&2
  exit 1
fi
