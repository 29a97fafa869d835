#!/usr/bin/env bash
# A search on the nodes of one Slurm job: a Ray cluster for the length of the job, the search on its first node.
#   sbatch cluster/slurm.sh search_spaces/replay.yaml data=text data.path=/path/to/strict-small
# Submit it from the folder of the code, which all nodes must see and which must hold .venv. What you give to sbatch
# replaces the lines below: sbatch --account=A --partition=P --nodes=1 --gpus-per-node=2 --time=4:00:00 cluster/slurm.sh ...
# On nodes without GPUs remove the line with --gpus-per-node. The search writes to results/ and prints to
# slurm-JOB.out, Ray to ray-JOB.log; to see how far it is: python tune.py replay --status
# Three minutes before the time limit the search saves, and the job queues itself again and resumes; a job that is
# preempted does so too. To resume one that was cancelled, submit the same line again.
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
# Its address in the cluster. On some machines the own name has a loopback address, which other nodes cannot reach.
read -r ip < <(srun --nodes=1 --ntasks=1 --nodelist="$first" bash -c '
    for ip in $(hostname --ip-address) $(hostname --all-ip-addresses); do
        case "$ip" in 127.* | *:*) ;; *) echo "$ip" && break ;; esac
    done')
port=$((20000 + 2 * (SLURM_JOB_ID % 10000))) # differs between two jobs on one node; the dashboard has the next one

# Ray runs code for anybody who reaches its ports and has its token, and without a token for anybody who reaches them.
# Each start of the job makes a new one. It is passed on in the environment, which other users cannot read, and never in
# a command line, which they can.
export RAY_AUTH_MODE=token RAY_AUTH_TOKEN
RAY_AUTH_TOKEN=$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')

# One task on each node; the first is Ray's head, and the others wait for it. Ray's own folder is open to all users, so it
# lies in a new one that only this user can enter. A task without the token ends. Since Slurm 22.05 srun gives a task one
# processor unless it is asked for more.
srun --export=ALL --cpus-per-task="$SLURM_CPUS_PER_TASK" bash -c '
    : "${RAY_AUTH_TOKEN:?}"
    folder=$(mktemp -d "/tmp/ray-$SLURM_JOB_ID-XXXXXX")/ray || exit
    if [ "$SLURM_PROCID" = 0 ]; then
        # The other nodes ask the dashboard what has become of their workers.
        exec ray start --head --block --node-ip-address="$1" --port="$2" --dashboard-host="$1" \
            --dashboard-port="$(($2 + 1))" --temp-dir="$folder" "${@:3}"
    fi
    until (exec 3<>"/dev/tcp/$1/$2") 2>/dev/null; do sleep 1; done
    exec ray start --block --address="$1:$2" --temp-dir="$folder" "${@:3}"
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

python tune.py "$@" --address "$ip:$port" & # others may run a Ray on this node, too
search=$!
is_over=false
# SIGTERM works as Ctrl-C: the search saves and ends. (Background jobs of a shell ignore Ctrl-C itself.)
trap 'is_over=true; kill -TERM "$search"' USR1
trap 'kill -TERM "$search"' TERM
while :; do
    code=0
    wait "$search" || code=$?
    kill -0 "$search" 2>/dev/null || break # still running: a signal ended the wait
done
kill "$cluster" 2>/dev/null || true
wait "$cluster" || true
# 0: done. 2: a mistake of the user. Any other code at the time limit: the search is not finished.
if "$is_over" && [ "$code" -ne 0 ] && [ "$code" -ne 2 ]; then
    scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
