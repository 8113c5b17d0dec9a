#!/bin/sh
# Looks at a running network again and again: every node answers, heights are within one and grow, hashes are the same.
#
#   scripts/soak.sh [URL ...]        as http://localhost:12001 http://localhost:12011, which is what it takes without any
#
# CHECKS=10 and INTERVAL=30 (seconds) make the usual five minutes. Ends with 1 at the first thing that is wrong. Needs curl and jq.
set -eu

CHECKS=${CHECKS:-10}
INTERVAL=${INTERVAL:-30}
# Heights are asked one node after the other, and a block may be committed in between.
TRIES=10

[ $# -gt 0 ] || set -- http://localhost:12001 http://localhost:12011

fail() {
    echo "check $check: $*" >&2
    exit 1
}

# The value of $2 in what $1 answers.
ask() {
    answer=$(curl -sf --max-time 5 "$1") || return 1
    printf %s "$answer" | jq -er "$2"
}

# Sets lowest and highest of all nodes.
look() {
    lowest='' highest=''
    for node in "$@"; do
        at=$(ask "$node/health" .blockchain.height) || fail "$node does not answer"
        [ -n "$lowest" ] && [ "$lowest" -le "$at" ] || lowest=$at
        [ -n "$highest" ] && [ "$highest" -ge "$at" ] || highest=$at
    done
}

before=-1
check=1
while [ "$check" -le "$CHECKS" ]; do
    [ "$check" -eq 1 ] || sleep "$INTERVAL"
    try=1
    look "$@"
    while [ $((highest - lowest)) -gt 1 ]; do
        [ "$try" -lt "$TRIES" ] || fail "heights from $lowest to $highest"
        try=$((try + 1))
        sleep 0.2
        look "$@"
    done
    [ "$lowest" -gt "$before" ] || fail "no block in $INTERVAL s: still at $lowest"
    hash=''
    for node in "$@"; do
        has=$(ask "$node/v1/blocks/$lowest" .hash) || fail "$node has no block $lowest"
        [ -z "$hash" ] || [ "$hash" = "$has" ] || fail "$node has $has at height $lowest, another has $hash"
        hash=$has
    done
    echo "check $check of $CHECKS: height $lowest, $hash, the same on $# nodes"
    before=$lowest
    check=$((check + 1))
done
