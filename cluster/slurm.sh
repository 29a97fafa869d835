#!/usr/bin/env bash
# A search on several Slurm nodes: one Ray cluster for the length of the job, the search on its head node.
#   sbatch cluster/slurm.sh search_spaces/replay.yaml data=text data.path=/path/to/strict-small
# Submit the same line again after a time-out or a preemption: the search goes on where it was.
#SBATCH --job-name=sleep-tune
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --gpus-per-node=4
#SBATCH --time=12:00:00
#SBATCH --signal=INT@120
#SBATCH --requeue
set -euo pipefail

source .venv/bin/activate
head_node=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
head_address=$(srun --nodes=1 --ntasks=1 --nodelist="$head_node" hostname --ip-address | awk '{print $1}')
# Two jobs on one node must not meet on one port.
port=$((20000 + SLURM_JOB_ID % 20000))

srun --kill-on-bad-exit=1 ray symmetric-run \
    --address "$head_address:$port" \
    --min-nodes "$SLURM_JOB_NUM_NODES" \
    --num-cpus "$SLURM_CPUS_PER_TASK" \
    --num-gpus "${SLURM_GPUS_ON_NODE:-0}" \
    -- python tune.py "$@" --address "$head_address:$port"
