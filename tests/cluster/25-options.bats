#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2016 # every test is a subshell; what stands in '' is expanded in the step
# Every container option, each way in which it can be said: srun, sbatch, #SBATCH lines, salloc, variables, and a job
# that has nothing but its environment, as one sent by REST; and which of them wins.

load common
load rows
load user
bats_require_minimum_version 1.5.0
NEEDS_PLUGIN=yes

OPTIONS=(container-image container-mounts container-workdir container-mount-home no-container-mount-home
    container-writable container-readonly container-env container-unshare container-remap-root
    no-container-remap-root container-join no-container)

img() { variant var.sqsh 'echo VAR=image >etc/environment'; }

# probe: a shell script that says what each option has come to.
probe() {
    local n ns='""'
    for n in 1 2; do
        ns+="|$(readlink "/proc/$(slurmd_pid $n)/ns/"{net,ipc,uts} | sed 's/.*/"&"/' | paste -sd '|')"
    done
    cat <<END
image=\$(sed -n s/IMAGE_ID=//p /etc/os-release)
mount=\$(cat /opt/note/note 2>/dev/null)
home=\$(grep -c " /home/berthalice " /proc/self/mountinfo)
write=\$( (: >/written) 2>/dev/null && echo yes || echo no)
for n in net ipc uts; do
    case \$(readlink -f /proc/self/ns/\$n | sed 's|.*/||') in $ns) ;; *) own=\$own\$n ;; esac
done
echo image=\$image mount=\$mount pwd=\$(pwd) home=\$home write=\$write var=\$VAR own=\$own uid=\$(id -u)
END
}

# What it says where every option is given as in `every`, and where none is but the image.
every_said() { is "image=var mount=note pwd=/opt/note home=0 write=yes var=job own=netipcuts uid=0"; }
none_said() { is "image=var mount= pwd=/tmp home=1 write=no var=image own= uid=$(id -u berthalice)"; }

# every: one option a line; every_variable: the same as variables.
every() {
    printf '%s\n' "--container-image=$(img)" "--container-mounts=$NOTE:/opt/note" --container-workdir=/opt/note \
        --no-container-mount-home --container-writable --container-env=VAR --container-unshare=net,ipc,uts \
        --container-remap-root
}
every_variable() {
    printf 'BERTH_CONTAINER_%s\n' "IMAGE=$(img)" "MOUNTS=$NOTE:/opt/note" WORKDIR=/opt/note MOUNT_HOME=no \
        WRITABLE=yes ENV=VAR UNSHARE=net,ipc,uts REMAP_ROOT=yes
}

setup_every() {
    args remap_root=yes
    NOTE=$(own alice note)
    echo note >"$NOTE/note"
    ENV=(VAR=job)
    mapfile -t OPTS < <(every)
    mapfile -t VARS < <(every_variable)
}

@test "--help of srun, sbatch and salloc has every option, in two lines at most" {
    for program in srun sbatch salloc; do
        run as alice "$program" --help
        for o in "${OPTIONS[@]}"; do
            text=$(awk -v o="--$o" '/^ *(-|$)/ { on = 0 } $1 == o || index($1, o "=") == 1 { on = 1 } on' <<<"$output")
            [[ -n $text && $(wc -l <<<"$text") -le 2 ]] || { echo "$program --$o: $text"; return 1; }
        done
    done
}

@test "every option: srun" {
    setup_every
    host srun -D /tmp "${OPTS[@]}" sh -c "$(probe)"
    every_said
}

@test "only the image: srun" {
    setup_every
    host srun -D /tmp --container="$(img)" sh -c "$(probe)"
    none_said
    silent
}

@test "every option: sbatch" {
    setup_every
    batch -D /tmp "${OPTS[@]}" --wrap "$(probe)"
    every_said
}

@test "every option: #SBATCH lines" {
    setup_every
    batch -D /tmp < <(echo '#!/bin/sh'; printf '#SBATCH %s\n' "${OPTS[@]}"; probe)
    every_said
}

@test "every option: salloc, for the steps in it" {
    setup_every
    host salloc -Q -D /tmp "${OPTS[@]}" srun sh -c "$(probe)"
    every_said
}

@test "every option: variables, srun" {
    setup_every
    ENV+=("${VARS[@]}")
    host srun -D /tmp sh -c "$(probe)"
    every_said
}

@test "every option: variables, sbatch" {
    setup_every
    ENV+=("${VARS[@]}")
    batch -D /tmp --wrap "$(probe)"
    every_said
}

@test "every option: variables, salloc" {
    setup_every
    ENV+=("${VARS[@]}")
    host salloc -Q -D /tmp srun sh -c "$(probe)"
    every_said
}

# rest [sbatch arguments]: sends a job from where no plugin is, with the variables ENV and no more. (sbatch empties its
# own environment for --export-file; without --export=ALL that of 26.05 then loses the file's.)
rest() {
    sed 's|^PlugStackConfig=.*|PlugStackConfig=/dev/null|' "$SLURM_CONF" | file_put "$BERTH_W/conf/no-plugin.conf"
    printf '%s\0' PATH=/usr/bin:/bin "${ENV[@]}" >"$NOTE/environment"
    ENV=(SLURM_CONF="$BERTH_W/conf/no-plugin.conf")
    batch --export=ALL --export-file="$NOTE/environment" "$@"
}

@test "every option: variables, in a job that has only these, as one sent by REST" {
    setup_every
    ENV+=("${VARS[@]}")
    rest -D /tmp --wrap "$(probe)"
    every_said
}

@test "only the image: likewise" {
    setup_every
    ENV+=("BERTH_CONTAINER_IMAGE=$(img)")
    rest -D /tmp --wrap "$(probe)"
    none_said
}

@test "a variable that a job sent by REST has wrong: the job fails with one line, nothing runs" {
    NOTE=$(own alice note)
    ENV=("BERTH_CONTAINER_IMAGE=$(img)" BERTH_CONTAINER_READONLY=perhaps)
    rest --wrap 'echo ran'
    fails
    one_berth_line
    has "BERTH_CONTAINER_READONLY: perhaps"
    hasnt ran
}

@test "READONLY is the other word for WRITABLE, in variables too" {
    args writable=yes
    for ENV in BERTH_CONTAINER_READONLY=yes BERTH_CONTAINER_WRITABLE=no; do
        host srun --container="$(img)" touch /written
        fails
        [[ $stderr == *"Read-only file system"* ]]
    done
    args
    for ENV in BERTH_CONTAINER_READONLY=no BERTH_CONTAINER_WRITABLE=yes; do
        host srun --container="$(img)" touch /written
        ok
    done
    NOTE=$(own alice note)
    ENV=("BERTH_CONTAINER_IMAGE=$(img)" BERTH_CONTAINER_READONLY=0)
    rest --wrap 'touch /written'
    ok
}

@test "the command line wins over variables, option by option" {
    setup_every
    ENV+=("${VARS[@]}")
    mkdir "$NOTE/other"
    echo other >"$NOTE/other/note"
    host srun -D /tmp --container-image="$(image base.sqsh)" --container-mounts="$NOTE/other:/opt/note" \
        --container-workdir=/bin --container-mount-home --container-readonly --container-env=OTHER \
        --container-unshare=uts --no-container-remap-root sh -c "$(probe)"
    is "image=base mount=other pwd=/usr/bin home=1 write=no var=job own=uts uid=$(id -u berthalice)"
}

@test "#SBATCH lines yield to sbatch's command line, both to the srun within" {
    batch --container-image="$(image base.sqsh)" <<END
#!/bin/sh
#SBATCH --container-image=$(image tiny.sqsh)
#SBATCH --container-writable
sed -n s/IMAGE_ID=/script:/p /etc/os-release
touch /written && echo written
END
    is $'script:base\nwritten'
    host salloc -Q --container-image="$(image tiny.sqsh)" --container-writable srun --container-image="$(image base.sqsh)" \
        sh -c 'sed -n s/IMAGE_ID=/step:/p /etc/os-release; touch /written && echo written'
    is $'step:base\nwritten'
}

@test "--container and --container-image win over each other by place: the inner one counts" {
    tiny=$(image tiny.sqsh)
    base=$(image base.sqsh)
    host salloc -Q --container="$tiny" srun --container-image="$base" sed -n s/IMAGE_ID=//p /etc/os-release
    is base
    host salloc -Q --container-image="$tiny" srun --container="$base" sed -n s/IMAGE_ID=//p /etc/os-release
    is base
}

@test "--container-mounts given twice is the sum of both" {
    setup_every
    inside tiny.sqsh --container-mounts="$NOTE:/a" --container-mounts="$NOTE/note:/b" -- cat /a/note /b
    is $'note\nnote'
}

@test "--no-container runs a step of a job with an image on the host" {
    host salloc -Q --container="$(image tiny.sqsh)" \
        sh -c 'srun grep -c ^IMAGE_ID /etc/os-release; srun --no-container grep -c ^IMAGE_ID /etc/os-release'
    is $'1\n0'
    ENV=("BERTH_CONTAINER_IMAGE=$(image tiny.sqsh)")
    host srun --no-container grep -c ^IMAGE_ID /etc/os-release
    is 0
    batch --no-container --wrap 'grep -c ^IMAGE_ID /etc/os-release; srun -Q sh -c "grep -c ^IMAGE_ID /etc/os-release; :"'
    is $'0\n0'
}

@test "--export=NONE and --export=A=B keep the container: srun" {
    inside tiny.sqsh --export=NONE -- /bin/sed -n s/IMAGE_ID=//p /etc/os-release
    is tiny
    inside tiny.sqsh --export=A=B -- sh -c 'echo $A; sed -n s/IMAGE_ID=//p /etc/os-release'
    is $'B\ntiny'
    host srun --export=NONE --container-image="$(image tiny.sqsh)" --container-writable /bin/touch /written
    ok
}

@test "--export=NONE and --export=A=B keep the container: sbatch" {
    batch --export=NONE --container="$(image tiny.sqsh)" --container-writable \
        --wrap 'sed -n s/IMAGE_ID=//p /etc/os-release; touch /written'
    ok
    is tiny
    batch --export=A=B --container-image="$(image tiny.sqsh)" --container-writable \
        --wrap 'echo $A; sed -n s/IMAGE_ID=//p /etc/os-release; touch /written'
    ok
    is $'B\ntiny'
}

@test "--export=NONE and --export=A=B keep the container: the steps of a job" {
    for export in NONE A=B; do
        host salloc -Q --container-image="$(image tiny.sqsh)" \
            srun --export="$export" /bin/sed -n s/IMAGE_ID=//p /etc/os-release
        is tiny
    done
}

@test "both components of a heterogeneous job run in the image that they share" {
    component=(--container="$(image tiny.sqsh)" sed -n s/IMAGE_ID=//p /etc/os-release)
    host srun "${component[@]}" : "${component[@]}"
    ok
    is $'tiny\ntiny'
}
