"use strict";
// Views of what p2psync does: runs and their history, the check of every byte, and the log of who changed what.

const ITEMS_SHOWN = 100;
const LOG_SHOWN = 200;

// -- runs ---------------------------------------------------------------------------------------------

async function exchangeOf(mandate) {
  const given = { mandate: mandate.id };
  const runs = (await learn("history", given)).slice(0, ITEMS_SHOWN);
  const fields = [
    choice(say("what"), "only", [["", say("only-all")], ["master", say("only-master")], ["entries", say("only-entries")]]),
    field(say("full-run"), "full", { type: "checkbox", hint: say("full-when") }),
  ];
  const read = ({ only, full }) => (only ? { only, full } : { full });
  const made = form("sync", given, fields, say("sync"), { read, then: runEnded });
  return [
    section(say("sync"), [quiet(say("sync-why")), made, preview(mandate), ...previewed(mandate), ...runUnderWay(mandate)]),
    section(say("pause"), pauseForm(mandate)),
    section(say("history"), [runTable(runs)]),
    ...runShown(runs),
  ];
}

// What a run would do is known without one.
function preview(mandate) {
  const then = (answer) => void answers.set("dry " + mandate.id, answer);
  return button(say("preview"), "sync", { mandate: mandate.id, full: true, dry_run: true }, { then });
}

function previewed(mandate) {
  const plan = answers.get("dry " + mandate.id);
  if (!plan) return [];
  const reads = say("would-read", { files: count("files", plan.reads.files), size: size(plan.reads.bytes), when: say("full-when") });
  const moved = plan.items.length ? [element("p", say("would-move")), itemTable(plan.items)] : [element("p", say("nothing-to-exchange"))];
  return [...moved, quiet(reads)];
}

function itemTable(items) {
  const way = (item) => (item.direction === "sent" ? say("sent") : say("received"));
  const bytes = (item) => (typeof item.size === "number" ? size(item.size) : "");
  const rows = items.slice(0, ITEMS_SHOWN).map((item) => [way(item), item.path, bytes(item), (item.devices || []).join(", "), itemState(item)]);
  return table([say("direction"), say("file"), say("size"), say("pc"), say("state")], rows);
}

function runEnded(answer) {
  const lines = [inWords("endings", answer.result)];
  const checked = answer.result === "nothing-new" && (answer.confirmed || []).length > 0;
  if (checked) lines.push(say("checked-with", { time: moment(answer.ended), devices: answer.confirmed.join(", ") }));
  if (answer.message) lines.push(answer.message);
  if ((answer.absent || []).length) lines.push(say("absent-get-later", { devices: answer.absent.join(", ") }));
  lines.push(...(answer.missing || []).map((step) => inWords("missing", step.what).replace("{mandate}", step.mandate)));
  return lines.join(" ");
}

function runUnderWay(mandate) {
  if (!mandate.run) return [];
  const text = mandate.run.full ? say("running-full") : say("running");
  const bar = mandate.run.read ? [progress(mandate.run.read, mandate)] : [];
  return [element("p", text, "warn"), ...bar, button(say("stop-run"), "sync/cancel", { mandate: mandate.id })];
}

function progress(read, whole) {
  const bar = element("progress");
  bar.setAttribute("max", String(whole.bytes || 1));
  bar.setAttribute("value", String(Math.min(read.bytes, whole.bytes || 1)));
  bar.setAttribute("aria-label", say("read-so-far"));
  const text = say("read-of", { files: count("files", read.files), all: count("files", whole.files), size: size(read.bytes), whole: size(whole.bytes) });
  return element("p", "", "", [bar, element("small", " " + text)]);
}

function pauseForm(mandate) {
  if (mandate.rests) return [quiet(resting(mandate.rests)), ...pausing(mandate)];
  const read = ({ until }) => (until ? { until: new Date(until).toISOString() } : {});
  return [quiet(say("pause-why")), form("pause", { mandate: mandate.id }, [field(say("until"), "until", { type: "datetime-local", hint: say("until-hint") })], say("pause"), { read })];
}

function runTable(runs) {
  if (!runs.length) return quiet(say("no-runs"));
  const rows = runs.map((run) => {
    const name = `${run.mandate} ${moment(run.started)}`;
    const look = { failed: "bad", partial: "warn" }[run.result] || "good";
    const text = ofTasks("triggers", run.trigger) + (run.full ? say("full") : "");
    return [name, text, element("span", inWords("results", run.result), look), count("files", run.items.length), showButton(say("show-run"), run)];
  });
  return table([say("run"), say("why"), say("result"), say("files"), ""], rows);
}

function showButton(text, run) {
  const made = plain(text, () => {
    answers.set("run", run.id);
    refresh();
  });
  made.dataset.does = "run " + run.id;
  return made;
}

function runShown(runs) {
  const run = runs.find((one) => one.id === answers.get("run"));
  if (!run) return [];
  const lines = [element("p", runEnded(run))];
  const mandate = status.mandates.find((one) => one.name === run.mandate) || { name: run.mandate };
  if ((run.problems || []).length) lines.push(element("ul", "", "", run.problems.map((one) => problem(mandate, one))));
  if (run.items.length) lines.push(itemTable(run.items));
  if (run.items.length > ITEMS_SHOWN) lines.push(quiet(say("and-more", { files: count("files", run.items.length - ITEMS_SHOWN) })));
  return [section(`${run.mandate} ${moment(run.started)}`, lines)];
}

function itemState(item) {
  const gone = item.kind === "absent" ? [say("removed")] : [];
  return [...gone, inWords("items", item.state)].join(", ");
}

// -- every byte ---------------------------------------------------------------------------------------

async function verifyOf(mandate) {
  const given = { mandate: mandate.id };
  const found = await learn("verify/last", given);
  const begin = [element("p", "", "tools", [button(say("verify-now"), "verify", given)])];
  const never = found || mandate.verifying ? [] : [quiet(say("not-verified"))];
  const now = mandate.verifying ? verifyUnderWay(mandate) : begin;
  const sections = [section(say("verify"), [quiet(say("verify-why")), ...never, ...now])];
  return found ? [...sections, damage(mandate, found), replicas(mandate, found)] : sections;
}

// Also where it was asked for by a page that was loaded anew meanwhile, or by a command.
function verifyUnderWay(mandate) {
  return [element("p", say("verifying"), "warn"), progress(mandate.verifying, mandate)];
}

function damage(mandate, found) {
  const facts = { files: count("files", found.files), size: size(found.bytes), versions: count("versions", found.versions) };
  const sections = [quiet(say("was-read", facts))];
  const left = found.damaged.filter((one) => !one.repaired);
  const right = found.damaged.filter((one) => one.repaired);
  const named = (look, text, paths) => (paths.length ? [element("p", text, look), list(paths)] : []);
  sections.push(...named("bad", say("damaged"), left.map((one) => one.path)));
  if (left.length) sections.push(element("p", "", "tools", [button(say("repair"), "verify", { mandate: mandate.id, repair: true }), element("small", say("repair-how"))]));
  sections.push(...named("good", say("repaired"), right.map((one) => one.path)));
  sections.push(...named("bad", say("damaged-versions"), found.damaged_versions.map((one) => one.slice(0, 12))));
  sections.push(...named("warn", say("changing"), found.changing));
  if (found.unreadable.length) sections.push(element("ul", "", "", found.unreadable.map((one) => problem(mandate, one))));
  if (!found.damaged.length && !found.damaged_versions.length && !found.unreadable.length) sections.push(element("p", say("all-right"), "good"));
  if (found.left_out) sections.push(quiet(count("more", found.left_out)));
  sections.push(signatures(found.log));
  return section(say("findings", { time: moment(found.time) }), sections);
}

function signatures(log) {
  if (log.ok) return element("p", say("log-whole", { entries: count("entries", log.blocks), devices: count("devices", log.devices) }), "good");
  const bad = log.first_bad;
  return element("p", say("log-broken", { seq: bad.seq, device: bad.name || bad.device, reason: bad.reason }), "bad");
}

function replicas(mandate, found) {
  const rows = found.replicas.map((one) => {
    const [text, look] = replica(one);
    const reasons = one.problems.length ? [element("ul", "", "", one.problems.map((other) => problem(mandate, other)))] : [];
    return [one.name, element("span", text, look, reasons)];
  });
  return section(say("identical-on", { n: found.identical, all: found.replicas.length }), [table([say("pc"), say("state")], rows)]);
}

function replica(one) {
  if (one.state === "off") return [one.last_seen ? say("off", { time: moment(one.last_seen) }) : say("never"), "warn"];
  if (one.state === "this") return one.identical ? [say("same-here"), "good"] : [say("differs-here"), "bad"];
  return one.identical ? [say("same-there"), "good"] : [say("lacks"), "warn"];
}

// -- the log ------------------------------------------------------------------------------------------

async function logOf(mandate) {
  const lines = (await learn("log", { mandate: mandate.id })).slice(-LOG_SHOWN).reverse();
  const rows = lines.map((one) => [moment(one.time), one.name || "–", whatWasDone(one), one.path || aboutIt(one)]);
  const keep = element("a", say("export"));
  keep.setAttribute("href", "/api/log/export?mandate=" + encodeURIComponent(mandate.id));
  keep.setAttribute("download", `${mandate.name}-log.json`);
  const newest = rows.length === LOG_SHOWN ? [quiet(say("newest", { n: LOG_SHOWN }))] : [];
  const titles = [say("time"), say("pc"), say("what-done"), say("about")];
  return [section(say("log"), [quiet(say("log-why")), element("p", "", "tools", [keep]), ...newest, rows.length ? table(titles, rows) : quiet(say("no-log"))])];
}

// Whom or what a statement is about; roles in words.
function aboutIt(one) {
  return (one.about || "").split(" ").map((word) => inWords("roles", word)).join(" ");
}

function whatWasDone(one) {
  const text = inWords("kinds", one.kind);
  return one.accepted ? text : element("span", say("refused", { what: text }), "warn");
}
