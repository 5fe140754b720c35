-- SPDX-License-Identifier: BSD-3-Clause
-- The container of a job that no plugin has seen on its way, by Slurm's job_submit/lua in slurmctld.
-- sbatch hands --container on to the nodes as the job's variable SLURM_CONTAINER, and Berth goes by
-- that.  A job that comes by REST may name its image in its description alone ("container"), of
-- which plugins on the nodes are not told: without this file its script runs on the host.
--
--   slurm.conf            JobSubmitPlugins=lua
--   beside slurm.conf     this file, as job_submit.lua, where slurmctld runs
--
-- A site that has a job_submit.lua of its own leaves it there and puts into it
--
--   dofile("/etc/slurm/job_submit.lua.berth")                  at its top
--   berth_container(job_desc)                                  in its slurm_job_submit

function berth_container(job_desc)
	local image = job_desc.container

	-- only scripts have an environment here; an srun or salloc brings its own
	if image == nil or image == "" or job_desc.script == nil then
		return
	end
	if job_desc.environment["SLURM_CONTAINER"] == nil then
		job_desc.environment["SLURM_CONTAINER"] = image
	end
end

function slurm_job_submit(job_desc, part_list, submit_uid)
	berth_container(job_desc)
	return slurm.SUCCESS
end

function slurm_job_modify(job_desc, job_rec, part_list, modify_uid)
	return slurm.SUCCESS
end
