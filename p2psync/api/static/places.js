"use strict";
// Views of all mandates together, and of this PC: the table of everything, past runs, settings, and how to begin.

const RATE_UNIT = 1000;
const MONTHLY = "monthly ";
const CLOCK = /^\d\d:\d\d$/;
const chosen = new Set();

// -- all mandates in one table ------------------------------------------------------------------------

async function overview() {
  if (!status.mandates.length) return allMandates();
  const titles = [say("choose"), say("mandate"), say("state"), say("to-post"), say("conflicts-short"), say("problems-short"), say("last-sync"), say("your-action")];
  return [section(inWords("places", "overview"), [table(titles, status.mandates.map(overviewRow), "whole")]), section(say("with-chosen"), together())];
}

function overviewRow(mandate) {
  const tick = element("input");
  tick.setAttribute("type", "checkbox");
  tick.setAttribute("aria-label", mandate.name);
  tick.checked = chosen.has(mandate.id);
  tick.addEventListener("change", () => (tick.checked ? chosen.add(mandate.id) : chosen.delete(mandate.id)));
  const [text, look] = state(mandate);
  const number = (n) => (n ? String(n) : "–");
  return [tick, link(mandate.name, "m", mandate.id), element("span", text, look), number(mandate.pending), number(mandate.conflicts), number(mandate.problems), moment(mandate.last_sync), firstAction(mandate)];
}

function firstAction(mandate) {
  const [first, ...more] = mandate.actions || [];
  if (!first) return "–";
  const text = `${inWords("actions", first.what)} (${first.count})`;
  return link(more.length ? say("and-n-more", { action: text, n: more.length }) : text, "m", mandate.id);
}

// The same in each mandate that is ticked; what fails in one stops none of the others.
function together() {
  const sent = { send: inEach, then: (failed) => (failed.length ? failed.join(" ") : say("done-in-all")) };
  const post = button(say("mark-posted"), "posted", {}, { ...sent, sure: say("post-sure") });
  const until = form("period/current", {}, untilFields(), say("set-it"), { ...sent, read: stated });
  return [quiet(say("with-chosen-why")), element("p", "", "tools", [post]), until];
}

async function inEach(name, given) {
  const several = status.mandates.filter((one) => chosen.has(one.id));
  if (!several.length) throw Object.assign(new Error(say("none-chosen")), { status: 400 });
  const failed = [];
  for (const one of several) {
    await act(name, { ...given, mandate: one.id }).catch((error) => failed.push(`${one.name}: ${error.message}`));
  }
  return failed;
}

// -- past runs ----------------------------------------------------------------------------------------

async function allRuns() {
  const failed = answers.get("failed") === true;
  const runs = (await learn("history", { failed })).slice(0, ITEMS_SHOWN);
  const tick = plain(failed ? say("show-all") : say("show-failed"), () => answers.set("failed", !failed) && refresh());
  return [section(say("history"), [element("p", "", "tools", [tick]), runTable(runs)]), ...runShown(runs)];
}

// -- this PC ------------------------------------------------------------------------------------------

async function thisPc() {
  const [limits, plan] = await Promise.all([learn("limit", {}), learn("schedule", {})]);
  const device = status.device;
  return [
    section(inWords("places", "pc"), [quiet(say("pc-is", { name: device.name, fingerprint: device.fingerprint })), quiet(say("compare"))]),
    section(say("limit"), limiting(limits)),
    section(say("schedule"), scheduling(plan)),
    section(say("rest-all"), [quiet(say("pause-why")), element("p", "", "tools", [button(say("pause-all"), "pause", {}), button(say("resume-all"), "resume", {})])]),
    section(say("doctor"), [quiet(say("doctor-why")), button(say("doctor-now"), "doctor", {}, { then: (found) => void answers.set("doctor", found) }), ...diagnosis()]),
  ];
}

function limiting(limits) {
  const rate = (text) => (text ? `${text}K` : "off");
  const kilo = (bytes) => (bytes ? String(bytes / RATE_UNIT) : "");
  const fields = [
    field(say("up"), "up", { type: "number", value: kilo(limits.up) }),
    field(say("down"), "down", { type: "number", value: kilo(limits.down), hint: say("rate-hint") }),
    field(say("cpu"), "cpu", { type: "number", value: limits.cpu ? String(limits.cpu) : "", hint: say("cpu-hint") }),
  ];
  const read = ({ up, down, cpu }) => ({ up: rate(up), down: rate(down), cpu: cpu ? `${cpu}%` : "off" });
  const made = form("limit/set", {}, fields, say("set-it"), { read, then: () => say("is-set") });
  const shown = (bytes) => (bytes ? say("per-second", { size: size(bytes) }) : say("no-limit"));
  const now = say("limits-are", { up: shown(limits.up), down: shown(limits.down) });
  const share = limits.cpu ? [element("p", say("cpu-is", { share: `${limits.cpu}%` }))] : [];
  const off = limits.up || limits.down || limits.cpu ? [button(say("unlimit"), "limit/set", { up: "off", down: "off", cpu: "off" })] : [];
  return [quiet(say("limit-why")), element("p", now), ...share, made, ...off];
}

// A time of the day where that is all there is to say; who wants more writes the plan as the command line has it.
function scheduling(plan) {
  const [from, to] = plan.active === "always" ? ["", ""] : plan.active.split("-").map((time) => time.trim().padStart(5, "0"));
  const fields = [
    planField(say("incremental"), "incremental", plan.incremental, "", say("every-night")),
    planField(say("full-runs"), "full", plan.full, MONTHLY, say("every-month")),
    field(say("active-from"), "from", { type: "time", value: from }),
    field(say("active-to"), "to", { type: "time", value: to, hint: say("active-hint") }),
  ];
  const read = ({ incremental, full, from: first, to: last }) => ({ incremental: planned(incremental, ""), full: planned(full, MONTHLY), active: first && last ? `${first}-${last}` : "always" });
  const rows = plan.mandates.map((one) => [one.mandate, exchanged(one), inPlain(one.full), one.next ? `${moment(one.next.at)}, ${inWords("plans", one.next.kind)}` : "–"]);
  const coming = rows.length ? [table([say("mandate"), say("exchange"), say("full-runs"), say("next-run")], rows), timing(plan.mandates)] : [];
  return [form("schedule/set", {}, fields, say("set-it"), { read, then: () => say("is-set") }), ...coming];
}

function exchanged(one) {
  if ((one.interval || "off") === "off") return say("on-change");
  const facts = { interval: one.interval, time: moment(one.exchange) };
  return one.exchange ? say("every-next", facts) : say("every", facts);
}

function timing(mandates) {
  const named = mandates.map((one) => [one.mandate, one.mandate]);
  const fields = [choice(say("mandate"), "mandate", [["", say("all-mandates")], ...named]), field(say("interval"), "interval", { hint: say("interval-hint") })];
  const read = ({ mandate, interval }) => stated({ mandate, interval: interval || "off" });
  return form("schedule/set", { interval: "" }, fields, say("set-it"), { read, then: () => say("is-set") });
}

function planField(label, name, plan, lead, hint) {
  const time = plan.startsWith(lead) ? plan.slice(lead.length) : plan;
  if (plan !== "off" && !CLOCK.test(time)) return field(label, name, { value: plan });
  return field(label, name, { type: "time", value: plan === "off" ? "" : time, hint });
}

function planned(value, lead) {
  return CLOCK.test(value) ? lead + value : value || "off";
}

function inPlain(plan) {
  const [, day_, time] = /^monthly (\d+) (.*)$/.exec(plan) || [];
  return day_ ? say("monthly-on", { day: day_, time }) : plan === "off" ? "–" : plan;
}

function diagnosis() {
  const found = answers.get("doctor");
  if (!found) return [];
  const looks = { ok: "good", warning: "warn", error: "bad" };
  const lines = found.map((one) => {
    const [sentence, remedy] = diagnosed(one);
    const sign = element("strong", inWords("health", one.state), looks[one.state]);
    return element("li", "", "", [sign, " " + sentence, ...(remedy ? [element("br"), element("small", remedy)] : [])]);
  });
  return [element("ul", "", "", lines)];
}

// A problem of a mandate is told as its card tells it.
function diagnosed(one) {
  const known = (one.facts.code && words.problems[one.facts.code]) || words.signs[one.code] || { sentence: one.code, remedy: "" };
  const facts = { detail: "?", ...one.facts };
  if ("free_bytes" in facts) facts.free = size(facts.free_bytes);
  if ("last_seen" in facts) Object.assign(facts, { way: inWords("ways", facts.path), seen: moment(facts.last_seen) });
  if (one.facts.code) Object.assign(facts, { path: say("whole-folder"), mandate: `"${facts.mandate}"`, device: (facts.device || "?").split("-")[0] });
  const sentence = filled(known.sentence, facts);
  return [one.facts.code ? `${one.facts.mandate}: ${sentence}` : sentence, filled(known.remedy, facts)];
}

// -- how to begin -------------------------------------------------------------------------------------

// Whoever looks at a ticket has begun already.
async function howToBegin() {
  if (answers.has("ticket")) return [joining()];
  return [section(say("create"), [quiet(say("create-why")), creating()]), joining()];
}

function creating() {
  const fields = [
    field(say("name"), "name", { hint: say("name-hint"), must: true }),
    field(say("accounting-file"), "accounting", { hint: say("accounting-hint") }),
    field(say("folder"), "folder", { hint: say("folder-hint") }),
    ownPerson(),
  ];
  const then = (answer) => {
    goTo(`m/${answer.id}`);
    return say("created", { mandate: answer.name, folder: answer.folder });
  };
  return form("mandate/create", {}, fields, say("create-it"), { read: stated, then });
}
