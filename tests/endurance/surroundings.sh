#!/bin/bash
# A small real search in odd surroundings, each in a fresh folder: exit code, last lines, and events of its log.
#
#   PYTHON=.venv/bin/python bash tests/endurance/surroundings.sh          # Linux, as root; 5 minutes
#
# Nothing may end in a traceback or be counted as a bug of a trial.
root=$(cd "$(dirname "$0")/../.." && pwd)
python=$(realpath -s "${PYTHON:-python}")
tune="$root/tune.py"
export PYTHONPATH=$root OMP_NUM_THREADS=1
base=$(mktemp -d)
trap 'rm -rf "$base"' EXIT

begin() {
    cd "$base" && rm -rf here && mkdir here && cd here
    cat > one.yaml <<'YAML'
base: {data: toy, data.sentences: 600, data.max_length: 64, tokenizer.vocab_size: 300, model: tiny, budget.passes: 3,
       sleep: default, evaluation.samples: 8, evaluation.pairs: 8, training.device: cpu, training.threads: 1}
parameters: {sleep.folds: {choice: [2, 3, 4]}}
stop: {trials: 2}
baselines: {}
finalists: {count: 0}
YAML
}

end() {
    code=$?
    cd "$base/here"
    echo "== $1: exit code $code"
    grep -a "^error\|^failed\|Traceback\|^stopped\|^code" out | sed "s#$base#...#g" | cut -c1-260
    test -f results/one/trials.jsonl && "$python" -c '
import collections, json
lines = [json.loads(line) for line in open("results/one/trials.jsonl")]
print("   " + ", ".join(f"{n} {e}" for e, n in collections.Counter(line["event"] for line in lines).items()))
print("   counted as a bug: ", [line["trial"] for line in lines if line["data"].get("kind") == "bug"] or "none")'
}

search() { "$python" "$tune" one.yaml --launcher inline "$@"; }
until_log_has() { for _ in $(seq 300); do grep -q "$1" results/one/trials.jsonl 2> /dev/null && return; sleep 0.2; done; }

begin; search > out 2>&1; end "nothing odd"
begin; (unset HOME; search > out 2>&1); end "no HOME"
begin; HOME=/proc/none search > out 2>&1; end "a HOME that cannot be written"
begin; unshare --user --map-user=12345 --map-group=12345 env -u HOME "$python" "$tune" one.yaml --launcher inline > out 2>&1
end "a user of no name, without HOME"
begin; env -i PATH="$PATH" PYTHONPATH="$root" LC_ALL=C "$python" "$tune" one.yaml --launcher inline > out 2>&1
end "an empty environment, LC_ALL=C"
begin; LC_ALL=POSIX PYTHONUTF8=0 PYTHONCOERCECLOCALE=0 search > out 2>&1; end "a terminal of ASCII"
begin; name=$(printf 'caf\xe9'); mkdir "$name"; cp one.yaml "$name"; (cd "$name" && search > ../out 2>&1); end "a path in latin-1"
begin; mkdir gone; (cd gone && rmdir ../gone && "$python" "$tune" ../one.yaml --launcher inline > "$base/here/out" 2>&1)
end "a working directory that was removed"
begin; (ulimit -n 16; search > out 2>&1); end "ulimit -n 16"
begin; (ulimit -n 40; search > out 2>&1); end "ulimit -n 40"
begin; (ulimit -f 100; search > out 2>&1); end "ulimit -f 100"
begin; (ulimit -v 1500000; search > out 2>&1); end "ulimit -v 1500000"
begin; search <&- > out 2>&1; end "standard input closed"
begin; search 2> out >&-; end "standard output closed"
begin; search > out 2>&-; end "standard error closed"
begin; search 2> out > /dev/full; end "standard output full"
begin; (search budget.passes=12 2> errors; echo "code $?" >> errors) | head -4 > out; cat errors >> out; end "| head -4"
begin; timeout -s KILL 5 script -qc "setsid -w $python $tune one.yaml --launcher inline" /dev/null > out 2>&1
until_log_has '"finished":true'; end "a terminal that was closed, in a session of its own"
begin; "$python" "$tune" one.yaml --launcher inline budget.passes=12 > out 2>&1 & process=$!
cd "$base/here"; until_log_has started; sleep 1; kill -HUP $process; wait $process; end "SIGHUP"
begin; "$python" "$tune" one.yaml --launcher inline budget.passes=12 > out 2>&1 & process=$!
cd "$base/here"; until_log_has started; kill -STOP $process; sleep 10; kill -CONT $process; wait $process; end "stopped for 10 s"
begin; "$python" "$tune" one.yaml --launcher inline budget.passes=12 > out 2>&1 & process=$!
cd "$base/here"; until_log_has started; sleep 1; rm -r results; wait $process; end "results/ removed"
begin; "$python" "$tune" one.yaml --launcher inline budget.passes=12 > out 2>&1 & process=$!
cd "$base/here"; until_log_has report; rm -r results/one/trials/t0001; wait $process; end "a trial's folder removed"
begin; truncate -s 600M disk; mkfs.ext4 -q -F disk; mkdir results; mount -o loop disk results
"$python" "$tune" one.yaml --launcher inline budget.passes=12 > out 2>&1 & process=$!
cd "$base/here"; until_log_has started; sleep 1; mount -o remount,abort results 2> /dev/null; wait $process
end "a disk that becomes read-only"; cd "$base"; umount here/results
