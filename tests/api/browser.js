// As much of a browser as the page needs: reads {script, answers, events, then} on stdin, runs the
// script, presses the last button by the keyboard, looks anew with the answers of `then`, and prints what it shows.
"use strict";
const { script, answers, events, then } = JSON.parse(require("fs").readFileSync(0, "utf8"));

class Node {
  constructor(tag) { Object.assign(this, { tag, children: [], text: "", className: "", listeners: {}, dataset: {}, attributes: {} }); }
  get textContent() { return this.text + this.children.map((c) => (typeof c === "string" ? c : c.textContent)).join(" "); }
  set textContent(text) { this.text = String(text); this.children = []; }
  get lastChild() { const last = this.children.at(-1); return { remove: () => this.children.splice(this.children.indexOf(last), 1) }; }
  append(...nodes) { this.children.push(...nodes); }
  prepend(...nodes) { this.children.unshift(...nodes); }
  replaceChildren(...nodes) { this.text = ""; this.children = nodes; }
  addEventListener(name, act) { this.listeners[name] = act; }
  setAttribute(name, value) { this.attributes[name] = value; }
  hasAttribute(name) { return name in this.attributes; }
  focus() { document.activeElement = this; }
  contains(node) { return node === this || this.children.some((c) => typeof c !== "string" && c.contains(node)); }
  isEqualNode(other) { return this.markup === other.markup; }
  get markup() { return JSON.stringify([this.tag, this.text, this.className, this.dataset, this.attributes, this.children.map((c) => c.markup || c)]); }
  querySelectorAll(tag) { return this.all(tag); }
  all(tag) { return this.children.flatMap((c) => (typeof c === "string" ? [] : [...(c.tag === tag ? [c] : []), ...c.all(tag)])); }
}

const places = {};
const asked = [];
let stream = null;
global.document = {
  createElement: (tag) => new Node(tag),
  getElementById: (id) => (places[id] ||= new Node(id)),
  documentElement: {},
  activeElement: null,
};
global.fetch = async (path, options = {}) => {
  asked.push([options.method || "GET", path, options.body ? JSON.parse(options.body) : null]);
  const answer = answers[path] || { status: 404, body: { error: "nothing there" } };
  return { ok: answer.status === 200, status: answer.status, json: async () => answer.body };
};
global.EventSource = class { constructor() { stream = this; } addEventListener(_, act) { this.tell = act; } };
const later = [];
global.setTimeout = (act) => later.push(act);
global.clearTimeout = () => {};
global.alert = () => {};

const settle = () => new Promise((done) => setImmediate(() => setImmediate(() => setImmediate(() => setImmediate(done)))));
(async () => {
  (0, eval)(script);
  for (let i = 0; i < 10; i += 1) await settle();
  for (const event of events) if (stream) stream.tell({ data: JSON.stringify(event) });
  const buttons = places.mandates ? places.mandates.all("button") : [];
  if (buttons.length) {
    buttons.at(-1).focus();
    Object.assign(answers, then);
    await Promise.all([buttons.at(-1).listeners.click(), buttons.at(-1).listeners.click()]);
  }
  for (let i = 0; i < 10; i += 1) await settle();
  const stays = document.activeElement;
  await Promise.all(later.splice(0).map((act) => act()));
  for (let i = 0; i < 10; i += 1) await settle();
  const focus = { tag: stays ? stays.tag : "", text: stays ? stays.textContent : "", stays: stays === document.activeElement };
  const shown = Object.fromEntries(Object.entries(places).map(([id, node]) => [id, node.textContent]));
  console.log(JSON.stringify({ shown, asked, focus, tags: places.mandates ? [...new Set(places.mandates.all("b").map((n) => n.tag))] : [] }));
})();
