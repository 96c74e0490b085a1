// As much of a browser as the page needs: reads {script, answers, events, hash, steps, then} on stdin, runs the script
// and does what a person does, a step each: {press: text}, {fill: call, with: values} (sent twice at once), {tick: name},
// {turn: hash}, {choose: text} or {drop: text} of a file; without steps it presses the last button twice by the keyboard. From then on the answers of `then` hold.
// Prints what the page shows and has asked for.
"use strict";
const { script, answers, events, hash, steps, then } = JSON.parse(require("fs").readFileSync(0, "utf8"));

class Node {
  constructor(tag) { Object.assign(this, { tag, children: [], text: "", className: "", listeners: {}, dataset: {}, attributes: {}, parent: null }); }
  get textContent() { return this.text + this.children.map((c) => (typeof c === "string" ? c : c.textContent)).join(" "); }
  set textContent(text) { this.text = String(text); this.children = []; }
  get lastChild() { return this.children.at(-1); }
  get value() { return this.given ?? (this.tag === "select" ? this.option : this.attributes.value || ""); }
  set value(value) { this.given = value; }
  get option() { const options = this.all("option"); return (options.find((o) => "selected" in o.attributes) || options[0]).attributes.value; }
  get checked() { return this.ticked ?? "checked" in this.attributes; }
  set checked(on) { this.ticked = on; }
  own(nodes) { for (const node of nodes) if (typeof node !== "string") node.parent = this; return nodes; }
  append(...nodes) { this.children.push(...this.own(nodes)); }
  prepend(...nodes) { this.children.unshift(...this.own(nodes)); }
  remove() { this.parent.children.splice(this.parent.children.indexOf(this), 1); this.parent = null; }
  replaceWith(node) { this.parent.children.splice(this.parent.children.indexOf(this), 1, ...this.parent.own([node])); this.parent = null; }
  addEventListener(name, act) { this.listeners[name] = act; }
  setAttribute(name, value) { this.attributes[name] = value; }
  getAttribute(name) { return name in this.attributes ? this.attributes[name] : null; }
  removeAttribute(name) { delete this.attributes[name]; }
  hasAttribute(name) { return name in this.attributes; }
  click() { files.push([this.attributes.download, this.attributes.href]); }
  focus() { document.activeElement = this; }
  contains(node) { return node === this || this.children.some((c) => typeof c !== "string" && c.contains(node)); }
  isEqualNode(other) { return this.markup === other.markup; }
  get markup() { return JSON.stringify([this.tag, this.text, this.className, this.dataset, this.attributes, this.children.map((c) => c.markup || c)]); }
  querySelectorAll(tag) { return this.all(tag); }
  all(tag) { return this.children.flatMap((c) => (typeof c === "string" ? [] : [...(c.tag === tag ? [c] : []), ...c.all(tag)])); }
}

const places = {};
const asked = [];
const confirmed = [];
const listeners = {};
const files = [];
let stream = null;
global.document = {
  createElement: (tag) => new Node(tag),
  getElementById: (id) => (places[id] ||= new Node(id)),
  querySelectorAll: () => [],
  documentElement: {},
  activeElement: null,
};
global.Blob = class { constructor(parts) { this.text = parts.join(""); } };
global.URL = { createObjectURL: (blob) => blob.text };
let address = hash;
global.location = {
  get hash() { return address; },
  set hash(next) {
    const moved = `#${next}`.replace("##", "#") !== (address || "#");
    address = `#${next}`.replace("##", "#");
    if (moved) setImmediate(() => listeners.hashchange());
  },
};
global.window = { addEventListener: (name, act) => (listeners[name] = act), scrollTo: () => {} };
global.fetch = async (path, options = {}) => {
  asked.push([options.method || "GET", path, options.body ? JSON.parse(options.body) : null]);
  const answer = answers[path] || { status: 404, body: { error: "nothing there" } };
  return { ok: answer.status === 200, status: answer.status, json: async () => answer.body };
};
global.EventSource = class { constructor() { stream = this; } addEventListener(_, act) { this.tell = act; } };
const later = [];
let kept = 0;
global.setTimeout = (act) => later.push(act);
global.clearTimeout = () => {};
global.confirm = (text) => confirmed.push(text);

const settle = async () => { for (let i = 0; i < 60; i += 1) await new Promise((done) => setImmediate(done)); };
const buttons = () => (places.mandates ? places.mandates.all("button") : []);

function labelled(form, name) {
  return ["input", "select", "textarea"].flatMap((tag) => form.all(tag)).find((one) => one.attributes.name === name);
}

const fileOf = (text) => ({ slice: (from, to) => ({ text: async () => text.slice(from, to) }) });

async function take(step) {
  if ("choose" in step) {
    const input = places.mandates.all("input").find((one) => one.attributes.type === "file");
    input.listeners.change({ target: { files: [fileOf(step.choose)] } });
  } else if ("drop" in step) {
    const event = { dataTransfer: { types: ["Files"], files: [fileOf(step.drop)] }, preventDefault: () => (kept += 1) };
    listeners.dragover(event);
    listeners.drop(event);
  } else if ("turn" in step) {
    location.hash = step.turn;
  } else if ("tick" in step) {
    const input = places.mandates.all("input").find((one) => one.attributes["aria-label"] === step.tick);
    input.checked = true;
    input.listeners.change();
  } else if ("fill" in step) {
    const forms = places.mandates.all("form").filter((one) => JSON.parse(one.dataset.does)[0] === step.fill);
    const form = forms.at(step.last ? -1 : 0);
    for (const [name, value] of Object.entries(step.with)) labelled(form, name)[typeof value === "boolean" ? "checked" : "value"] = value;
    await Promise.all([1, 2].map(() => form.listeners.submit({ preventDefault: () => {} })));
  } else {
    await buttons().find((one) => one.textContent === step.press).listeners.click();
  }
  await settle();
}

async function pressLast() {
  const last = buttons().at(-1);
  if (!last) return;
  last.focus();
  await Promise.all([last.listeners.click(), last.listeners.click()]);
}

(async () => {
  (0, eval)(script);
  await settle();
  for (const event of events) if (stream) stream.tell({ data: JSON.stringify(event) });
  Object.assign(answers, then);
  if (steps) for (const step of steps) await take(step);
  else await pressLast();
  await settle();
  const stays = document.activeElement;
  await Promise.all(later.splice(0).map((act) => act()));
  await settle();
  const focus = { tag: stays ? stays.tag : "", text: stays ? stays.textContent : "", stays: stays === document.activeElement };
  const shown = Object.fromEntries(Object.entries(places).map(([id, node]) => [id, node.textContent]));
  const main = places.mandates || new Node("main");
  const inputs = ["input", "select", "textarea"].flatMap((tag) => main.all(tag));
  const labels = main.all("label").flatMap((one) => ["input", "select"].flatMap((tag) => one.all(tag)));
  const mute = inputs.filter((one) => !labels.includes(one) && !one.attributes["aria-label"]).length;
  const links = main.all("a").map((one) => one.attributes.href);
  const bars = main.all("progress").map((one) => [one.attributes.value, one.attributes.max]);
  const off = main.all("fieldset").filter((one) => "disabled" in one.attributes).map((one) => one.all("legend")[0].textContent);
  const called = buttons().map((one) => one.attributes["aria-label"] || one.textContent);
  const headings = main.all("article").flatMap((one) => ["h2", "h3"].flatMap((tag) => one.all(tag).map(() => tag))).slice(0, 2);
  console.log(JSON.stringify({ title: document.title, shown, asked, confirmed, files, focus, mute, called, headings, links, bars, off, kept, tags: [...new Set(main.all("b").map((n) => n.tag))] }));
})();
