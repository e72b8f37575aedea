// What is typed or pasted into the search field is words, often those of an error message. The theme would read
// `--mount` in it as "without mount", and find nothing.
const SETUP = 0; // the theme's numbers for messages to its worker: the index,
const QUERY = 2; // and what is searched for
const post = Worker.prototype.postMessage;

function words(text) {
  return text.replace(/[:~^*"'`<>()[\]{}|=\u2026]+/g, " ").replace(/(^|\s)[-+]+/g, "$1");
}

// lunr, in the theme's worker, knows equal ends of words by a text that can mean two things where letters are digits. It
// then looks for words that no page has, and finds nothing for whatever begins like them. So another worker answers: the
// same one, with a comma that keeps letters and numbers apart.
const MENDED = `
lunr.TokenSet.prototype.toString = function () {
  const edges = Object.keys(this.edges).sort().map((letter) => letter + this.edges[letter].id + ",");
  return (this._str ??= (this.final ? "1" : "0") + edges.join(""));
};`;
const mended = new WeakMap();

function mend(asked) {
  const theme = JSON.parse(document.getElementById("__config").textContent);
  const code = `importScripts(${JSON.stringify(new URL(theme.search, location).href)});${MENDED}`;
  const worker = new Worker(URL.createObjectURL(new Blob([code], { type: "text/javascript" })));
  worker.onmessage = ({ data }) => asked.dispatchEvent(new MessageEvent("message", { data }));
  mended.set(asked, worker);
}

Worker.prototype.postMessage = function (message, ...rest) {
  if (message?.type === SETUP) mend(this);
  const asks = message?.type === QUERY && typeof message.data === "string";
  const worker = mended.get(this) ?? this;
  return post.call(worker, asks ? { ...message, data: words(message.data) } : message, ...rest);
};
