# What the checks with foundry share: cast itself, and facts that hold or end the run. To be sourced, in this directory, with `other` set.
wait_limit_s=30
export FOUNDRY_DISABLE_NIGHTLY_WARNING=1 NO_COLOR=1
# The binaries themselves: the packages' wrappers end with 0 whatever the program says.
cast_binary=$(echo node_modules/@foundry-rs/cast-*/bin/cast)
forge_binary=$(echo node_modules/@foundry-rs/forge-*/bin/forge)
cast() { "$cast_binary" "$@"; }
forge() { "$forge_binary" "$@"; }

fail() { echo "FAILED  $1: found '${2:-}'" >&2; exit 1; }
# is NAME FOUND EXPECTED
is() { if [ "$2" = "$3" ]; then echo "ok      $1"; else fail "$1 (want '$3')" "$2"; fi; }
# has NAME FOUND PART
has() { case "$2" in *"$3"*) echo "ok      $1" ;; *) fail "$1 (want '$3')" "$2" ;; esac; }
# field NAME < JSON; a path of names with dots
field() { node -e 'const value = process.argv[1].split(".").reduce((part, name) => part?.[name], JSON.parse(require("fs").readFileSync(0))); console.log(value === null || value === undefined ? "" : typeof value === "object" ? JSON.stringify(value) : value)' "$1"; }
# there HASH: the receipt on the other validator, once it is there
there() {
  local end=$((SECONDS + wait_limit_s))
  until cast receipt --async --rpc-url "$other" --json "$1" 2>/dev/null; do
    [ $SECONDS -lt $end ] || fail "a receipt on the other validator within $wait_limit_s s" "$1"
    sleep 0.05
  done
}
refused() { if out=$("$@" 2>&1); then fail "a refusal" "$out"; fi; echo "$out"; }
