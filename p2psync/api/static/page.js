"use strict";
// Everything that comes from outside (file names, devices' names) is set as text, never as HTML.

const EVENTS_SHOWN = 12;
const LOOK_ANEW_MS = 5000;
const GATHER_MS = 250;
let words = {};
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

function size(bytes) {
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  let unit = 0;
  for (; bytes >= 1000 && unit < units.length - 1; unit += 1) bytes /= 1000;
  return `${bytes < 10 && unit ? bytes.toFixed(1) : Math.round(bytes)} ${units[unit]}`;
}

function moment(text) {
  if (!text) return "never";
  const when = new Date(text);
  const today = when.toDateString() === new Date().toDateString();
  return today ? when.toLocaleTimeString() : when.toLocaleString();
}

function state(mandate) {
  if (mandate.state === "local") return ["only on this PC until it is shared", "quiet"];
  if (mandate.health === "action") return ["needs you", "bad"];
  const connected = mandate.peers.filter((peer) => peer.connected).length;
  if (mandate.to_receive.files) return [`receiving ${mandate.to_receive.files} files (${size(mandate.to_receive.bytes)})`, "warn"];
  if (mandate.to_send.files) return [`sending, ${mandate.to_send.files} files left`, "warn"];
  if (mandate.peers.length && !connected) return ["no other PC is connected", "warn"];
  return mandate.in_sync ? ["all the same everywhere", "good"] : ["working", "warn"];
}

function peerRow(peer) {
  const way = peer.connected ? `connected (${peer.path})` : `not connected, last seen ${moment(peer.last_seen)}`;
  const behind = peer.connected && peer.behind_files ? `${peer.behind_files} files behind` : "";
  const cells = [peer.name, peer.role, way, behind].map((text) => element("td", text));
  cells[0].title = peer.device;
  cells[2].className = peer.connected ? "good" : "quiet";
  return element("tr", "", "", cells);
}

function peers(mandate) {
  if (!mandate.peers.length) return [];
  const head = element("tr", "", "", ["PC", "role", "connection", ""].map((text) => element("th", text)));
  return [element("div", "", "scroll", [element("table", "", "", [head, ...mandate.peers.map(peerRow)])])];
}

function problem(one) {
  const known = words[one.code] || { sentence: "{path}: " + one.code, remedy: "{detail}" };
  const fill = (text) => text.replace(/\{(path|detail)\}/g, (_, name) => one[name] || (name === "path" ? "the whole folder" : "?"));
  return element("li", "", "", [element("span", fill(known.sentence)), element("br"), element("small", fill(known.remedy))]);
}

function problems(mandate) {
  if (!mandate.problem_list.length) return [];
  return [element("h3", "What is wrong, and what to do"), element("ul", "", "", mandate.problem_list.map(problem))];
}

function version(mandate, conflict, one, text) {
  const item = element("li", `${text} by ${one.name || one.device.split("-")[0]}, ${moment(one.time)} `);
  const button = element("button", "Keep this one");
  button.addEventListener("click", async () => {
    button.disabled = true;
    await act("conflicts/keep", { mandate: mandate.id, path: conflict.path, keep: one.id }).catch((error) => alert(error.message));
    refresh();
  });
  item.append(button);
  return item;
}

function conflict(mandate, one) {
  const versions = [version(mandate, one, one.winner, "stands now:"), ...one.losers.map((loser) => version(mandate, one, loser, "kept aside:"))];
  return element("li", one.path, "", [element("ul", "", "", versions)]);
}

async function conflicts(mandate) {
  if (!mandate.conflicts) return [];
  const open = await act("conflicts", { mandate: mandate.id });
  const list = element("ul", "", "", open.map((one) => conflict(mandate, one)));
  return [element("h3", "Changed in two places at once: which version shall stand?"), list];
}

async function card(mandate) {
  const [text, look] = state(mandate);
  const title = element("header", "", "", [element("h2", mandate.name), element("small", mandate.role), element("span", text, `state ${look}`)]);
  const count = element("p", `${mandate.files} files, ${size(mandate.bytes)}`, "quiet");
  const folder = element("p", mandate.folder || "", "path");
  return element("article", "", "", [title, folder, count, ...peers(mandate), ...(await conflicts(mandate)), ...problems(mandate)]);
}

async function refresh() {
  clearTimeout(due);
  due = setTimeout(refresh, LOOK_ANEW_MS);
  const connection = document.getElementById("connection");
  try {
    const status = await ask("/api/status");
    document.getElementById("device").textContent = `${status.device.name} · ${status.device.version}`;
    const cards = await Promise.all(status.mandates.map(card));
    const none = element("p", "No mandate yet. Make one with: p2psync mandate create, or join one with: p2psync join", "quiet");
    document.getElementById("mandates").replaceChildren(...(cards.length ? cards : [none]));
    connection.textContent = "";
  } catch (error) {
    connection.textContent = error.status ? error.message : "p2psync is not running.";
    connection.className = "bad";
  }
}

function happened(text) {
  const list = document.getElementById("happened");
  list.prepend(element("li", `${new Date().toLocaleTimeString()}  ${text}`));
  while (list.children.length > EVENTS_SHOWN) list.lastChild.remove();
}

function listen() {
  const source = new EventSource("/api/events");
  source.addEventListener("message", (message) => {
    const { event, ...facts } = JSON.parse(message.data);
    const shown = Object.entries(facts).map(([name, value]) => `${name} ${value}`);
    if (event !== "lost") happened([event, ...shown].join(" · "));
    clearTimeout(due);
    due = setTimeout(refresh, GATHER_MS);
  });
}

async function begin() {
  await refresh();
  const told = await ask("/api/words").catch(() => null);
  if (told) {
    words = told.problems;
    document.documentElement.lang = "en";
    listen();
    refresh();
  }
}

begin();
