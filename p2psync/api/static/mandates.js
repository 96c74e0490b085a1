"use strict";
// All mandates of this PC, each with what waits for a person: what the page shows first.

const SOON_MS = 60000;
const LOOKS = { waiting: "warn", done: "good", partial: "warn", failed: "bad" };

function state(mandate) {
  const connected = mandate.peers.filter((peer) => peer.connected);
  const sending = Math.max(0, ...connected.map((peer) => peer.behind_files || 0));
  const coming = mandate.to_receive;
  if (mandate.state === "local") return [say("local"), "quiet"];
  if (mandate.health === "action") return [say("action"), "bad"];
  if (mandate.rests) return [resting(mandate.rests), "quiet"];
  const resting_ = mandate.peers.filter((peer) => peer.resting).map((peer) => peer.name);
  if (resting_.length && !connected.length) return [say("others-rest", { devices: resting_.join(", ") }), "quiet"];
  if (mandate.peers.length && !connected.length) return [say("alone", { devices: absent(mandate.peers) }), "warn"];
  if (coming.files) return [say("receiving", { files: count("files", coming.files), size: size(coming.bytes) }), "warn"];
  if (sending) return [say("sending", { files: count("files", sending) }), "warn"];
  return mandate.in_sync ? [say("in-sync"), "good"] : [say("working"), "warn"];
}

function resting(rest) {
  if (!rest.until) return say("paused");
  const when = { time: moment(rest.until) };
  if (rest.why === "person") return say("paused-until", when);
  return rest.why === "interval" ? say("next-exchange", when) : say("rests-until", when);
}

function absent(several) {
  if (several.length > 3) return count("devices", several.length);
  return several
    .map((peer) => (peer.last_seen ? say("absent", { device: peer.name, seen: moment(peer.last_seen) }) : peer.name))
    .join("; ");
}

// Whether a member is connected, and how; else since when not.
function reached(peer) {
  if (peer.connected) return say("connected", { way: inWords("ways", peer.path) });
  if (peer.resting) return say("other-rests");
  if (!peer.last_seen) return say("never");
  const when = { time: moment(peer.last_seen) };
  return peer.behind_files ? say("awaited", when) : say("off", when);
}

function peerRow(peer) {
  const behind = peer.behind_files ? say("behind", { files: count("files", peer.behind_files) }) : "";
  const name = element("span", peer.name);
  name.title = peer.device;
  return [name, inWords("roles", peer.role), element("span", reached(peer), peer.connected ? "good" : "quiet"), behind];
}

function peers(mandate) {
  if (!mandate.peers.length) return [];
  const titles = [say("pc"), say("role"), say("connection"), ""];
  return [table(titles, mandate.peers.map(peerRow))];
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
  return labelled(item, `${conflict.path}, ${facts.name}`);
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

// A file has a row for each of its periods; what is done about it is done about all of them.
function waiting(mandate, rows) {
  const [row] = rows;
  const text = row.new === null ? say("uncounted", { reason: row.message }) : rows.map(counted).join("; ");
  const item = element("li", "", "", row.rewritten ? [say("rewritten", row)] : [element("strong", row.file), ` ${text}`]);
  if (row.new === null) return item;
  const given = { mandate: mandate.id, file: row.file };
  if (row.content) given.content = row.content;
  const post = mandate.role === "accounting" ? [button(say("mark-posted"), "posted", given)] : [];
  item.append(...toolsOf(post, rows.some(changes) ? bookingsOf("pending", mandate, row) : []));
  return labelled(item, row.file);
}

// What is done about a file, and beside it the button that shows its bookings, which stand below.
function toolsOf(does, [turn, ...lines]) {
  const tools = turn ? [...does, turn] : does;
  return tools.length ? [element("p", "", "tools", tools), ...lines] : [];
}

function counted(row) {
  return row.period ? say("counted", row) : say("would-change", row);
}

function changes(row) {
  return row.new + row.changed + row.removed;
}

// It opens on the PC where p2psync runs, which most often is that of the browser.
function folderButton(mandate) {
  if (!mandate.folder) return [];
  return [button(say("open-folder"), "mandate/open", { mandate: mandate.id }, { then: () => say("folder-opened", { device: status.device.name }) })];
}

async function banner(mandate) {
  if (!mandate.pending && !mandate.pending_files) return [];
  const rows = (await act("pending", { mandate: mandate.id })).filter((row) => row.file);
  const files = [...new Set(rows.map((row) => row.file))].map((file) => rows.filter((row) => row.file === file));
  const title = element("strong", mandate.pending ? count("bookings", mandate.pending) : say("look"));
  const list = element("ul", "", "", files.map((several) => waiting(mandate, several)));
  return [element("section", "", "banner", [element("p", "", "tools", [title, ...folderButton(mandate)]), list])];
}

// What a program has open is delivered by itself once that is closed.
function undelivered(mandate, row) {
  const counts = typeof row.new === "number" ? ` (${say("would-change", row)})` : "";
  const held = row.state === "held";
  const given = { mandate: mandate.id, file: row.file, anyway: held };
  const put = row.state === "open" ? [] : [button(held ? say("deliver-anyway") : say("deliver"), "deliver", given)];
  const below = toolsOf(put, changes(row) ? bookingsOf("inbox", mandate, row) : []);
  return labelled(element("li", "", "", [element("strong", row.path), ` ${whyNotThere(row)}${counts}`, ...below]), row.path);
}

// Where the daemon names a command, the page has a button.
function whyNotThere(row) {
  if (row.state === "waiting") return say("is-waiting");
  if (row.state === "gone") return say("is-gone");
  if (row.state === "returned") return say("is-older");
  return row.reason;
}

// A button, and what it shows: asked for when somebody wants to see it, for as long as it is this version that waits.
function bookingsOf(name, mandate, row) {
  const key = `${name} ${mandate.id} ${row.file}`;
  const known = answers.get(key);
  const shown = known && known.content === row.content && known.since === row.since;
  const then = (rows) => {
    const found = rows.find((one) => one.file === row.file);
    if (!found || !found.lines) return say("no-lines");
    answers.set(key, found);
  };
  const hide = () => answers.delete(key) && refresh();
  const turn = shown ? plain(say("hide-lines"), hide) : button(say("show-lines"), name, { mandate: mandate.id, lines: true }, { then });
  turn.dataset.does = key;
  return shown ? [turn, ...lineTable(known)] : [turn];
}

// A day that cannot be read stands as its program wrote it.
function written(text) {
  return /^\d{4}-\d\d-\d\d$/.test(text) ? day(text) : text;
}

function lineTable(row) {
  const titles = ["", say("line"), say("date"), say("debit"), say("credit"), say("voucher"), say("text"), say("amount"), say("vat")];
  const cells = (change, one) => [inWords("changes", change), String(one.line), written(one.date), one.debit, one.credit, one.voucher, one.text, one.amount, one.vat_code];
  const rows = row.lines.flatMap(({ change, before, after }) => [
    ...(before && after ? [cells("before", before)] : []),
    cells(change, after || before),
  ]);
  return [table(titles, rows, "lines"), ...(row.left_out ? [quiet(count("more-lines", row.left_out))] : [])];
}

async function inbox(mandate) {
  if (!mandate.inbox) return [];
  const rows = await act("inbox", { mandate: mandate.id });
  if (!rows.length) return [];
  return [element("h3", say("inbox")), element("ul", "", "", rows.map((row) => undelivered(mandate, row)))];
}

function pausing(mandate) {
  if (mandate.rests && mandate.rests.why === "hours") return [];
  const given = { mandate: mandate.id };
  return [mandate.rests && mandate.rests.why === "person" ? button(say("resume"), "resume", given) : button(say("pause"), "pause", given)];
}

function books(mandate) {
  const lines = mandate.current_until ? [say("complete-until", { day: day(mandate.current_until) })] : [];
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

// Everyday work that has a view of its own, and what is missing for it.
function asked(mandate) {
  const counts = Object.fromEntries((mandate.actions || []).map((one) => [one.what, one.count]));
  const lines = [];
  if (counts.newcomers) lines.push([count("newcomers", counts.newcomers), link(inWords("views", "devices"), "m", mandate.id, "devices")]);
  if (counts.chart) lines.push([say("no-chart"), link(say("attach-one"), "m", mandate.id, "files")]);
  return lines.map(([text, way]) => element("p", "", "warn", [text + " ", way]));
}

function next(one) {
  if (!one.next_attempt) return one.state === "waiting" ? say("when-there") : "";
  return new Date(one.next_attempt) - Date.now() <= SOON_MS ? say("soon") : moment(one.next_attempt);
}

function taskRow(what, state, look, when) {
  return [what, element("span", state, look), when];
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
  return [element("h3", say("monitoring")), table([say("task"), say("state"), say("next")], rows)];
}

function tasks(mandate) {
  return taskTable((mandate.tasks || []).map(task));
}

function hosts(several) {
  const absent = several.filter((host) => !host.connected);
  const rows = absent.map((host) => taskRow(say("host", { url: host.url }), host.problem || say("host-off"), "warn", next(host)));
  return rows.length ? [element("article", "", "", taskTable(rows))] : [];
}

function badge(mandate) {
  const several = (mandate.actions || []).length;
  return several ? [element("span", count("actions", several), "badge")] : [];
}

// The ways to all that is known of a mandate; `here` is the one that is shown.
function ways(mandate, here = "") {
  const links = Object.entries(words.names.views || {}).map(([part, text]) => {
    const made = link(text, "m", mandate.id, part);
    if (part === here) made.setAttribute("aria-current", "page");
    return made;
  });
  const nav = element("nav", "", "ways", links);
  nav.setAttribute("aria-label", mandate.name);
  return nav;
}

function heading(mandate) {
  const [text, look] = state(mandate);
  const role = element("small", inWords("roles", mandate.role));
  const told = element("span", "", "state", [element("span", text, look), ...pausing(mandate)]);
  return element("header", "", "", [element("h2", "", "", [kind(mandate), mandate.name]), role, ...badge(mandate), told]);
}

async function card(mandate) {
  const held = say("holds", { files: count("files", mandate.files), size: size(mandate.bytes) });
  const posting = await banner(mandate);
  const folder = element("p", (mandate.folder || "") + " ", "path", posting.length ? [] : folderButton(mandate));
  const below = [...posting, folder, quiet(held), ...books(mandate), ...asked(mandate), ...peers(mandate), ...tasks(mandate), ...(await inbox(mandate)), ...(await conflicts(mandate)), ...wrong(mandate), ...news(mandate)];
  return labelled(element("article", "", "", [heading(mandate), ways(mandate), ...below]), mandate.name);
}

function syncAll() {
  if (!status.mandates.length) return [];
  const then = (answer) => inWords("endings", answer.result);
  return [element("p", "", "tools", [button(say("sync-all"), "sync", {}, { then })])];
}

// Where there is none yet, the page begins with how to make or join one.
async function allMandates() {
  const cards = await Promise.all(status.mandates.map(card));
  const begin = cards.length ? [] : [quiet(say("no-mandate")), ...(await howToBegin())];
  return [...syncAll(), ...cards, ...begin, ...hosts(status.rendezvous || [])];
}
