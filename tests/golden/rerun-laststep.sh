#!/bin/bash
#SBATCH --job-name=laststep-rerun
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=1
#SBATCH --cpus-per-task=4
#SBATCH --mem=3G
#SBATCH --time=00:45:00
# Rerun of the validation of demo-20260101T000000Z at step 29 with mxfp4_w4a4.
# Route `laststep`: it attests weights and quantization inside the engine, and joins no Ray.
# Time: its own slowest validation took 720 s; times 3.
# Exit codes: 0 scored, and the proof accepted; 12 scored, and the score does not stand;
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
[ "$(sha256sum < "$VALIDATION")" = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  -' ] \
  || refuse "the validation data is not the run's: $VALIDATION has another content (sha256)"
"$PYTHON" -c "" 2>/dev/null || refuse "the interpreter $PYTHON can not be started"
mkdir -p "$(dirname "$OUT")"
mkdir -m 700 "$OUT" || refuse "the output folder $OUT is there: this script runs once, print another"
RECIPE="$OUT/recipe.yaml"
printf '%s\n' '{"name": "mxfp4_w4a4", "format": "mxfp4", "scale_rule": "even", "exclude": ["lm_head"]}' > "$RECIPE"
# No Ray of a run is joined, and none of a run's hooks goes in.
for name in $(compgen -e); do case "$name" in RAY_*|VERL_*|LASTSTEP_*) unset "$name" ;; esac; done
export PYTHONPATH=/opt/laststep${PYTHONPATH:+:$PYTHONPATH} PYTHONUNBUFFERED=1
export VLLM_CPU_KVCACHE_SPACE=${VLLM_CPU_KVCACHE_SPACE:-1} VLLM_CPU_OMP_THREADS_BIND=${VLLM_CPU_OMP_THREADS_BIND:-nobind}
export VLLM_ENABLE_V1_MULTIPROCESSING=0 VLLM_NO_USAGE_STATS=1 HF_HUB_OFFLINE=1 VLLM_CACHE_ROOT="$OUT/vllm-cache"
status=0
"$PYTHON" -m quant.evaluation /run/checkpoints/global_step_29 /run/data/validation.jsonl \
  --engine 'vllm?reward=/run/reward.py:compute_score&eager=true' \
  --recipe "$RECIPE" \
  --out /state/laststep/reruns/new/validation \
  --step 29 \
  --metric val-core/arithmetic/acc/mean@1 \
  --temperature 0.0 \
  --top-p 1.0 \
  --n 1 \
  --max-tokens 32 \
  --segment-rows 256 \
  --start-model /run/model \
  > "$OUT/evaluation.json" 2> "$LOG" || status=$?
case "$status" in
  0|12) ;;
  2) tail -n 1 "$LOG" >&2; refuse "the evaluation can not be done as asked" ;;
  *) fail "$status" ;;
esac
echo "laststep: the score is in $OUT/evaluation.json, its proof in $OUT/validation/attestation.json" >&2
exit "$status"
