"use strict";
// The page itself: which view is shown, when it is made anew, and what happens meanwhile.

const EVENTS_SHOWN = 12;
const LOOK_ANEW_MS = 5000;
const GATHER_MS = 250;
const VIEWS = { "": allMandates, overview, history: allRuns, pc: thisPc, new: howToBegin, m: ofMandate };
const PARTS = { files: filesOf, devices: devicesOf, rules: rulesOf, books: booksOf, accounts: accountsOf, exchange: exchangeOf, verify: verifyOf, log: logOf, settings: settingsOf };
let due = 0;
let turn = 0;
const happened = [];

// -- views --------------------------------------------------------------------------------------------

function place() {
  return location.hash.slice(1).split("/").map(decodeURIComponent);
}

async function ofMandate(id, part, ...rest) {
  const mandate = status.mandates.find((one) => one.id === id);
  if (!mandate) return [quiet(say("no-such-mandate"))];
  if (!PARTS[part]) return [await card(mandate)];
  const head = labelled(element("article", "", "", [heading(mandate), ways(mandate, part)]), mandate.name);
  return [head, ...(await PARTS[part](mandate, ...rest).catch(unseen))];
}

// What cannot be shown says why: a folder that is not there, a chart that cannot be read.
function unseen(error) {
  if (!error.status) throw error;
  return [section(say("not-shown"), [element("p", error.message, "bad")])];
}

// Tabs and histories of browsers name a page by this.
function titleOf(name, id, part) {
  const mandate = name === "m" && status.mandates.find((one) => one.id === id);
  const parts = mandate ? [mandate.name, inWords("views", part)] : [inWords("places", name)];
  return [...parts, "p2psync"].filter(Boolean).join(" – ");
}

function showWays() {
  const [here] = place();
  for (const made of document.querySelectorAll("#places a")) {
    if (made.getAttribute("href") === "#" + here) made.setAttribute("aria-current", "page");
    else made.removeAttribute("aria-current");
  }
}

// What is shown already stays: the focus, and what is being filled in, would begin anew.
function show(sections) {
  const main = document.getElementById("mandates");
  const held = main.contains(document.activeElement) ? doneBy(document.activeElement) : undefined;
  const before = [...main.children];
  reachable(main, false);
  sections.forEach((one, at) => {
    if (!before[at]) main.append(one);
    else if (!before[at].isEqualNode(one)) before[at].replaceWith(one);
  });
  before.slice(sections.length).forEach((one) => one.remove());
  reachable(main, true);
  if (held === undefined || main.contains(document.activeElement)) return;
  const again = [...main.querySelectorAll("button")].find((one) => one.dataset.does === held);
  (again || main).focus();
}

// What a button asks for, or the form that a field is part of.
function doneBy(one) {
  return one.dataset.does || (one.form ? one.form.dataset.does : undefined);
}

// What is too wide for its place is moved sideways by the keyboard, too; all else is no stop on the way.
function reachable(main, on) {
  for (const one of main.querySelectorAll(".scroll")) {
    if (!on) ["tabindex", "role", "aria-label"].forEach((name) => one.removeAttribute(name));
    if (!on || one.scrollWidth <= one.clientWidth) continue;
    const title = one.closest("article").querySelector("h2, h3");
    one.setAttribute("tabindex", "0");
    one.setAttribute("role", "group");
    one.setAttribute("aria-label", title ? title.textContent : "");
  }
}

async function refresh() {
  clearTimeout(due);
  due = setTimeout(refresh, LOOK_ANEW_MS);
  turn += 1;
  const mine = turn;
  const connection = document.getElementById("connection");
  try {
    status = await ask("/api/status");
    document.getElementById("device").textContent = `${status.device.name} · ${status.device.version}`;
    tellEvents();
    const [name, ...rest] = place();
    document.title = titleOf(name, ...rest);
    const sections = await (VIEWS[name] || allMandates)(...rest).catch(unseen);
    if (mine === turn) show(sections);
    connection.textContent = "";
  } catch (error) {
    connection.textContent = error.status ? error.message : say("off-line");
    connection.className = "bad";
  }
}

// Another view begins at its top, and says no longer what went before, unless it is where that led to.
function turnTo() {
  if (!staying) tell("");
  staying = false;
  learnt.clear();
  showWays();
  document.getElementById("mandates").focus();
  window.scrollTo(0, 0);
  refresh();
}

// -- what happens -------------------------------------------------------------------------------------

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

// Told once the status is known that came of it: who was let in a moment ago has a name then.
function tellEvents() {
  for (const { event, ...facts } of happened.splice(0)) tellEvent(event, facts);
}

function tellEvent(event, facts) {
  const text = words.events[event];
  if (!text) return;
  const list = document.getElementById("happened");
  list.prepend(element("li", `${new Date().toLocaleTimeString(region())}  ${filled(text, named(facts))}`));
  while (list.children.length > EVENTS_SHOWN) list.lastChild.remove();
  document.getElementById("lately").hidden = false;
}

function listen() {
  const source = new EventSource("/api/events");
  source.addEventListener("message", (message) => {
    happened.push(JSON.parse(message.data));
    learnt.clear();
    clearTimeout(due);
    due = setTimeout(refresh, GATHER_MS);
  });
}

async function begin() {
  const told = await ask("/api/words").catch(() => null);
  if (told) words = told;
  window.addEventListener("hashchange", turnTo);
  awaitFiles();
  showWays();
  await refresh();
  if (location.hash === "#join") await takeHanded();
  if (told) listen();
}

begin();
