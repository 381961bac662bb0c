#!/usr/bin/env bash
# Makes this machine ready to build and run wgloss. Installs only what is missing; says nothing when nothing is.
#
#   scripts/setup.sh        a Vulkan driver: where there is none, Mesa's, which needs no GPU
#   scripts/setup.sh --ci   all that CI uses: build tools, three CPU adapters (lavapipe, llvmpipe, SwiftShader), Node
set -euo pipefail
cd "$(dirname "$0")/.."
# Debian keeps ldconfig in /sbin, off the path of ordinary users.
PATH=$PATH:/usr/sbin:/sbin

say() { echo "setup: $*" >&2; }
fail() {
  say "$@"
  exit 1
}
has() { command -v "$1" >/dev/null; }

# Whether the library named in a Vulkan driver's manifest is there. A bare name is for the linker to find, a relative
# path starts at the manifest.
driver_exists() {
  local library
  library=$(sed -n 's/.*"library_path"[^"]*"\([^"]*\)".*/\1/p' "$1")
  case $library in
    '') false ;;
    /*) [[ -e $library ]] ;;
    */*) [[ -e $(dirname "$1")/$library ]] ;;
    *) [[ $libraries == *"$library"* ]] ;;
  esac
}

# Looks where the Vulkan loader looks. `wgloss adapters` gives the full answer, but needs a build.
has_vulkan() {
  local libraries places place manifest
  has ldconfig && libraries=$(ldconfig -p) && [[ $libraries == *libvulkan.so.1* ]] || return 1

  places=${VK_DRIVER_FILES:-${VK_ICD_FILENAMES:-}}
  if [[ -z $places ]]; then
    places=${XDG_CONFIG_HOME:-$HOME/.config}:${XDG_CONFIG_DIRS:-/etc/xdg}:/etc
    places+=:${XDG_DATA_HOME:-$HOME/.local/share}:${XDG_DATA_DIRS:-/usr/local/share:/usr/share}
    places=${VK_ADD_DRIVER_FILES:-}:${places//:/\/vulkan\/icd.d:}/vulkan/icd.d
  fi
  IFS=: read -ra places <<<"$places"
  for place in "${places[@]}"; do
    for manifest in "$place" "$place"/*.json; do
      if [[ -f $manifest ]] && driver_exists "$manifest"; then return; fi
    done
  done
  return 1
}

as_root() {
  if ((EUID == 0)); then
    "$@"
  elif has sudo; then
    sudo "$@"
  else
    fail "needs root, please run: $*"
  fi
}

# The package lists are brought up to date at most once, and only when something must be installed.
update_lists() {
  if [[ -z ${lists_updated:-} ]]; then
    as_root apt-get update -qq
    lists_updated=yes
  fi
}

install_packages() {
  local package missing=()
  for package in "$@"; do
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || missing+=("$package")
  done
  if ((${#missing[@]})); then
    say "installing ${missing[*]}"
    update_lists
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends "${missing[@]}" >/dev/null
  fi
}

# SwiftShader comes inside Chromium's package. Its driver is unpacked into the project; nothing is installed. The folder
# gets its name only when it is whole, so that a broken download is not taken for a driver.
fetch_swiftshader() {
  local folder=.cache/swiftshader partial=.cache/swiftshader.partial
  [[ ! -e $folder ]] || return 0
  say "fetching SwiftShader into $folder"
  update_lists
  rm -rf "$partial"
  mkdir -p "$partial"
  (cd "$partial" && apt-get download -qq -o APT::Sandbox::User=root chromium-common)
  dpkg-deb --fsys-tarfile "$partial"/chromium-common_*.deb |
    tar -x -C "$partial" --strip-components=4 --wildcards '*/libvk_swiftshader.so' '*/vk_swiftshader_icd.json'
  rm "$partial"/chromium-common_*.deb
  mv "$partial" "$folder"
}

has cargo || fail "Rust is missing: install it from https://rustup.rs, then run this again"

# macOS and Windows come with their own graphics drivers.
[[ $(uname) == Linux ]] || exit 0

if [[ ${1:-} == --ci ]]; then
  has apt-get || fail "--ci needs a Debian machine"
  # Mesa's CPU drivers are wanted even where a GPU's driver is found.
  install_packages mesa-vulkan-drivers libvulkan1 libegl1 libgl1-mesa-dri
  has make || install_packages make
  has cc || install_packages gcc libc6-dev
  has npm || install_packages nodejs npm
  fetch_swiftshader
  cargo fmt --version &>/dev/null || rustup component add rustfmt
  cargo clippy --version &>/dev/null || rustup component add clippy
elif ! has_vulkan; then
  if has apt-get; then
    install_packages mesa-vulkan-drivers libvulkan1
  else
    say "no Vulkan driver found: install the Vulkan loader and your GPU's driver, or Mesa's lavapipe for the CPU"
  fi
fi
