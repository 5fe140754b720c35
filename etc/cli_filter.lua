-- SPDX-License-Identifier: BSD-3-Clause
-- Slurm's GRES for Berth's --usnic: who asks for VFs asks Slurm for them, too, so that jobs go
-- where there is room.  For srun, sbatch and salloc, by Slurm's cli_filter/lua, on every host from
-- which jobs are submitted:
--
--   slurm.conf            CliFilterPlugins=cli_filter/lua      (and GresTypes=usnic)
--   beside slurm.conf     this file, as cli_filter.lua
--
-- A site that has a cli_filter.lua of its own leaves it there and puts into it
--
--   dofile("/etc/slurm/cli_filter.lua.berth")                  at its top
--   berth_usnic_gres(options)                                  in its slurm_cli_pre_submit
--
-- Where the GRES has another name than usnic, a line berth_gres_name = "nic" before says so.
--
-- --usnic=N becomes --gres=usnic:M, which Slurm counts for each node: M is N with per=node, else N
-- times the tasks of a node, as --ntasks-per-node, or --ntasks and --nodes say.  Where only
-- --ntasks is given nobody knows yet how many tasks a node will have: all count as on one.
-- A script that has VFs of its own (--usnic=batch) counts as one task more.
-- A GRES of that name that the user gives stays as it is, and so does --gres=none.
-- A job's GRES serves its steps: an srun in a job adds some only if it has --usnic itself.

local GRES = berth_gres_name or "usnic"

-- Text of --usnic, or nil.
local function usnic_text(options)
	local plugin = (options.spank or {}).berth or {}
	local text = plugin.usnic
	local input = os.getenv("BERTH_USNIC")

	if text == nil and not os.getenv("SLURM_JOB_ID") then
		text = input
	end
	return text
end

-- VFs, whether they are for a node, whether the script has some, too; nil where there are to be none.
local function usnic_count(text)
	local count, per_node, script = 1, false, false

	for word in string.gmatch(text, "[^,]+") do
		if word == "none" or word == "help" then
			return nil
		end
		count = tonumber(string.match(word, "^count=(%d+)$") or string.match(word, "^%d+$")) or count
		per_node = per_node or word == "per=node"
		script = script or word == "batch"
	end
	return count, per_node, script
end

local function positive(text)
	local n = tonumber(text)

	return n and n > 0 and n or nil
end

-- The most tasks that a node will have.
local function tasks_of_node(options)
	local per_node = positive(options["ntasks-per-node"])
	local tasks = positive(options.ntasks) or 1
	local nodes = positive(string.match(options.nodes or "", "^(%d+)")) or 1

	return per_node or math.ceil(tasks / nodes)
end

-- Does a list as --gres has it name ours, or is it "none"?
local function is_settled(list)
	for item in string.gmatch(list, "[^,]+") do
		local name = string.match(string.gsub(item, "^gres[:/]", ""), "^[^:=]+")

		if name == GRES or string.lower(item) == "none" then
			return true
		end
	end
	return false
end

function berth_usnic_gres(options)
	local text = usnic_text(options)
	local list = options.gres or ""
	local count, per_node, script, own

	if text == nil or is_settled(list) then
		return
	end
	count, per_node, script = usnic_count(text)
	if not count then
		return
	end
	own = script and options.type ~= "srun" and count or 0
	if not per_node then
		count = count * tasks_of_node(options)
	end
	options.gres = (list ~= "" and list .. "," or "") .. string.format("%s:%d", GRES, count + own)
end

-- What Slurm wants to find here.

function slurm_cli_setup_defaults(options, early)
	return slurm.SUCCESS
end

function slurm_cli_pre_submit(options, offset)
	berth_usnic_gres(options)
	return slurm.SUCCESS
end

function slurm_cli_post_submit(offset, job, step)
	return slurm.SUCCESS
end
