#!/usr/bin/env bats
# Much at once: no step fails, and nothing is left.
#
# FAULTS_PARALLEL (default 128): steps of one image. FAULTS_IMAGES (default 300): images.

# shellcheck disable=SC2016,SC2030,SC2031 # expanded in the steps; each test is a subshell
load common
load rows
load faults
NEEDS_PLUGIN=yes

# srun gives a node MessageTimeout to answer its launch, and by default that is 10 s. 300 steps at once keep two cores
# busy for half a minute without a container, too: here the last of them runs 29 s after its srun was started.
cluster_knobs() { export CLUSTER_EXTRA=MessageTimeout=60; }

# at_once N ARGUMENTS: N steps of one job, step I with what `ARGUMENTS I` prints; all run before one may end. The
# output is what they printed.
at_once() {
    local n=$1 i
    for ((i = 0; i < n; i++)); do "$2" "$i"; done >"$HOLD/steps"
    status=0
    AS_TIMEOUT=300 try salloc -Q -N"${3:-1}" -n"${3:-1}" sh -c '
        n=0
        while read -r args; do
            srun -Q --overlap -N1 -n1 $args >out.$n 2>&1 || echo "step $n: exit code $?" >>out.$n &
            n=$((n + 1))
        done <steps
        t=0
        while test "$(ls | grep -c "^up\.")" -lt "$n" && test $t -lt 1000 && ! grep -ls "exit code" out.*; do
            sleep 0.2
            t=$((t + 1))
        done
        echo "$(ls | grep -c "^up\.") of $n at once"
        touch go
        wait'
    output+=$'\n'$(cat "$HOLD"/out.*)
}

# the smallest image: one program, one file
id_image() {
    local dir=$HOLD/id.d
    if [[ ! -d $dir ]]; then
        mkdir -p "$dir"
        cp "$(tool say)" "$dir/say"
    fi
    echo "$2" >"$dir/id"
    mksquashfs "$dir" "$1" -noappend -no-progress -quiet -noI -noD -noF -noX >/dev/null
}

one_image() { echo "--container=$IMG /say up.$1 go"; }
own_image() { echo "--container=$BERTH_IMAGES/id/$1.sqsh /say up.$1 go"; }

# all_of N: the steps printed 0 to N - 1, or N times what $3 says, and nothing else.
all_of() {
    local n=$1
    has "$n of $n at once"
    [[ $(grep -vc 'at once$' <<<"$output") == "$n" ]] || { echo "$output" | head -n 20; return 1; }
}

@test "128 steps of one image at once: none fails" {
    local n=${FAULTS_PARALLEL:-128}
    IMG=$BERTH_IMAGES/id.sqsh
    id_image "$IMG" site
    at_once "$n" one_image
    all_of "$n"
    [[ $(grep -cx site <<<"$output") == "$n" ]]
    rm "$IMG"
    nodes_sound
}

@test "a user's image, many steps at once: none fails" {
    local n=$((${FAULTS_PARALLEL:-128} / 4))
    IMG=$HOLD/id.sqsh
    id_image "$IMG" user
    chown berthalice: "$IMG"
    at_once "$n" one_image
    all_of "$n"
    [[ $(grep -cx user <<<"$output") == "$n" ]]
    nodes_sound
}

@test "many images at once: none fails, each step has its own" {
    local n=${FAULTS_IMAGES:-300} i
    install -d "$BERTH_IMAGES/id"
    for ((i = 0; i < n; i++)); do id_image "$BERTH_IMAGES/id/$i.sqsh" "$i"; done
    at_once "$n" own_image 2
    all_of "$n"
    for ((i = 0; i < n; i++)); do [[ $(<"$HOLD/out.$i") == "$i" ]]; done
    rm -r "$BERTH_IMAGES/id"
    nodes_sound
}

@test "many jobs that fail at once: no node is drained" {
    local i ids=() n=24
    for ((i = 0; i < n; i++)); do
        ids+=("$(as alice sbatch --parsable -o "bad.$i" --container="$HOLD/none$i.sqsh" --wrap "touch $RAN")")
    done
    for i in "${ids[@]}"; do
        wait_until 60 job_over "$i"
        [[ $(job_state "$i") == FAILED ]]
    done
    [[ $(cat "$HOLD"/bad.* | grep -c '^berth: ') == "$n" ]]
    nowhere
    wait_until 20 nodes_are idle
}
