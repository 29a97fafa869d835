#!/usr/bin/env bash
# A search on the nodes of one Slurm job: a Ray cluster for the length of the job, the search on its first node.
#   sbatch cluster/slurm.sh search_spaces/replay.yaml data=text data.path=/path/to/strict-small
# Three minutes before its time is up the search saves, and the job queues itself again and goes on; so does a job that
# is preempted. One that was cancelled goes on when the same line is submitted again.
#SBATCH --job-name=sleep-tune
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --gpus-per-node=4
#SBATCH --time=12:00:00
#SBATCH --signal=B:USR1@180
#SBATCH --requeue
#SBATCH --open-mode=append
set -euo pipefail

source .venv/bin/activate
read -r first < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
# Its address in the cluster: some machines give their own name a loopback address, where nobody else could reach them.
read -r ip < <(srun --nodes=1 --ntasks=1 --nodelist="$first" bash -c '
    for ip in $(hostname --ip-address) $(hostname --all-ip-addresses); do
        case "$ip" in 127.* | *:*) ;; *) echo "$ip" && break ;; esac
    done')
port=$((20000 + SLURM_JOB_ID % 20000)) # two jobs on one node must not meet on one port

# One task on each node; the first is Ray's head, and the others wait for it. It has a folder of its own in /tmp, since
# Ray's usual one may be another user's.
srun bash -c '
    if [ "$SLURM_PROCID" = 0 ]; then
        exec ray start --head --block --node-ip-address="$1" --port="$2" --temp-dir="/tmp/ray-$SLURM_JOB_ID" "${@:3}"
    fi
    until (exec 3<>"/dev/tcp/$1/$2") 2>/dev/null; do sleep 1; done
    exec ray start --block --address="$1:$2" "${@:3}"
' node "$ip" "$port" --num-cpus="$SLURM_CPUS_PER_TASK" --num-gpus="${SLURM_GPUS_ON_NODE:-0}" >ray-"$SLURM_JOB_ID".log 2>&1 &
cluster=$!
until (exec 3<>"/dev/tcp/$ip/$port") 2>/dev/null; do
    kill -0 "$cluster" # ends the job if Ray has ended
    sleep 1
done
# Five minutes for the other nodes; those that come later give the search more slots when they do.
python -c 'import ray, sys, time
ray.init(sys.argv[1], log_to_driver=False)
end = time.monotonic() + 300
while sum(node["Alive"] for node in ray.nodes()) < int(sys.argv[2]) and time.monotonic() < end:
    time.sleep(1)' "$ip:$port" "$SLURM_JOB_NUM_NODES"

python tune.py "$@" --address auto &
search=$!
is_over=false
# SIGTERM is to the search what Ctrl-C is: it saves and ends. (A shell lets its background jobs ignore Ctrl-C itself.)
trap 'is_over=true; kill -TERM "$search"' USR1
trap 'kill -TERM "$search"' TERM
while :; do
    code=0
    wait "$search" || code=$?
    kill -0 "$search" 2>/dev/null || break # else a signal has ended the wait, not the search
done
kill "$cluster" 2>/dev/null || true
wait "$cluster" || true
# 0: done. 2: a mistake in what was asked. Anything else, once the time is up: there is more to do.
if "$is_over" && [ "$code" -ne 0 ] && [ "$code" -ne 2 ]; then
    scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
