#!/usr/bin/env bats
# shellcheck disable=SC1003,SC2016 # what stands in '' is for tr, or expanded in the job
# Jobs that slurmrestd submits: Slurm's plugins are not asked there, so options come as the job's variables.

load common
load rows
load user
NEEDS_PLUGIN=yes
CONF=${BERTH_W:-}/conf

cluster_knobs() {
    slurm_has job_submit_lua || return 0
    cp "$BERTH_PREFIX/etc/slurm/job_submit.lua.berth" "$CONF/job_submit.lua"
    export CLUSTER_EXTRA=JobSubmitPlugins=lua
}

teardown_file() {
    rm -f "$CONF/job_submit.lua"
    unset "${!CLUSTER_@}"
    cluster_restart
}

# ask PATH [JSON]: what alice's slurmrestd answers, on one line; slashes as they are, not as JSON may have them.
ask() {
    as alice curl -s --max-time 20 --unix-socket "$REST/sock" ${2:+-H 'Content-Type: application/json' -d "$2"} \
        "http://rest$1" | tr -s ' \n' ' ' | tr -d '\\'
}

rest_up() { [[ -S $REST/sock && $(ask /openapi/v3) == *job/submit* ]]; }

# The part of its interface that needs no database.
rest_plugin() {
    local all
    all=$(as alice slurmrestd -s list 2>&1)
    grep -oE 'openapi/slurmctld' <<<"$all" || grep -oE 'openapi/v[0-9.]+' <<<"$all" | sort -V | tail -n 1
}

rest_needed() {
    command -v slurmrestd >/dev/null || skip "slurmrestd is not installed"
    command -v curl >/dev/null || skip "curl is not installed"
    REST=$(own alice rest)
    as alice slurmrestd -a rest_auth/local -s "$(rest_plugin)" "unix:$REST/sock" >"$REST/log" 2>&1 3>&- &
    wait_until 20 rest_up || { cat "$REST/log"; return 1; }
    VERSION=$(ask /openapi/v3 | grep -oE '/slurm/v[0-9.]+/job/submit' | sort -V | tail -n 1 | cut -d/ -f3)
}

note() {
    local dir
    dir=$(own alice note)
    echo noted >"$dir/note"
    echo "$dir/note"
}

eval "rest_$(declare -f teardown)"
teardown() {
    local pid
    if pid=$(pgrep -u berthalice -x slurmrestd); then
        kill "$pid"
        wait_until 10 pid_gone "$pid"
    fi
    rest_teardown
}

# submit SCRIPT-LINE MEMBER [NAME=VALUE...]: a job with these variables and that further member of its description. As
# batch: status and output.
submit() {
    local line=$1 more=$2 variables='' job said open='[' end=']' v
    shift 2
    for v in "PATH=$(slurm_path)" "SLURM_CONF=$SLURM_CONF" "$@"; do
        if [[ $VERSION == v0.0.3[678] ]]; then
            open='{' end='}' variables+="${variables:+,}\"${v%%=*}\":\"${v#*=}\""
        else
            variables+="${variables:+,}\"$v\""
        fi
    done
    said=$(ask "/slurm/$VERSION/job/submit" "{\"script\":\"#!/bin/sh\\n$line\\n\",\"job\":{\"name\":\"rest\",$more
        \"current_working_directory\":\"/tmp\",\"standard_output\":\"$REST/out\",
        \"environment\":$open$variables$end}}")
    job=$(grep -oE '"job_id": ?[0-9]+' <<<"$said" | grep -oE '[0-9]+$')
    [[ -n $job && $job != 0 ]] || { echo "$said"; return 1; }
    wait_until 30 job_over "$job" || { echo "job $job does not end"; return 1; }
    [[ $(job_state "$job") == COMPLETED ]] && status=0 || status=1
    output=$(cat "$REST/out")
}

@test "a job from slurmrestd: its options are variables, and its steps have the same image" {
    args slurm=yes "slurm_paths=$BERTH_W/munge"
    rest_needed
    submit 'cat /etc/os-release /opt/note; srun cat /etc/os-release' '' "BERTH_CONTAINER_IMAGE=$(image tiny.sqsh)" \
        "BERTH_CONTAINER_MOUNTS=$(note):/opt/note"
    ok
    [[ $(grep -c IMAGE_ID=tiny <<<"$output") == 2 ]] || is "IMAGE_ID=tiny twice"
    has noted
}

@test "job_submit.lua: a job from slurmrestd that has the container in its description" {
    slurm_has job_submit_lua || skip "this Slurm has no job_submit/lua"
    rest_needed
    submit 'cat /etc/os-release' "\"container\":\"$(image tiny.sqsh)\","
    ok
    has IMAGE_ID=tiny
}

@test "job_submit.lua: what sbatch says is not changed" {
    slurm_has job_submit_lua || skip "this Slurm has no job_submit/lua"
    batch --container="$(image tiny.sqsh)" --container-mounts="$(note):/opt/note" --wrap 'cat /etc/os-release /opt/note'
    ok
    has IMAGE_ID=tiny
    has noted
    batch --wrap 'cat /etc/os-release; echo "<$SLURM_CONTAINER>"'
    ok
    hasnt IMAGE_ID=tiny
    has '<>'
}

@test "a job from slurmrestd whose image is not there fails with a line that says so" {
    rest_needed
    submit 'echo ran' '' BERTH_CONTAINER_IMAGE=/nonexistent/image.sqsh
    fails
    has "berth: "
    has "image /nonexistent/image.sqsh: no such file"
    hasnt ran
}
