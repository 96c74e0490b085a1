"use strict";
// What every view is made of: words, elements, tables, forms, and the calls that buttons make.
// Everything that comes from outside (file names, devices' names) is set as text, never as HTML.

const REGIONS = { en: "en-GB", fr: "fr-CH", de: "de-CH", it: "it-CH" };
const LEARNT_MS = 30000;
let words = { language: "en", problems: {}, signs: {}, news: [], checks: {}, texts: {}, names: {}, tasks: {}, counts: {}, events: {} };
let status = { mandates: [] };
// What the daemon answered to what a person asked for: a check, a run, an invitation. By what it is about.
const answers = new Map();
// Whether what was told last outlives the next change of the view.
let staying = false;
// What was read of the daemon a moment ago: a view that is only looked at does not ask for it again and again.
const learnt = new Map();
// What buttons and forms have asked for and wait for; they keep quiet meanwhile, also where they are made anew.
const underWay = new Set();

function element(tag, text = "", name = "", children = []) {
  const made = document.createElement(tag);
  if (text !== "") made.textContent = text;
  if (name) made.className = name;
  made.append(...children);
  return made;
}

// -- words --------------------------------------------------------------------------------------------

function filled(text, facts) {
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in facts ? facts[name] : whole));
}

function say(name, facts = {}) {
  return filled(words.texts[name] || name, facts);
}

// What the daemon calls something, in words; a newer daemon may say what this page does not know.
function inWords(kind, name) {
  return (words.names[kind] || {})[name] || name || "";
}

function count(what, n) {
  const one = words.language === "fr" ? n < 2 : n === 1;
  const forms = words.counts[what] || [what, what];
  return filled(forms[one ? 0 : 1], { n: n.toLocaleString(region()) });
}

function size(bytes) {
  if (bytes < 1000) return count("bytes", bytes);
  const units = ["kB", "MB", "GB", "TB"];
  let unit = -1;
  for (; bytes >= 1000 && unit < units.length - 1; unit += 1) bytes /= 1000;
  const digits = bytes < 10 ? 1 : 0;
  return `${bytes.toLocaleString(region(), { minimumFractionDigits: digits, maximumFractionDigits: digits })} ${units[unit]}`;
}

function moment(text) {
  if (!text) return "–";
  const when = new Date(text);
  const today = when.toDateString() === new Date().toDateString();
  return when.toLocaleString(region(), today ? { timeStyle: "short" } : { dateStyle: "medium", timeStyle: "short" });
}

function day(text) {
  return new Date(text + "T12:00:00").toLocaleDateString(region(), { dateStyle: "medium" });
}

// Days and numbers are written as in Switzerland; in English as in Europe.
function region() {
  return REGIONS[words.language];
}

// -- what the daemon is asked -------------------------------------------------------------------------

async function ask(path, options = {}) {
  const response = await fetch(path, { ...options, credentials: "same-origin" });
  const answer = await response.json();
  if (!response.ok) throw Object.assign(new Error(answer.error), { status: response.status });
  return answer;
}

function act(name, given) {
  const body = JSON.stringify(given);
  return ask("/api/" + name, { method: "POST", headers: { "Content-Type": "application/json" }, body });
}

// To another view, where what came of this is still read.
function goTo(hash) {
  staying = location.hash.slice(1) !== hash;
  location.hash = hash;
}

function learn(name, given) {
  const key = JSON.stringify([name, given]);
  const before = learnt.get(key);
  if (before && Date.now() - before.at < LEARNT_MS) return before.answer;
  const answer = act(name, given);
  learnt.set(key, { at: Date.now(), answer });
  answer.catch(() => learnt.delete(key));
  return answer;
}

// What came of what somebody did, or why nothing did; read aloud.
function tell(text, look = "") {
  const notice = document.getElementById("notice");
  notice.textContent = text;
  notice.className = look;
  notice.hidden = !text;
}

// Ask for what a button or a form is known by. A call that lost its daemon is told as such.
async function perform(does, send, then) {
  if (underWay.has(does)) return;
  underWay.add(does);
  tell("");
  try {
    const said = then(await send());
    if (said) tell(said, "good");
  } catch (error) {
    tell(error.status ? error.message : say("off-line"), "bad");
  }
  underWay.delete(does);
  learnt.clear();
  refresh();
}

// -- what a person can press --------------------------------------------------------------------------

// What a button does is also what it is known by: it keeps the focus when the page is made anew. Disabling it would
// take the focus from who works by keyboard. `sure` is asked before, `then` gets the answer.
function button(text, name, given, { sure = "", then = () => "", send = act } = {}) {
  const made = element("button", text);
  made.type = "button";
  made.dataset.does = JSON.stringify([name, given]);
  if (underWay.has(made.dataset.does)) made.setAttribute("aria-disabled", "true");
  made.addEventListener("click", async () => {
    if (made.hasAttribute("aria-disabled") || (sure && !confirm(sure))) return;
    made.setAttribute("aria-disabled", "true");
    await perform(made.dataset.does, () => send(name, given), then);
  });
  return made;
}

function link(text, ...path) {
  const made = element("a", text);
  made.setAttribute("href", "#" + path.map(encodeURIComponent).join("/"));
  return made;
}

// Its label is part of it. What is set as an attribute is what it holds at first: a form stays as it is while a person
// fills it in, until something else is to stand in it.
function field(label, name, { type = "text", value = "", hint = "", must = false } = {}) {
  const input = element("input");
  input.setAttribute("name", name);
  input.setAttribute("type", type);
  if (value && type === "checkbox") input.setAttribute("checked", "");
  if (value && type !== "checkbox") input.setAttribute("value", value);
  if (must) input.setAttribute("required", "");
  const parts = type === "checkbox" ? [input, element("span", label)] : [element("span", label), input];
  if (hint) parts.push(element("small", hint));
  return element("label", "", type === "checkbox" ? "tick" : "field", parts);
}

// Up to which day the books are complete, and a word to the others.
function untilFields(until = "") {
  return [field(say("until-day"), "until", { type: "date", value: until, must: true }), field(say("note"), "note", { hint: say("note-hint") })];
}

// Who works at this PC, told with the first word that the other PCs of a mandate hear of it.
function ownPerson() {
  return field(say("own-person"), "person", { hint: say("own-person-hint") });
}

function choice(label, name, options, chosen = "", hint = "") {
  const select = element("select");
  select.setAttribute("name", name);
  for (const [value, text] of options) {
    const option = element("option", text);
    option.setAttribute("value", value);
    if (value === chosen) option.setAttribute("selected", "");
    select.append(option);
  }
  return element("label", "", "field", [element("span", label), select, ...(hint ? [element("small", hint)] : [])]);
}

// `read` makes of the values what is asked for; `then` gets the answer. `off` is why it cannot be used here.
function form(name, given, fields, text, { read = (values) => values, sure = "", then = () => "", send = act, off = "" } = {}) {
  const submit = element("button", text);
  submit.setAttribute("type", "submit");
  const made = element("form", "", "", off ? [disabled([...fields, submit], off)] : [...fields, submit]);
  made.dataset.does = submit.dataset.does = JSON.stringify([name, given]);
  made.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (sure && !confirm(sure)) return;
    const wanted = { ...given, ...read(valuesOf(made)) };
    await perform(made.dataset.does, () => send(name, wanted), then);
  });
  return made;
}

// All that a browser disables together, with the reason as its name.
function disabled(children, why) {
  const made = element("fieldset", "", "", [element("legend", why, "warn"), ...children]);
  made.setAttribute("disabled", "");
  return made;
}

function valuesOf(made) {
  const inputs = [...made.querySelectorAll("input"), ...made.querySelectorAll("select"), ...made.querySelectorAll("textarea")];
  return Object.fromEntries(inputs.map((one) => [one.getAttribute("name"), one.getAttribute("type") === "checkbox" ? one.checked : one.value.trim()]));
}

// What was left out is for the daemon to choose.
function stated(values) {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== ""));
}

// -- how things are laid out --------------------------------------------------------------------------

// Cells are texts or elements. What is too wide is moved sideways, by keyboard too.
function table(titles, rows, name = "") {
  const head = element("tr", "", "", titles.map(column));
  const lines = rows.map((cells) => element("tr", "", "", cells.map((one, at) => cell(one, titles[at]))));
  lines.forEach((line) => labelled(line, line.children[0].textContent));
  const around = element("div", "", "scroll", [element("table", "", name, [element("thead", "", "", [head]), element("tbody", "", "", lines)])]);
  return around;
}

// Several buttons say the same: who hears one alone is told what it is about.
function labelled(made, what) {
  for (const one of made.querySelectorAll("button")) {
    if (!one.hasAttribute("aria-label")) one.setAttribute("aria-label", `${one.textContent}: ${what}`);
  }
  return made;
}

// A column of buttons has no title.
function column(text) {
  const made = element(text ? "th" : "td", text);
  if (text) made.setAttribute("scope", "col");
  return made;
}

// Where there is no room for columns, each cell stands below the other with its title beside it.
function cell(one, title) {
  const made = typeof one === "string" ? element("td", one) : element("td", "", "", [one]);
  made.dataset.title = title;
  return made;
}

// Below the name of a mandate, or at the head of a view without one.
function section(title, children) {
  return element("article", "", "", [element(place()[0] === "m" ? "h3" : "h2", title), ...children]);
}

function quiet(text) {
  return element("p", text, "quiet");
}

function list(several) {
  return element("ul", "", "", several.map((one) => (typeof one === "string" ? element("li", one) : element("li", "", "", [one]))));
}

function problem(mandate, one) {
  const known = words.problems[one.code] || { sentence: "{path}: " + one.code, remedy: "{detail}" };
  const facts = { path: one.path || say("whole-folder"), detail: one.detail || "?" };
  Object.assign(facts, { mandate: `"${mandate.name}"`, device: (one.device || "?").split("-")[0] });
  const [sentence, remedy] = [filled(known.sentence, facts), filled(known.remedy, facts)];
  return element("li", "", "", [element("span", sentence), element("br"), element("small", remedy)]);
}

// Something that is done on this page alone.
function plain(text, does) {
  const made = element("button", text);
  made.type = "button";
  made.dataset.does = text;
  made.addEventListener("click", does);
  return made;
}

function saveFile(name, text) {
  const way = element("a");
  way.setAttribute("href", URL.createObjectURL(new Blob([text])));
  way.setAttribute("download", name);
  way.click();
}
