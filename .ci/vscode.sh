#!/usr/bin/env bash
# A real VS Code, to try the extension in: its server and workbench as the npm package code-server carries them, opened in the machine's Chromium. Installs it
# into FOLDER, packs the extension and installs that into it; prints the environment in which test/browser/vscode.test.ts runs, for `eval`; prints nothing, and
# says why on the error stream, where it cannot be had. Some 200 MB; about half a minute the first time. Needs `npm ci` done.
#
#   eval "$(.ci/vscode.sh FOLDER)"
#
# Of code-server only VS Code itself is used. Its native modules (the terminal, the log file) are not built: nothing tested here needs them.
set -uo pipefail
cd "$(dirname "$0")/.."
version=4.104.0 # VS Code 1.104
mkdir -p "$1" && folder="$(cd "$1" && pwd)"
log="$folder/install.log"
skip() {
  echo "vscode: SKIPPED: $1, so the extension will not be tried in VS Code" >&2
  exit 0
}

code="$folder/package/lib/vscode"
if [ ! -s "$folder/complete" ]; then
  (cd "$folder" && npm pack "code-server@$version" --silent && tar -xzf "code-server-$version.tgz" package/lib/vscode && rm "code-server-$version.tgz") \
    >"$log" 2>&1 || skip 'the npm package code-server could not be had'
  (cd "$code" && npm install --ignore-scripts --omit=dev --no-audit --no-fund) >>"$log" 2>&1 || skip 'the packages of VS Code could not be had'
  # No shop to ask for newer versions: the tests touch no network.
  node -e '
    const { readFileSync, writeFileSync } = require("node:fs");
    const { extensionsGallery, ...rest } = JSON.parse(readFileSync(process.argv[1], "utf8"));
    writeFileSync(process.argv[1], JSON.stringify(rest, null, 2));' "$code/product.json" || skip 'its product.json could not be read'
  echo "$version" >"$folder/complete"
fi
(cd editor/vscode && npm ci --ignore-scripts --no-audit --no-fund && node package.mjs "$folder") >>"$log" 2>&1 || skip 'the extension could not be packed'
archive="$(ls -t "$folder"/*.vsix | head -1)"
rm -rf "$folder/data"
node "$code/out/server-main.js" --install-extension "$archive" --server-data-dir "$folder/data" --accept-server-license-terms >>"$log" 2>&1 &&
  ls "$folder/data/extensions" | grep -q '^nnc\.nn-language-' || skip 'VS Code refused the extension'
echo "vscode: $(node "$code/out/server-main.js" --version 2>/dev/null | head -1) with $(basename "$archive")" >&2
printf 'export NNC_VSCODE=%q\n' "$folder"
