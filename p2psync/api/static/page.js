"use strict";
// Everything that comes from outside (file names, devices' names) is set as text, never as HTML.

const EVENTS_SHOWN = 12;
const LOOK_ANEW_MS = 5000;
const GATHER_MS = 250;
const SOON_MS = 60000;
const LOOKS = { waiting: "warn", done: "good", partial: "warn", failed: "bad" };
let words = { language: "en", problems: {}, news: [], checks: {}, texts: {}, tasks: {}, counts: {}, events: {} };
let status = { mandates: [] };
let due = 0;

function element(tag, text = "", name = "", children = []) {
  const made = document.createElement(tag);
  if (text !== "") made.textContent = text;
  if (name) made.className = name;
  made.append(...children);
  return made;
}

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

// What a button does is also what it is known by: it keeps the focus when the page is made anew. Disabling it would
// take the focus from who works by keyboard.
function button(text, name, given) {
  const made = element("button", text);
  made.type = "button";
  made.dataset.does = JSON.stringify([name, given]);
  made.addEventListener("click", async () => {
    if (made.hasAttribute("aria-disabled")) return;
    made.setAttribute("aria-disabled", "true");
    await act(name, given).catch((error) => alert(error.message));
    refresh();
  });
  return made;
}

// -- words --------------------------------------------------------------------------------------------

function filled(text, facts) {
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in facts ? facts[name] : whole));
}

function say(name, facts = {}) {
  return filled(words.texts[name] || name, facts);
}

function count(what, n) {
  const one = words.language === "fr" ? n < 2 : n === 1;
  const forms = words.counts[what] || [what, what];
  return filled(forms[one ? 0 : 1], { n: n.toLocaleString(words.language) });
}

function size(bytes) {
  if (bytes < 1000) return count("bytes", bytes);
  const units = ["kB", "MB", "GB", "TB"];
  let unit = -1;
  for (; bytes >= 1000 && unit < units.length - 1; unit += 1) bytes /= 1000;
  const digits = bytes < 10 ? 1 : 0;
  return `${bytes.toLocaleString(words.language, { minimumFractionDigits: digits, maximumFractionDigits: digits })} ${units[unit]}`;
}

function moment(text) {
  const when = new Date(text);
  const today = when.toDateString() === new Date().toDateString();
  return today ? when.toLocaleTimeString(words.language) : when.toLocaleString(words.language);
}

// -- a mandate ----------------------------------------------------------------------------------------

function state(mandate) {
  const connected = mandate.peers.filter((peer) => peer.connected);
  const sending = Math.max(0, ...connected.map((peer) => peer.behind_files || 0));
  const coming = mandate.to_receive;
  if (mandate.state === "local") return [say("local"), "quiet"];
  if (mandate.health === "action") return [say("action"), "bad"];
  if (mandate.rests) return [resting(mandate.rests), "quiet"];
  if (mandate.peers.length && !connected.length) return [say("alone", { devices: absent(mandate.peers) }), "warn"];
  if (coming.files) return [say("receiving", { files: count("files", coming.files), size: size(coming.bytes) }), "warn"];
  if (sending) return [say("sending", { files: count("files", sending) }), "warn"];
  return mandate.in_sync ? [say("in-sync"), "good"] : [say("working"), "warn"];
}

function resting(rest) {
  if (!rest.until) return say("paused");
  const when = { time: moment(rest.until) };
  return rest.why === "person" ? say("paused-until", when) : say("rests-until", when);
}

function absent(several) {
  if (several.length > 3) return count("devices", several.length);
  return several
    .map((peer) => (peer.last_seen ? say("absent", { device: peer.name, seen: moment(peer.last_seen) }) : peer.name))
    .join("; ");
}

function peerRow(peer) {
  const when = { time: peer.last_seen ? moment(peer.last_seen) : "" };
  const off = peer.behind_files ? say("awaited", when) : say("off", when);
  const seen = peer.last_seen ? off : say("never");
  const way = peer.connected ? say("connected", { way: say(peer.path) }) : seen;
  const behind = peer.behind_files ? say("behind", { files: count("files", peer.behind_files) }) : "";
  const cells = [peer.name, peer.role, way, behind].map((text) => element("td", text));
  cells[0].title = peer.device;
  cells[2].className = peer.connected ? "good" : "quiet";
  return element("tr", "", "", cells);
}

function peers(mandate) {
  if (!mandate.peers.length) return [];
  const titles = [say("pc"), say("role"), say("connection"), ""];
  const head = element("tr", "", "", titles.map((text) => element("th", text)));
  return [element("div", "", "scroll", [element("table", "", "", [head, ...mandate.peers.map(peerRow)])])];
}

function problem(mandate, one) {
  const known = words.problems[one.code] || { sentence: "{path}: " + one.code, remedy: "{detail}" };
  const facts = { path: one.path || say("whole-folder"), detail: one.detail || "?" };
  Object.assign(facts, { mandate: `"${mandate.name}"`, device: (one.device || "?").split("-")[0] });
  const [sentence, remedy] = [filled(known.sentence, facts), filled(known.remedy, facts)];
  return element("li", "", "", [element("span", sentence), element("br"), element("small", remedy)]);
}

function problems(mandate, title, several) {
  if (!several.length) return [];
  return [element("h3", title), element("ul", "", "", several.map((one) => problem(mandate, one)))];
}

function wrong(mandate) {
  return problems(mandate, say("problems"), mandate.problem_list.filter((one) => !words.news.includes(one.code)));
}

function news(mandate) {
  const several = mandate.problem_list.filter((one) => words.news.includes(one.code));
  const done = several.length ? [button(say("seen"), "seen", { mandate: mandate.id })] : [];
  return [...problems(mandate, say("news"), several), ...done];
}

function version(mandate, conflict, one, text) {
  const what = one.content ? size(one.size) : say("removed");
  const facts = { name: one.name || one.device.split("-")[0], time: moment(one.time), size: what };
  const item = element("li", say(text, facts) + " ");
  item.append(button(say("keep"), "conflicts/keep", { mandate: mandate.id, path: conflict.path, keep: one.id }));
  return item;
}

function conflict(mandate, one) {
  const losers = one.losers.map((loser) => version(mandate, one, loser, "aside"));
  return element("li", one.path, "", [element("ul", "", "", [version(mandate, one, one.winner, "stands"), ...losers])]);
}

async function conflicts(mandate) {
  if (!mandate.conflicts) return [];
  const open = await act("conflicts", { mandate: mandate.id });
  const list = element("ul", "", "", open.map((one) => conflict(mandate, one)));
  return [element("h3", say("conflicts")), list];
}

function waiting(mandate, row) {
  const counts = { new: row.new, changed: row.changed, removed: row.removed, period: row.period || "" };
  const text = row.new === null ? say("uncounted", { reason: row.message }) : say("counted", counts);
  const item = element("li", `${row.file}  ${text} `);
  if (mandate.role !== "accounting" || row.new === null) return item;
  const given = { mandate: mandate.id, file: row.file };
  if (row.content) given.content = row.content;
  item.append(button(say("mark-posted"), "posted", given));
  return item;
}

async function banner(mandate) {
  if (!mandate.pending && !mandate.pending_files) return [];
  const rows = (await act("pending", { mandate: mandate.id })).filter((row) => row.file);
  const title = element("strong", mandate.pending ? count("bookings", mandate.pending) : say("look"));
  const list = element("ul", "", "", rows.map((row) => waiting(mandate, row)));
  return [element("section", "", "banner", [title, list])];
}

// What a program has open is delivered by itself once that is closed.
function undelivered(mandate, row) {
  const item = element("li", `${row.path}  ${row.reason} `);
  const held = row.state === "held";
  if (row.state === "open") return item;
  item.append(button(held ? say("deliver-anyway") : say("deliver"), "deliver", { mandate: mandate.id, file: row.file, anyway: held }));
  return item;
}

async function inbox(mandate) {
  if (!mandate.inbox) return [];
  const rows = await act("inbox", { mandate: mandate.id });
  if (!rows.length) return [];
  return [element("h3", say("inbox")), element("ul", "", "", rows.map((row) => undelivered(mandate, row)))];
}

function pausing(mandate) {
  if (mandate.rests && mandate.rests.why !== "person") return [];
  const given = { mandate: mandate.id };
  return [mandate.rests ? button(say("resume"), "resume", given) : button(say("pause"), "pause", given)];
}

function books(mandate) {
  const lines = mandate.current_until ? [say("complete-until", { day: mandate.current_until })] : [];
  if (mandate.current_note) lines.push(say("accounting-says", { note: mandate.current_note }));
  if ((mandate.frozen || []).length) lines.push(say("frozen", { periods: mandate.frozen.join(", ") }));
  if (mandate.checks && mandate.checks.length) lines.push(say("checked-for", { what: mandate.checks.map((one) => words.checks[one] || one).join(", ") }));
  if (mandate.checks && !mandate.checks.length) lines.push(say("unchecked"));
  return lines.map((line) => element("p", line, "quiet"));
}

// A sign of its own for what is only here and for what is shared; who cannot see it hears its name.
function kind(mandate) {
  const local = mandate.state === "local";
  const sign = element("span", local ? "○" : "⇄", "kind");
  sign.title = local ? say("is-local") : count("shared", mandate.peers.length + 1);
  sign.setAttribute("role", "img");
  sign.setAttribute("aria-label", sign.title);
  return sign;
}

function newcomers(mandate) {
  const asked = (mandate.actions || []).find((one) => one.what === "newcomers");
  return asked ? [element("p", `${count("newcomers", asked.count)} p2psync devices "${mandate.name}"`, "warn")] : [];
}

function next(one) {
  if (!one.next_attempt) return one.state === "waiting" ? say("when-there") : "";
  return new Date(one.next_attempt) - Date.now() <= SOON_MS ? say("soon") : moment(one.next_attempt);
}

function taskRow(what, state, look, when) {
  return element("tr", "", "", [element("td", what), element("td", state, look), element("td", when)]);
}

// A newer daemon may name a kind or a state that this page does not know.
function ofTasks(what, name) {
  return (words.tasks[what] || {})[name] || name || "";
}

function task(one) {
  const why = ofTasks("triggers", one.trigger) + (one.full ? say("full") : "");
  const what = filled(ofTasks("kinds", one.task), { why, files: count("files", one.files || 0), device: one.device });
  const text = filled(ofTasks("states", one.state), { devices: one.waiting_for.join(", ") });
  const state = one.time ? `${text}, ${moment(one.time)}` : text;
  return taskRow(what, one.message ? `${state}: ${one.message}` : state, LOOKS[one.state], next(one));
}

function taskTable(rows) {
  if (!rows.length) return [];
  const head = element("tr", "", "", [say("task"), say("state"), say("next")].map((text) => element("th", text)));
  return [element("h3", say("monitoring")), element("div", "", "scroll", [element("table", "", "", [head, ...rows])])];
}

function tasks(mandate) {
  return taskTable((mandate.tasks || []).map(task));
}

function hosts(several) {
  const absent = several.filter((host) => !host.connected);
  const rows = absent.map((host) => taskRow(say("host", { url: host.url }), host.problem || say("host-off"), "warn", next(host)));
  return rows.length ? [element("article", "", "", taskTable(rows))] : [];
}

async function card(mandate) {
  const [text, look] = state(mandate);
  const title = element("header", "", "", [kind(mandate), element("h2", mandate.name), element("small", mandate.role), element("span", text, `state ${look}`), ...pausing(mandate)]);
  const held = say("holds", { files: count("files", mandate.files), size: size(mandate.bytes) });
  const folder = element("p", mandate.folder || "", "path");
  const below = [...(await banner(mandate)), folder, element("p", held, "quiet"), ...books(mandate), ...newcomers(mandate), ...peers(mandate), ...tasks(mandate), ...(await inbox(mandate)), ...(await conflicts(mandate)), ...wrong(mandate), ...news(mandate)];
  return element("article", "", "", [title, ...below]);
}

// -- the page -----------------------------------------------------------------------------------------

// What is shown already stays: reading aloud and the focus would begin anew.
function show(cards) {
  const main = document.getElementById("mandates");
  const before = [...main.children];
  if (before.length === cards.length && before.every((one, place) => one.isEqualNode(cards[place]))) return;
  const held = main.contains(document.activeElement) ? document.activeElement.dataset.does : undefined;
  main.replaceChildren(...cards);
  if (held === undefined) return;
  const again = [...main.querySelectorAll("button")].find((one) => one.dataset.does === held);
  (again || main).focus();
}

async function refresh() {
  clearTimeout(due);
  due = setTimeout(refresh, LOOK_ANEW_MS);
  const connection = document.getElementById("connection");
  try {
    status = await ask("/api/status");
    document.getElementById("device").textContent = `${status.device.name} · ${status.device.version}`;
    const cards = await Promise.all(status.mandates.map(card));
    const none = element("p", say("no-mandate"), "quiet");
    show([...(cards.length ? cards : [none]), ...hosts(status.rendezvous || [])]);
    connection.textContent = "";
  } catch (error) {
    connection.textContent = error.status ? error.message : say("off-line");
    connection.className = "bad";
  }
}

// Events name devices by the first digits of their keys, in hexadecimal; the status in base 32.
function beginning(device) {
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  const bits = [...device.split("-")[0]].map((one) => letters.indexOf(one).toString(2).padStart(5, "0")).join("");
  return parseInt(bits.slice(0, 32), 2).toString(16).padStart(8, "0");
}

function named(facts) {
  const mandate = status.mandates.find((one) => facts.mandate && one.id.startsWith(facts.mandate));
  const several = mandate ? mandate.peers : [];
  const peer = several.find((one) => facts.device && facts.device.startsWith(beginning(one.device)));
  const names = { mandate: mandate ? mandate.name : facts.mandate, device: peer ? peer.name : facts.device };
  return { ...facts, ...names };
}

function happened(event, facts) {
  const text = words.events[event];
  if (!text) return;
  const list = document.getElementById("happened");
  list.prepend(element("li", `${new Date().toLocaleTimeString(words.language)}  ${filled(text, named(facts))}`));
  while (list.children.length > EVENTS_SHOWN) list.lastChild.remove();
  document.getElementById("lately").hidden = false;
}

function listen() {
  const source = new EventSource("/api/events");
  source.addEventListener("message", (message) => {
    const { event, ...facts } = JSON.parse(message.data);
    happened(event, facts);
    clearTimeout(due);
    due = setTimeout(refresh, GATHER_MS);
  });
}

async function begin() {
  const told = await ask("/api/words").catch(() => null);
  if (told) words = told;
  await refresh();
  if (told) listen();
}

begin();
