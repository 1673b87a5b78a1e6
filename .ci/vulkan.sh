#!/usr/bin/env bash
# A Vulkan driver that computes on the CPU, so that WebGPU kernels can be computed where there is no GPU. Prints the environment that uses it, for `eval`;
# prints nothing, and says why on the error stream, where none could be had. Needs `npm ci` done: a driver counts only if WebGPU accepts it.
#
#   eval "$(.ci/vulkan.sh FOLDER)"
#
# Two drivers, both if they can be had: SwiftShader, which comes with Debian's Chromium and compiles shaders quickest; and Mesa's lavapipe, which runs them
# quickest and has half precision, from Debian's backports, since WebGPU refuses the one of Debian 12. Neither touches the system's drivers.
set -uo pipefail
cd "$(dirname "$0")/.."
mkdir -p "$1" && folder="$(cd "$1" && pwd)"
say() { echo "vulkan: $*" >&2; }

# Succeeds when WebGPU finds an adapter, with the environment given as arguments.
works() {
  env "$@" timeout 60 node -e "
    import('webgpu').then(async ({ create }) => {
      const adapter = await create(['backend=vulkan']).requestAdapter();
      if (adapter === null) process.exit(1);
      console.error('vulkan: ' + adapter.info.description);
      process.exit(0);
    }).catch(() => process.exit(1));" 2>&1 >/dev/null | grep '^vulkan: ' >&2
}

lavapipe() {
  if [ ! -s "$folder/lvp_icd.json" ]; then
    local sources=/etc/apt/sources.list.d/debian.sources parts="$folder/apt"
    [ "$(id -u)" = 0 ] && [ -r "$sources" ] && grep -q bookworm "$sources" || return 1
    # The loader, and what the driver links; this driver itself is not used.
    { apt-get update && apt-get install -y --no-install-recommends libvulkan1 mesa-vulkan-drivers; } >/dev/null 2>&1 || return 1
    mkdir -p "$parts/sources" "$parts/lists/partial" "$parts/package"
    # The mirror that the machine uses already, with the suite of backports.
    awk 'BEGIN{RS="";ORS="\n\n"} /Suites:.*bookworm-updates/ || (/Suites: *bookworm( |$|\n)/)' "$sources" |
      sed -E 's/^Suites:.*/Suites: bookworm-backports/' >"$parts/sources/backports.sources"
    local options=(-o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$parts/sources" -o Dir::State::lists="$parts/lists")
    apt-get "${options[@]}" update >/dev/null 2>&1 || return 1
    (cd "$parts/package" && apt-get "${options[@]}" -o APT::Sandbox::User=root download mesa-vulkan-drivers >/dev/null 2>&1 &&
      dpkg-deb --fsys-tarfile mesa-vulkan-drivers_*.deb | tar -x --wildcards '*libvulkan_lvp.so') || return 1
    cp "$(find "$parts" -name libvulkan_lvp.so | head -1)" "$folder/" || return 1
    rm -rf "$parts"
    echo '{"file_format_version":"1.0.0","ICD":{"library_path":"./libvulkan_lvp.so","api_version":"1.4.305"}}' >"$folder/lvp_icd.json"
  fi
  works "VK_ICD_FILENAMES=$folder/lvp_icd.json" "XDG_RUNTIME_DIR=$folder" && drivers+=("$folder/lvp_icd.json")
}

swiftshader() {
  local library
  for library in /usr/lib/chromium /usr/lib/chromium-browser; do
    local driver="$library/vk_swiftshader_icd.json"
    [ -s "$driver" ] || continue
    # With the loader of the machine, or else the one that lies beside it.
    works "VK_ICD_FILENAMES=$driver" && drivers=("$driver" ${drivers[@]+"${drivers[@]}"}) && return 0
    works "VK_ICD_FILENAMES=$driver" "LD_LIBRARY_PATH=$library" && drivers=("$driver") && beside="$library" && return 0
  done
  return 1
}

# A driver that the machine offers already, a real one too.
works && exit 0
drivers=() beside=''
lavapipe || say 'lavapipe could not be had'
swiftshader || say 'no SwiftShader'
if [ ${#drivers[@]} = 0 ]; then
  say 'SKIPPED: no Vulkan driver that WebGPU accepts, so what the GPU kernels compute will not be tested'
  exit 0
fi
printf 'export VK_ICD_FILENAMES=%q XDG_RUNTIME_DIR=%q\n' "$(IFS=:; echo "${drivers[*]}")" "$folder"
# lavapipe without LLVM's optimisation: a shader compiles in a third of the time, and tests run each one a few times only.
echo 'export GALLIVM_PERF=nopt'
[ -z "$beside" ] || printf 'export LD_LIBRARY_PATH=%q\n' "$beside"
