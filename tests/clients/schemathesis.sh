#!/usr/bin/env bash
# schemathesis asks a node everything that its OpenAPI document allows, and much that it does not: no answer may be a server error
# or differ from the document.
#
#   schemathesis.sh RPC_URL
#
# It is installed into a virtual environment in the build directory, once for each version.
set -euo pipefail
cd "$(dirname "$0")"
[ $# -eq 1 ] || { sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2; }

version=4.32.5
# The same requests in every run; another seed finds other ones.
seed=${SCHEMATHESIS_SEED:-1}
examples=${SCHEMATHESIS_EXAMPLES:-50}
environment=${CARGO_TARGET_DIR:-../../target}/schemathesis-$version
if [ ! -x "$environment/bin/schemathesis" ]; then
  python3 -m venv "$environment"
  "$environment/bin/pip" install --quiet --disable-pip-version-check "schemathesis==$version"
fi
environment=$(realpath "$environment")

# What hypothesis remembers stays out of the repository.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
configuration=$PWD/schemathesis.toml
cd "$work"
"$environment/bin/schemathesis" --config-file "$configuration" run "$1/v1/openapi.json" --url "$1" --seed "$seed" --max-examples "$examples" --no-color
