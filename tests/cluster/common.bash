# shellcheck shell=bash source-path=SCRIPTDIR disable=SC2154 # output, status: from bats
# Every bats file of this directory begins with `load common`. It needs a cluster that is up: tests/all brings one,
# or `. $W/env` of `tests/all --keep` or `tests/lib/cluster up`.
#
# Around every test: a census before, and after it one that must be equal. A test that leaves something on purpose
# says census_off.
#
# NEEDS_PLUGIN=yes at the top of a file skips its tests where the cluster runs without berth.
#
# A file that needs other settings defines
#   cluster_knobs() { export BERTH_ARGS=... CLUSTER_TMPFS=yes; }
# and gets the cluster restarted with them, and back with the defaults at its end.

. "${BASH_SOURCE[0]%/*}/../lib/all.sh"

setup_file() {
    [[ -n ${BERTH_W:-} && -d $BERTH_W ]] || die "no cluster: run tests/all, or source the env file of one that is up"
    if declare -F cluster_knobs >/dev/null; then
        cluster_knobs
        cluster_restart
    fi
    # What the first job of a cluster makes for good (cgroups of the node, plugins loaded) is no leftover.
    as alice srun -Q -N"$(wc -w <<<"$BERTH_NODES")" true
}

teardown_file() {
    if declare -F cluster_knobs >/dev/null; then
        unset BERTH_ARGS BERTH_PLUGSTACK "${!CLUSTER_@}"
        cluster_restart
    fi
}

setup() {
    [[ ${NEEDS_PLUGIN:-no} == no || ${BERTH_PLUGIN:-yes} == yes ]] || skip "the cluster runs without the plugin"
    wait_until 20 nodes_are idle
    # what the test before has left for a moment is not this one's
    wait_until 10 steps_gone || :
    census >"$BATS_TEST_TMPDIR/before"
}

steps_gone() { ! cgroup_dirs | census_not_slurms | grep -q '/step_'; }

teardown() {
    [[ -e $BATS_TEST_TMPDIR/before ]] || return 0
    [[ -n $BATS_TEST_COMPLETED ]] || slurmd_says
    [[ -e $BATS_TEST_TMPDIR/census_off ]] || census_equal "$BATS_TEST_TMPDIR/before"
}

# slurmd_says: what the slurmds logged lately that may explain a failure.
slurmd_says() {
    local n
    for n in $BERTH_NODES; do
        grep -E 'error|fatal|berth' "$BERTH_W/log/slurmd.$n.log" | grep -v 'No oci.conf' | tail -n 5 | sed "s/^/$n: /"
    done
}

census_off() { touch "$BATS_TEST_TMPDIR/census_off"; }

# has TEXT: $output holds TEXT, else says what it holds.
has() {
    [[ $output == *"$1"* ]] || { printf 'expected: %s\nin: %s\n' "$1" "$output"; return 1; }
}

# hasnt TEXT: $output does not.
hasnt() {
    [[ $output != *"$1"* ]] || { printf 'not expected: %s\nin: %s\n' "$1" "$output"; return 1; }
}

# ok: $status is 0, else says what came out.
ok() { ((status == 0)) || { printf 'exit code %d: %s\n' "$status" "$output"; return 1; }; }

# fails [CODE]: $status is not 0 (or is CODE).
fails() {
    ((status != 0)) || { printf 'exit code 0: %s\n' "$output"; return 1; }
    [[ -z ${1:-} || $status == "$1" ]] || { printf 'exit code %d, not %d: %s\n' "$status" "$1" "$output"; return 1; }
}

# slurm_has PLUGIN: this Slurm has it (job_submit_lua).
slurm_has() {
    local dir
    dir=$(scontrol show config | sed -n 's/^PluginDir *= *//p')
    [[ -e ${dir%%:*}/$1.so ]]
}

# node N: name of the cluster's Nth node.
node() { cut -d' ' -f"$1" <<<"$BERTH_NODES"; }

# job_runs NAME: a job of that name is running, with all its nodes ready.
job_runs() { [[ -n $(squeue -h -n "$1" -t R -o %i) ]]; }
