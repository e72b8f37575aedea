// What is typed or pasted into the search field is words, often those of an error message. The theme would read
// `--mount` in it as "without mount", and find nothing.
const QUERY = 2; // the theme's number for a message that asks its worker
const post = Worker.prototype.postMessage;

function words(text) {
  return text.replace(/[:~^*"'`<>()[\]{}|=\u2026]+/g, " ").replace(/(^|\s)[-+]+/g, "$1");
}

Worker.prototype.postMessage = function (message, ...rest) {
  const asks = message?.type === QUERY && typeof message.data === "string";
  return post.call(this, asks ? { ...message, data: words(message.data) } : message, ...rest);
};
