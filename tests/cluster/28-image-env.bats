#!/usr/bin/env bats
# shellcheck disable=SC2016,SC2030,SC2031 # what stands in '' is expanded in the step; every test is a subshell
# What an image says about its environment, how that meets the job's, and where the command is looked for.

load common
load rows
load user
bats_require_minimum_version 1.5.0
NEEDS_PLUGIN=yes

# vars NAME...: shell commands that print each as the step got it, '-' where it is not set.
vars() {
    local n
    for n; do printf 'echo "%s=${%s--}"; ' "$n" "$n"; done
}

@test "the command is found in the image, by the image's PATH" {
    img=$(variant path.sqsh 'mkdir -p opt/tool; echo PATH=/opt/tool:/bin >etc/environment
        printf "#!/bin/sh\necho found\n" >opt/tool/only-inside; chmod 755 opt/tool/only-inside')
    inside "$img" -- only-inside
    ok
    is found
    batch --container="$img" --wrap only-inside
    is found
    host salloc -Q --container-image="$img" srun only-inside
    is found
}

@test "an image that says no PATH has the usual one, not the job's" {
    ENV=(PATH=/nowhere/bin:/usr/bin)
    inside tiny.sqsh -- sh -c "$(vars PATH)"
    is PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
}

@test "a command that only the host has: the step fails, and does not run there" {
    [[ -x /usr/bin/perl ]]
    for command in perl /usr/bin/perl; do
        inside tiny.sqsh -- "$command" --version
        fails
        is ''
        [[ $stderr == *"$command"*"No such file or directory"* ]] || { echo "$stderr"; return 1; }
    done
}

@test "a command in the job's directory, and one given by its path" {
    dir=$(own alice cmd)
    printf '#!/bin/sh\necho mine\n' >"$dir/mine"
    chmod 755 "$dir/mine"
    AS_CWD=$dir inside tiny.sqsh -- ./mine
    is mine
    inside tiny.sqsh --container-mounts="$dir" -- "$dir/mine"
    is mine
}

@test "/etc/environment as enroot and others write it" {
    img=$(variant etcenv.sqsh 'cat >etc/environment <<\END
# a comment
PLAIN=plain
export EXPORTED=exported
DOUBLE="double quoted"
SINGLE='\''single quoted'\''
EQUALS=a=b=c
SPACES=two words
EMPTY=
  INDENTED=indented
DOLLAR=$HOME`id`
TWICE=first
TWICE=second
1BAD=bad
not a variable
UTF=grün
END')
    inside "$img" -- sh -c "$(vars PLAIN EXPORTED DOUBLE SINGLE EQUALS SPACES EMPTY INDENTED DOLLAR TWICE UTF)"
    is 'PLAIN=plain
EXPORTED=exported
DOUBLE=double quoted
SINGLE=single quoted
EQUALS=a=b=c
SPACES=two words
EMPTY=
INDENTED=indented
DOLLAR=$HOME`id`
TWICE=second
UTF=grün'
}

@test "an OCI config's environment, odd characters and all" {
    inside bundle -- sh -c "$(vars PATH IMAGE_ENV IMAGE_ODD)"
    is $'PATH=/bin\nIMAGE_ENV=set by the bundle\nIMAGE_ODD=a "quoted" word, a tab\tand ü'
}

# sif NAME COMMANDS: as variant, in a SIF.
sif() {
    local img to=$BERTH_IMAGES/$1.sif
    img=$(variant "$1.sqsh" "$2") && "$BERTH_TOP/tests/images/mksif" "$img" "$to" && echo "$to"
}

@test "a SIF's environment: the data in its scripts, none of which is run" {
    img=$(sif env 'mkdir -p .singularity.d/env; cd .singularity.d/env
        echo "export PATH=\"/opt/sif:/bin\"" >10-docker2singularity.sh
        printf "%s\n" "export DEFAULTED=\"\${DEFAULTED:-\"the default\"}\"" "export PLAIN=plain" "LATER=later" \
            "export LATER" "export RUN=\"\$(touch /tmp/ran)\"" "if true; then" "export MAYBE=1" "fi" >90-environment.sh
        echo "export PLAIN=second" >91-more.sh; echo "export OTHER=other" >not-a-script')
    inside "$img" -- sh -c "$(vars PATH DEFAULTED PLAIN LATER RUN MAYBE OTHER)"
    is 'PATH=/opt/sif:/bin
DEFAULTED=the default
PLAIN=second
LATER=later
RUN=-
MAYBE=-
OTHER=-'
}

@test "the image's value wins over the job's, the job's other variables pass" {
    img=$(variant merge.sqsh 'printf "%s\n" BOTH=image IMAGE=image >etc/environment')
    ENV=(BOTH=job JOB=job)
    inside "$img" -- sh -c "$(vars BOTH JOB IMAGE)"
    is $'BOTH=image\nJOB=job\nIMAGE=image'
    batch --container="$img" --wrap "$(vars BOTH JOB IMAGE)"
    is $'BOTH=image\nJOB=job\nIMAGE=image'
}

@test "--container-env: there the job's value wins, if it has one" {
    img=$(variant merge.sqsh 'printf "%s\n" BOTH=image IMAGE=image >etc/environment')
    ENV=(BOTH=job JOB=job)
    inside "$img" --container-env=BOTH,IMAGE,NEITHER -- sh -c "$(vars BOTH JOB IMAGE NEITHER)"
    is $'BOTH=job\nJOB=job\nIMAGE=image\nNEITHER=-'
    ENV=(BOTH=)
    inside "$img" --container-env=BOTH -- sh -c "$(vars BOTH)"
    is BOTH=
    ENV=(PATH=/bin:/usr/bin)
    inside "$img" --container-env=PATH -- sh -c "$(vars PATH)"
    is PATH=/bin:/usr/bin
}

@test "a SIF's variables that stand on others, and one that takes a shell: a line says so" {
    img=$(variant sifpath.sqsh 'mkdir -p .singularity.d/env; cd .singularity.d/env
        echo "export PATH=\"/opt/base:/bin\"" >10-docker2singularity.sh
        printf "%s\n" "ROOT=/opt/app" "export PATH=\$ROOT/bin:\$PATH" "export LIBS=\"\${ROOT}/lib\${LIBS:+:\$LIBS}\"" \
            "export MINE=\$HOME/mine" "export CPUS=\$(nproc)" "export SCR=\$SCRATCH/x" >90-environment.sh')
    ENV=(LIBS=/host SCRATCH=/scratch)
    inside "$img" -- sh -c "$(vars PATH LIBS MINE CPUS SCR)"
    is 'PATH=/opt/app/bin:/opt/base:/bin
LIBS=/opt/app/lib
MINE=/home/berthalice/mine
CPUS=-
SCR=-'
    says "90-environment.sh sets CPUS by what takes a shell: left out; set it in the job and with --container-env=CPUS"
    ENV=(CPUS=3)
    inside "$img" --container-env=CPUS,SCR -- sh -c "$(vars CPUS)"
    is CPUS=3
}

@test "the host's locale stays outside, but for --container-env; the image's own counts" {
    img=$(variant locale.sqsh 'echo LC_ALL=C.image >etc/environment')
    ENV=(LANG=xx_XX LANGUAGE=xx LC_ALL=xx_XX LC_TIME=C)
    inside tiny.sqsh -- sh -c "$(vars LANG LANGUAGE LC_ALL LC_TIME)"
    is $'LANG=-\nLANGUAGE=-\nLC_ALL=-\nLC_TIME=C'
    inside "$img" --container-env=LANG -- sh -c "$(vars LANG LANGUAGE LC_ALL)"
    is $'LANG=xx_XX\nLANGUAGE=-\nLC_ALL=C.image'
    batch --container="$img" --container-env=LC_ALL --wrap "$(vars LANG LC_ALL)"
    is $'LANG=-\nLC_ALL=xx_XX'
    host srun --usnic=none sh -c "$(vars LANG)"
    is LANG=xx_XX
}

@test "SLURM_*, PMI*, PMIX_* and the user's own are not the image's to decide" {
    img=$(variant forged.sqsh 'printf "%s=forged\n" SLURM_JOB_ID SLURM_PROCID SLURM_NTASKS SLURMD_NODENAME _SLURM_X \
        SPANK_X PMI_RANK PMI_FD PMIX_RANK PMIX_NAMESPACE BERTH_CONTAINER_IMAGE HOME USER LOGNAME TMPDIR FREE \
        >etc/environment')
    ENV=(TMPDIR=/tmp)
    for mpi in none pmi2 pmix; do
        [[ $mpi == none ]] || has_mpi "$mpi" || continue
        inside "$img" --mpi="$mpi" -w "$(node 1)" -n2 -- env
        ok
        [[ $(grep -c '=forged$' <<<"$output") == 2 && $(grep -c '^FREE=forged$' <<<"$output") == 2 ]]
        [[ $(grep -E '^SLURM_PROCID=' <<<"$output" | sort) == $'SLURM_PROCID=0\nSLURM_PROCID=1' ]]
        has SLURMD_NODENAME="$(node 1)"
        has HOME=/home/berthalice
        has TMPDIR=/tmp
    done
    ! has_mpi pmix || has $'PMIX_RANK=1\n'
    inside "$img" --mpi=pmi2 -n2 -- env
    has $'PMI_RANK=1\n'
}

@test "Berth's own names in an image mean nothing" {
    inside base.sqsh -- env
    ok
    [[ $(grep -c BERTH_IMAGE_ENV "$(image base)/etc/environment") == 1 ]]
    hasnt BERTH_IMAGE_ENV
}
