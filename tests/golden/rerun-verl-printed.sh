#!/bin/bash
#SBATCH --job-name=laststep-rerun
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=8
#SBATCH --cpus-per-task=32
#SBATCH --mem=24G
#SBATCH --time=00:45:00
# Rerun of the validation of demo-20260101T000000Z at step 29 with bf16.
# Route `verl`: its weight sync was proved for verl 0.9.1: a test's own table.
# Time: its own slowest validation took 720 s; times 3.
# Exit codes: 0 every row scored, with no attestation, so the score is `unproven`; 12 rows are missing;
# 13 refused, nothing was started; anything else: the evaluation failed, and the end of its log is on stderr.
set -euo pipefail
refuse() { echo "laststep: refused: $1" >&2; exit 13; }
fail() { echo "laststep: the evaluation ended with $1; the end of $LOG:" >&2; tail -n 20 "$LOG" >&2; exit 1; }
CHECKPOINT=/run/checkpoints/global_step_29
VALIDATION=/run/data/validation.jsonl
OUT=/state/laststep/reruns/new
PYTHON=/training/bin/python
LOG="$OUT/evaluation.log"
[ -d "$CHECKPOINT" ] || refuse "the checkpoint $CHECKPOINT is not there"
[ -r "$VALIDATION" ] || refuse "the validation file $VALIDATION can not be read"
[ "$(sha256sum < "$VALIDATION")" = 'd1  -' ] \
  || refuse "the validation data is not the run's: $VALIDATION has another content (sha256)"
"$PYTHON" -c "" 2>/dev/null || refuse "the interpreter $PYTHON can not be started"
cd /run || refuse "the folder that the run was launched from is gone"
mkdir -p "$(dirname "$OUT")"
mkdir -m 700 "$OUT" || refuse "the output folder $OUT is there: this script runs once, print another"
# The file logger erases a file of its name: the rerun's metrics have a folder and a name of their own.
unset VERL_FILE_LOGGER_PATH; export VERL_FILE_LOGGER_ROOT="$OUT/metrics" PYTHONUNBUFFERED=1
# Never into the live run's cluster; a job of several nodes names its own here.
unset RAY_ADDRESS RAY_AUTH_TOKEN
# The run's own configuration, as config.yaml shows it.
printf '%s\n' '{
 "trainer": {
  "n_gpus_per_node": 8,
  "nnodes": 1
 }
}' > "$OUT/run.yaml"
status=0
"$PYTHON" -m verl.trainer.main_ppo \
  --config-path="$OUT" \
  --config-name=run \
  ++trainer.val_only=true \
  ++trainer.val_before_train=true \
  ++trainer.resume_mode=resume_path \
  ++trainer.resume_from_path=/run/checkpoints/global_step_29 \
  ++trainer.experiment_name=demo-rerun-step29 \
  ++trainer.default_local_dir=/state/laststep/reruns/new/checkpoints \
  ++trainer.validation_data_dir=/state/laststep/reruns/new/validation \
  ++trainer.rollout_data_dir=null \
  ++trainer.save_freq=-1 \
  '++trainer.logger=[console,file]' \
  hydra.run.dir=/state/laststep/reruns/new/hydra \
  > "$LOG" 2>&1 || status=$?
[ "$status" = 0 ] || fail "$status"
DUMP="$OUT/validation/29.jsonl"
[ -s "$DUMP" ] || { echo "laststep: no sample was written to $DUMP: nothing was evaluated" >&2; exit 12; }
rows=$(wc -l < "$DUMP"); [ "$rows" -eq 256 ] \
  || { echo "laststep: partial: $rows of 256 rows were evaluated" >&2; exit 12; }
echo "laststep: the score is in $OUT/metrics, its samples in $DUMP" >&2
