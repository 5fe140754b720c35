#!/usr/bin/env bats
# A site whose oci.conf names an OCI runtime: --container is Slurm's there, --container-image is ours.

load common
NEEDS_PLUGIN=yes

cluster_knobs() {
    {
        (($(slurm_version) < 2302)) || echo IgnoreFileConfigJson=true
        echo 'RunTimeRun="echo OCI runtime of the site runs %b"'
        printf 'RunTime%s="true"\n' Query Kill Delete
    } | file_put "$BERTH_W/conf/oci.conf"
}

teardown_file() {
    rm -f "$BERTH_W/conf/oci.conf"
    cluster_restart
}

@test "--container is left to the site's runtime" {
    run as alice srun --container="$(image bundle)" cat /etc/os-release
    ok
    has "OCI runtime of the site runs"
    hasnt IMAGE_ID=
}

@test "--container-image runs in our container" {
    run as alice srun --container-image="$(image bundle)" cat /etc/os-release
    ok
    has IMAGE_ID=bundle
    hasnt "OCI runtime"
}

@test "sbatch --container-image likewise" {
    run as alice sbatch --wait --output=job.log --container-image="$(image base.sqsh)" --wrap 'cat /etc/os-release'
    ok
    run as alice cat job.log
    has IMAGE_ID=base
}
