#!/usr/bin/env bats
# shellcheck disable=SC2016,SC2030,SC2031 # what stands in '' is expanded in the step; every test is a subshell
# The working directory: --container-workdir, else the job's if it exists inside, else the image's, else /, and one line
# that says so where it is not the one that was asked for. Never a failed step for a directory that the image lacks.

load common
load rows
load user
bats_require_minimum_version 1.5.0
NEEDS_PLUGIN=yes

# Not the job's directory, as with -D: berth takes PWD for a first guess, and corrects it for the task.
ENV=(PWD=/var)

# What PWD says (a shell's own corrects it); where the step is, what PWD says, and whether the file `mark` is there.
PWD_SAID='tr "\0" "\n" </proc/$$/environ | sed -n s/^PWD=//p'
WHERE="pwd; $PWD_SAID; if [ -e mark ]; then echo mark; fi"

# both DIR [mark]: WHERE's answer.
both() { is "$1"$'\n'"$1${2:+$'\n'$2}"; }

# a_dir: DIR, alice's, which no image has.
a_dir() {
    DIR=$(own alice cwd)
    touch "$DIR/mark"
}

@test "the job's directory, in the home or elsewhere, is there with what is in it" {
    a_dir
    for img in "$(image tiny.sqsh)" "$(image base.erofs)" "$(image bundle)" "$(image_of alice tiny.sqsh)"; do
        for ENV in PWD="$DIR" PWD=/var PWD=/nothing; do
            AS_CWD=$DIR inside "$img" -- sh -c "$WHERE; touch new"
            ok
            silent
            both "$DIR" mark
            rm "$DIR/new"
        done
    done
    inside tiny.sqsh -- pwd
    silent
    is /home/berthalice
}

@test "given as -D, too; in sbatch and salloc" {
    a_dir
    inside tiny.sqsh -D "$DIR" -- sh -c 'pwd; ls mark'
    silent
    is "$DIR"$'\nmark'
    batch -D "$DIR" --container="$(image tiny.sqsh)" --wrap "$WHERE"
    both "$DIR" mark
    host salloc -Q -D "$DIR" --container="$(image tiny.sqsh)" srun sh -c "$WHERE"
    both "$DIR" mark
}

@test "a directory that the image has, too: the image's is used where it is a system directory" {
    AS_CWD=/usr/include inside base.sqsh -- sh -c 'pwd; ls'
    ok
    silent
    is /usr/include
}

@test "a system directory that the image lacks: /, and one line on each node" {
    AS_CWD=/usr/include inside tiny.sqsh -N2 --ntasks-per-node=4 -- sh -c "$WHERE"
    echo "$stderr"
    ok
    [[ $output == "$(yes / 2>/dev/null | head -n 16)" ]]
    [[ $(grep -c 'berth: .*: the working directory /usr/include is not in the container: using /$' <<<"$stderr") == 2 ]]
    [[ $(wc -l <<<"$stderr") == 2 ]]
}

@test "likewise with -D, --container-image, sbatch and salloc" {
    for option in --container --container-image; do
        host srun -D /usr/include "$option=$(image tiny.sqsh)" pwd
        ok
        is /
        says "the working directory /usr/include is not in the container: using /"
    done
    batch -D /usr/include --container="$(image tiny.sqsh)" --wrap 'pwd; cat /etc/os-release'
    ok
    has IMAGE_ID=tiny
    one_berth_line
    has $'using /\n/\n'
    AS_CWD=/usr/include host salloc -Q --container="$(image tiny.sqsh)" srun pwd
    ok
    is /
    says "using /"
}

@test "the image's own directory comes before /" {
    AS_CWD=/usr/include inside bundle -- sh -c "$WHERE"
    ok
    both /srv/work
    says "the working directory /usr/include is not in the container: using /srv/work"
    inside bundle -- pwd
    silent
    is /home/berthalice
}

@test "an image whose own directory does not exist: /" {
    dir=$(own alice odd)
    cp -a "$(image bundle)/." "$dir"
    sed -i 's,"/srv/work","/srv/nothing",' "$dir/config.json"
    AS_CWD=/usr/include inside "$dir" -- pwd
    ok
    is /
    says "using /"
}

@test "-D names a directory that only the image has: there" {
    inside bundle -D /srv/work -- sh -c "$WHERE"
    ok
    both /srv/work
    [[ $stderr != *berth:* ]]
    batch -D /srv/work --container-image="$(image bundle)" --wrap "$WHERE"
    ok
    [[ $output == *$'/srv/work\n/srv/work' ]]
}

@test "--container-workdir wins over all" {
    a_dir
    AS_CWD=$DIR inside bundle --container-workdir=/bin -- sh -c "$WHERE"
    silent
    both /bin
    AS_CWD=/usr/include inside tiny.sqsh -D /srv/work --container-workdir=/bin -- pwd
    is /bin
    [[ $stderr != *berth:* ]]
    inside tiny.sqsh --container-mounts="$DIR:/opt/work" --container-workdir=/opt/work -- sh -c "$WHERE"
    silent
    both /opt/work mark
}

workdirs() {
    variant workdirs.sqsh 'mkdir -p a/b locked; ln -s /a/b link; ln -s ../../../../a out; touch file; chmod 0 locked'
}

@test "--container-workdir through the image's symlinks stays in the image" {
    inside "$(workdirs)" --container-workdir=/link -- pwd
    is /a/b
    inside "$(workdirs)" --container-workdir=/out -- pwd
    is /a
}

@test "a --container-workdir that does not exist, is a file, or is not the user's to enter: refused" {
    for dir in /nothing /file /locked; do
        inside "$(workdirs)" --container-workdir="$dir" -- echo ran
        fails
        hasnt ran
        says "--container-workdir=$dir: no such directory in the container, or not yours to enter"
    done
    inside tiny.sqsh --container-workdir=bin -- true
    fails
    says "bin is not an absolute path"
}

@test "a directory that was removed after the job was submitted: the step runs, and it is said" {
    DIR=$(own alice gone)
    log=$(own alice log)/log
    job=$(as alice sbatch --parsable --hold -D "$DIR" -o "$log" --container="$(image tiny.sqsh)" \
        --wrap 'pwd; cat /etc/os-release')
    rmdir "$DIR"
    as alice scontrol release "$job"
    wait_until 20 job_over "$job"
    [[ $(job_state "$job") == COMPLETED ]]
    run cat "$log"
    has IMAGE_ID=tiny
    has $'\n/tmp\n'
    has "couldn't chdir to \`$DIR'"
}

@test "a directory whose name has control characters: the step runs, and it is said" {
    DIR=$(own alice odd)/$'a\nb'
    as alice mkdir "$DIR"
    AS_CWD=$DIR inside tiny.sqsh -- pwd
    ok
    is /
    says "has control characters in its name, starting in /"
}

@test "a directory that the container has of its own: /tmp, /dev/shm, /" {
    for dir in /tmp /dev/shm /; do
        AS_CWD=$dir inside tiny.sqsh -- sh -c "$WHERE"
        ok
        silent
        both "$dir"
    done
}

@test "a directory reached by a symlink: PWD keeps the user's name for it where it holds inside" {
    a_dir
    as alice ln -s "$DIR" "$DIR/link"
    ENV=(PWD="$DIR/link")
    AS_CWD=$DIR inside tiny.sqsh -- sh -c "pwd -P; $PWD_SAID"
    ok
    is "$DIR"$'\n'"$DIR/link"
    ENV=(PWD=/usr/include)
    AS_CWD=$DIR inside tiny.sqsh -- sh -c "$PWD_SAID"
    is "$DIR"
}

@test "a directory that the user alone can reach" {
    a_dir
    chmod 700 "$DIR"
    as alice mkdir -m 700 "$DIR/inner"
    AS_CWD=$DIR/inner inside tiny.sqsh -- sh -c "$WHERE"
    ok
    silent
    both "$DIR/inner"
}

@test "a very deep directory" {
    DIR=$(own alice deep)
    deep=$DIR$(printf '/d%.0s' {1..55})
    as alice mkdir -p "$deep"
    AS_CWD=$deep inside tiny.sqsh -- pwd
    ok
    silent
    is "$deep"
    deep+=$(printf '/d%.0s' {1..55})
    as alice mkdir -p "$deep"
    AS_CWD=$deep inside tiny.sqsh -- pwd
    ok
    is /
    says "is not in the container: using /"
}
