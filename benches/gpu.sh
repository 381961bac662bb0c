#!/usr/bin/env bash
# Measures wgloss on a machine with a GPU, in at most eight minutes on 16 cores: whether its kernels are right, how fast
# they are, which layout would be faster, and how PyTorch fares beside them. benches/README.md says what to bring.
#
#   benches/gpu.sh OUT [ADAPTER]    results go to the folder OUT: at most eight files, summary.txt first of all
#
# ADAPTER is part of an adapter's name, as `wgloss adapters` prints it; without one, the most capable GPU. These
# variables change what is done:
#
#   WGLOSS, PEERS     the programs, where they are neither in target/gpu nor where Cargo puts them
#   PACKAGES          a folder with .deb packages of libraries that the machine lacks [target/gpu]
#   PYTHON            a Python that may have PyTorch [python3]
#   PEERS_DEVICE      `cpu` times PyTorch on the CPU, which otherwise is left out where PyTorch has no CUDA
#   LIMIT_ADAPTERS, LIMIT_PARITY, LIMIT_LOSS, LIMIT_BENCH, LIMIT_TUNE, LIMIT_PEERS
#                     seconds that a stage may take, LIMIT_LOSS of them the parity of one loss; without, they are 20,
#                     100, 90, 180, 50 and 120, and a stage has besides what those before it left
#
# Exit codes: 0 all is well, 1 a stage failed or was cut, 2 it could not begin.
set -u

fail() {
  echo "gpu.sh: $*" >&2
  exit 2
}
has() { command -v "$1" >/dev/null; }

(($# == 1 || $# == 2)) || fail "which folder are the results for? benches/gpu.sh OUT [ADAPTER]"
if ! { mkdir -p "$1" && out=$(cd "$1" && pwd) && : >"$out/log.txt"; } 2>/dev/null; then fail "cannot write to $1"; fi
adapter=${2:-}
cd "$(dirname "$0")/.." || fail "cannot enter the repository"
# Debian keeps ldconfig in /sbin, off the path of ordinary users.
PATH=$PATH:/usr/sbin:/sbin

log=$out/log.txt summary=$out/summary.txt
temp=$(mktemp -d) || fail "no room for temporary files"
trap 'rm -rf "$temp"' EXIT
say() { echo "$*" | tee -a "$log"; }

# The first of these that is a program; if none is, the last.
first_program() {
  local program
  for program in "$@"; do
    if [[ -x $program ]]; then break; fi
  done
  echo "$program"
}
WGLOSS=${WGLOSS:-$(first_program target/gpu/wgloss target/release/wgloss)}
PEERS=${PEERS:-$(first_program target/gpu/wgloss-peers target/peers/release/wgloss-peers)}
PACKAGES=${PACKAGES:-target/gpu} PYTHON=${PYTHON:-python3}
[[ -x $WGLOSS ]] || fail "there is no program $WGLOSS: build it, or name another as WGLOSS"
has timeout || fail "there is no timeout, which is one of the coreutils"
"$WGLOSS" list --names >"$temp/names" 2>>"$log" || fail "$WGLOSS does not run here: $(tail -n 1 "$log")"

# Layouts are the table's, and drivers begin without compiled kernels; those of parity serve the stages after it.
export WGLOSS_CACHE_DIR=$temp/cache MESA_SHADER_CACHE_DIR=$temp/mesa __GL_SHADER_DISK_CACHE_PATH=$temp/nvidia
export TORCHINDUCTOR_CACHE_DIR=$temp/inductor TRITON_CACHE_DIR=$temp/triton
mkdir -p "$temp"/{cache,mesa,nvidia,inductor,triton,library,parity}
# Mesa's drivers look for a Wayland session and complain where this is not set.
export XDG_RUNTIME_DIR=${XDG_RUNTIME_DIR:-$temp}

# The path of a library that the linker finds, or that is in one of these folders.
library_path() {
  local name=$1 folder folders=${LD_LIBRARY_PATH:-}
  shift
  for folder in ${folders//:/ } "$@"; do
    if [[ -e $folder/$name ]]; then
      echo "$folder/$name"
      return
    fi
  done
  ldconfig -p 2>/dev/null | sed -n "s|.*=> \(.*/$name\)\$|\1|p" | head -n 1
}

# Adds the libraries of the packages that the machine lacks, without installing them.
add_libraries() {
  local package file name added=()
  for package in "$PACKAGES"/*.deb; do
    if [[ ! -e $package ]]; then continue; fi
    if has dpkg-deb; then
      dpkg-deb -x "$package" "$temp/packages" 2>>"$log"
    else
      package=$(realpath "$package")
      mkdir -p "$temp/package" "$temp/packages"
      (cd "$temp/package" && ar x "$package" && tar -C ../packages -xf data.tar.* && rm -f -- *) 2>>"$log"
    fi || say "could not unpack $package"
  done
  for file in "$temp"/packages{,/usr}/lib/{,*/}*.so.*; do
    name=${file##*/}
    if [[ -e $file && -z $(library_path "$name") ]]; then
      ln -sf "$file" "$temp/library/$name"
      added+=("$name")
    fi
  done
  if ((${#added[@]})); then
    export LD_LIBRARY_PATH=${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$temp/library
    say "libraries from $PACKAGES: ${added[*]}"
  fi
  if [[ -z $(library_path libvulkan.so.1) ]]; then say "there is no libvulkan.so.1, and without it no Vulkan"; fi
}

# Tells the Vulkan loader of a library of NVIDIA's that has a driver: containers may lack the file that does, and have
# the library in a folder of its own.
add_driver() {
  local library manifest=$temp/$1.json
  library=$(library_path "$1" /usr/local/nvidia/lib64 /usr/local/nvidia/lib)
  if [[ -z $library ]]; then return 1; fi
  printf '{"file_format_version": "1.0.0", "ICD": {"library_path": "%s", "api_version": "1.3.0"}}\n' "$library" \
    >"$manifest"
  export VK_ADD_DRIVER_FILES=${VK_ADD_DRIVER_FILES:+$VK_ADD_DRIVER_FILES:}$manifest
  export LD_LIBRARY_PATH=${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}${library%/*}
  say "told the Vulkan loader of $library"
}

stages=() all_is_well=1
# Notes how a stage went.
note() { stages+=("$(printf '%-9s %-60s %s' "$1" "$2" "${3:-}")"); }
failed() {
  all_is_well=0
  note "$@"
}

# stage NAME SECONDS COMMAND…: runs a command for so long at most. Its output goes to the file $to, else to the log.
# Afterwards `status` is the exit code, `result` that in words, and `took` how long it took.
stage() {
  local name=$1 limit=$2 TIMEFORMAT='%0R s, %0U + %0S of CPU'
  shift 2
  say "$(date -u +%T) $name, at most $limit s"
  { time timeout --kill-after=5 "$limit" "$@" >>"${to:-$log}" 2>>"$temp/errors"; } 2>"$temp/time"
  status=$?
  took=$(<"$temp/time")
  case $status in
    0) result=fine ;;
    124 | 137) result="cut after $limit s" ;;
    *) result="failed with $status: $(tail -n 1 "$temp/errors" | cut -c -150)" ;;
  esac
  cat "$temp/errors" >>"$log"
  : >"$temp/errors"
  echo "$result; $took" >>"$log"
}

# The seconds that a stage has of its own, or those until it should end, so long after the start, if these are more.
seconds_for() { echo $(($2 - SECONDS > $1 ? $2 - SECONDS : $1)); }

find_adapters() {
  to=$out/adapters.txt
  : >"$to"
  stage adapters "${LIMIT_ADAPTERS:-20}" "$WGLOSS" adapters
  unset to
}
# Whether there is a GPU among the adapters whose names begin so.
has_gpu() {
  awk -v backend="$1" '
    /^[a-z]+[0-9]*:/ { is_of_backend = index($0, backend) == 1 }
    is_of_backend && /^ *kind  *(discrete|integrated|virtual) GPU/ { found = 1 }
    END { exit !found }
  ' "$out/adapters.txt"
}

# The quick parity of a loss, in a process of its own.
# shellcheck disable=SC2329 # xargs calls it
check_loss() {
  local start=$SECONDS status word
  # In the group of the stage, which ends with it.
  timeout --foreground --kill-after=5 "$LIMIT_LOSS" "$WGLOSS" parity "$1" --quick ${adapter:+--adapter "$adapter"} \
    >"$temp/parity/$1" 2>&1
  status=$?
  case $status in
    0) word=pass ;;
    124 | 137) word=CUT ;;
    *) word=FAIL ;;
  esac
  printf '%-4s %-28s %4d s\n' "$word" "$1" $((SECONDS - start)) >>"$temp/results"
}

# How many losses parity.txt has with this word, and which the first ones are.
some() {
  awk -v word="$1" -v text="$2" '
    $1 == word && ++count <= 6 { names = names (count > 1 ? ", " : "") $2 }
    END { if (count) print "; " count " " text ": " names (count > 6 ? ", …" : "") }
  ' "$out/parity.txt" | tr -d '\n'
}

# What takes longest begins first, so that nothing is left for one core at the end.
long_losses=(focal_dice ce_dice distillation triplet_semi_hard triplet_batch_hard)

check_parity() {
  local count passed others loss
  # What the processes take.
  export WGLOSS adapter temp LIMIT_LOSS=${LIMIT_LOSS:-90}
  export -f check_loss
  : >"$temp/results"
  printf '%s\n' "${long_losses[@]}" >"$temp/long"
  {
    grep -xF -f "$temp/long" "$temp/names"
    grep -vxF -f "$temp/long" "$temp/names"
  } >"$temp/queue"
  stage parity "${LIMIT_PARITY:-$(seconds_for 100 120)}" \
    xargs -P "$(nproc)" -I LOSS bash -c 'check_loss LOSS' <"$temp/queue"
  count=$(wc -l <"$temp/names") passed=$(grep -c ^pass "$temp/results")
  {
    sort -k 1,1 -k 2,2b "$temp/results"
    # The rest was cut with the stage, or not reached.
    while read -r loss; do
      grep -q " $loss " "$temp/results" || printf '%-4s %s\n' CUT "$loss"
    done <"$temp/names"
  } >"$out/parity.txt"
  others=$(some FAIL failed)$(some CUT cut)
  awk '$1 == "FAIL" || $1 == "CUT" && $3 { print $2 }' "$temp/results" >"$temp/shown"
  while read -r loss; do
    printf '\n== %s\n' "$loss"
    head -c 20000 "$temp/parity/$loss"
  done <"$temp/shown" >>"$out/parity.txt"
  if ((passed == count)); then
    note parity "all $count losses pass" "$took"
  else
    failed parity "$passed of $count losses pass$others" "$took"
  fi
}

# What has no results at all leaves no file.
drop_if_empty() { if [[ ! -s $1 ]]; then rm -f "$1"; fi; }

run_bench() {
  local limit=${LIMIT_BENCH:-$(seconds_for 180 300)}
  # The last case that it begins has an eighth of the time to end.
  stage bench "$limit" "$WGLOSS" bench --dtype f32,bf16 --limit $((limit * 7 / 8)) --json "$out/bench.json" \
    ${adapter:+--adapter "$adapter"}
  if ((status)); then failed bench "$result" "$took"; else note bench "$result" "$took"; fi
  rm -f "$out/bench.json.part"
  drop_if_empty "$out/bench.json"
  if [[ -e $out/bench.json ]]; then
    "$WGLOSS" bench --compare "$out/bench.json" --html "$out/bench.html" >/dev/null 2>>"$log" ||
      failed page "bench.html could not be drawn"
  fi
}

run_tune() {
  to=$out/tune.json
  : >"$to"
  stage tune "${LIMIT_TUNE:-$(seconds_for 50 350)}" "$WGLOSS" tune --dry-run --json ${adapter:+--adapter "$adapter"}
  unset to
  if ((status)); then failed tune "$result" "$took"; else note tune "$result" "$took"; fi
  drop_if_empty "$out/tune.json"
}

# Few losses of each kind, as torch.compile takes seconds for each shape.
peers_losses=(mse bce_with_logits kl_div cross_entropy softmax dice giou info_nce triplet_batch_hard style)

run_peers() {
  local limit=${LIMIT_PEERS:-$(seconds_for 120 470)} start=$SECONDS device versions left_out
  # Importing PyTorch may take some of the time.
  versions=$(timeout "$limit" "$PYTHON" - 2>>"$log" <<'PYTHON'
import importlib.metadata
import torch
print("cuda" if torch.cuda.is_available() else "cpu", "torch", torch.__version__, end="")
for package in ("triton", "torchvision", "liger-kernel"):
    try:
        print(f", {package} {importlib.metadata.version(package)}", end="")
    except importlib.metadata.PackageNotFoundError:
        print(f", no {package}", end="")
PYTHON
  )
  device=${versions%% *}
  say "PyTorch: ${versions:-none in $PYTHON}"
  if [[ -z $versions ]]; then
    note peers "left out: $PYTHON has no PyTorch"
  elif [[ $device == cpu && ${PEERS_DEVICE:-} != cpu ]]; then
    note peers "left out: PyTorch finds no CUDA"
  elif [[ ! -x $PEERS ]]; then
    failed peers "there is no program $PEERS"
  else
    limit=$((limit - (SECONDS - start)))
    stage peers "$limit" "$PYTHON" benches/peers/pytorch.py --wgloss "$PEERS" --adapter "$adapter" \
      --device "${PEERS_DEVICE:-cuda}" --limit $((limit * 3 / 4)) --json "$out/peers.json" \
      "${peers_losses[@]/#/--loss=}"
    left_out=$(grep -o '[0-9]* of [0-9]* cases are left out' "$log" | tail -n 1)
    result+=${left_out:+; $left_out}
    if ((status)); then failed peers "$result" "$took"; else note peers "$result" "$took"; fi
  fi
}

# A function is read to its end before it runs, so that the file may change meanwhile.
main() {
  local revision gpu head library report reports=()
  rm -f "$out"/{summary,adapters,parity}.txt "$out"/{bench,tune,peers}.json "$out/bench.html"
  revision=$(git describe --always --dirty 2>/dev/null) || revision="unknown revision"
  gpu=$(timeout 10 nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader 2>/dev/null)
  head=$(printf '%s, %s, %s UTC\n%s cores, Linux %s' "$("$WGLOSS" --version)" "$revision" "$(date -u '+%F %R')" \
    "$(nproc)" "$(uname -r)${gpu:+; $gpu}")
  say "$head"

  add_libraries
  find_adapters
  for library in libGLX_nvidia.so.0 libEGL_nvidia.so.0; do
    # GLX's needs libraries of X11, and EGL's does not.
    if ! has_gpu vulkan: && add_driver "$library"; then find_adapters; fi
  done
  if ((status)); then failed adapters "$result" "$took"; else note adapters "$result" "$took"; fi
  if [[ -z $adapter ]] && ! has_gpu ""; then
    fail "there is no GPU, see $out/adapters.txt and log.txt; name an adapter to run on it all the same"
  fi

  check_parity
  run_bench
  run_tune
  run_peers

  {
    printf '%s\n\n' "$head"
    printf '%s\n' "${stages[@]}" ""
    for report in "$out"/{bench,peers}.json; do
      if [[ -e $report ]]; then reports+=("$report"); fi
    done
    if ((${#reports[@]})); then "$WGLOSS" bench --compare "${reports[@]}" --summary 2>&1; fi
  } >"$summary"
  say
  tee -a "$log" <"$summary"
  ((all_is_well))
}
main
exit
