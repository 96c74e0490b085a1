"use strict";
// Views of one mandate: its files, its devices, and what it is called. Each gives the sections below the heading.

// What the next kind needs comes before it.
const KINDS = ["master data", "entries", "index", "opaque", "other"];
const WRITING = ["changes", "adds", "own"];
const HOURS_S = 3600;

// -- files --------------------------------------------------------------------------------------------

async function filesOf(mandate, path) {
  if (path) return versionsOf(mandate, path);
  const given = { mandate: mandate.id };
  const [devices, attached, shown] = await Promise.all([learn("mandate/files", given), learn("attached", given), learn("mandate/show", given)]);
  return [
    section(say("who-has"), devices.flatMap((one) => filesOfDevice(mandate, one))),
    section(say("attached"), [quiet(say("attached-are")), attachedTable(mandate, attached), quiet(shown.follows ? say("follows") : say("follows-not"))]),
    section(say("attach"), [quiet(say("attach-how")), ...whoAttaches(shown.rules), attachForm(mandate, shown.follows)]),
    section(say("exchanged"), [quiet(say("exchanged-order")), exchangedTable(mandate, shown.rules)]),
  ];
}

function filesOfDevice(mandate, one) {
  const peer = mandate.peers.find((other) => other.device === one.device);
  const role = one.role ? inWords("roles", one.role) : say("was-member");
  const there = one.this ? say("this-pc") : peer ? reached(peer) : "";
  const title = element("h4", `${one.name} (${role}) `, "", [element("small", there)]);
  if (!one.files.length) return [title, quiet(say("no-files"))];
  const titles = [say("file"), say("period"), say("saved"), say("size"), say("state")];
  const rows = one.files.map((file) => [link(file.path, "m", mandate.id, "files", file.path), file.period || "–", moment(file.saved), size(file.size || 0), whereItIs(mandate, file)]);
  return [title, table(titles, rows, "even")];
}

function whereItIs(mandate, file) {
  if (file.missing.length) return element("span", say("not-yet-at", { devices: file.missing.join(", ") }), "warn");
  return mandate.peers.length ? say("at-all") : say("only-here");
}

function attachedTable(mandate, rows) {
  if (!rows.length) return quiet(say("none-attached"));
  const titles = [say("programs-file"), say("called-here"), say("state"), say("delivered"), ""];
  const cells = rows.map((row) => {
    const away = button(say("detach"), "detach", { mandate: mandate.id, file: row.file }, { sure: say("detach-sure", { file: row.file }) });
    return [row.file, row.path, whyNotThere(row) || inWords("standings", row.state), moment(row.delivered), away];
  });
  return table(titles, cells);
}

function whoAttaches(rules) {
  return rules.some((rule) => rule.attach) ? [quiet(say("attach-admins"))] : [];
}

// Whether files of a new period follow is said for all of a mandate on this PC; without a file nothing else is.
function attachForm(mandate, follows) {
  const fields = [
    field(say("whole-path"), "file", { hint: say("path-hint") }),
    choice(say("when-arrives"), "mode", [["auto", say("deliver-auto")], ["checked", say("deliver-checked")], ["ask", say("deliver-ask")]], "auto", say("arrives-hint")),
    field(say("siblings"), "siblings", { type: "checkbox" }),
    field(say("follow-on"), "follow", { type: "checkbox", value: follows ? "yes" : "", hint: say("follow-on-hint") }),
  ];
  const read = ({ file, mode, siblings, follow }) => ({ files: file ? [file] : [], siblings, ask: mode === "ask", checked: mode === "checked", follow });
  const send = async (name, { follow, ...wanted }) => {
    if (follow !== follows) await act("attach/follow", { mandate: mandate.id, off: !follow });
    return follow !== follows && !wanted.files.length ? null : act(name, wanted);
  };
  return form("attach", { mandate: mandate.id }, fields, say("attach-it"), { read, send, then: attachEnded });
}

function attachEnded(answer) {
  if (!answer) return say("is-set");
  const lines = answer.attached.map((one) => say("is-attached", { file: one.file }));
  lines.push(...answer.refused.map((one) => say("is-not-attached", { reason: one.reason })));
  if (answer.proposed.length) lines.push(say("proposed", { files: answer.proposed.join(", ") }));
  lines.push(...answer.twins.map((one) => say("twin", { mandate: one.mandate, file: one.file })));
  return lines.join(" ");
}

function exchangedTable(mandate, rules) {
  const place = (rule) => (KINDS.includes(rule.class) ? KINDS.indexOf(rule.class) : KINDS.length);
  const several = rules.filter((rule) => rule.parts).sort((one, other) => place(one) - place(other));
  const rows = several.map((rule) => [inWords("classes", rule.class), rule.pattern, inWords("parts", rule.parts[mandate.role] || "nothing"), writers(rule)]);
  return table([say("kind"), say("files"), say("this-pc"), say("changed-by")], rows);
}

function writers(rule) {
  const roles = Object.keys(rule.parts).filter((role) => WRITING.includes(rule.parts[role])).map((role) => inWords("roles", role)).join(", ");
  return rule.mode === "prefer" ? say("prefers", { roles, master: inWords("masters", rule.master) }) : roles;
}

// -- one file -----------------------------------------------------------------------------------------

async function versionsOf(mandate, path) {
  const given = { mandate: mandate.id, path };
  const rows = await learn("versions", given);
  const cells = rows.map((row) => {
    const back = row.reason === "current" ? "" : button(say("restore"), "restore", { ...given, version: row.id }, { sure: say("restore-sure", { file: path }), then: () => say("restored") });
    return [moment(row.time), row.name || "–", size(row.size), inWords("reasons", row.reason), back];
  });
  const titles = [say("saved"), say("by"), say("size"), say("why-kept"), ""];
  const versions = section(path, [rows.length ? table(titles, cells) : quiet(say("no-versions"))]);
  return [element("p", "", "", [link(say("all-files"), "m", mandate.id, "files")]), versions, ...migration(mandate, path)];
}

function migration(mandate, path) {
  if (!mandate.peers.length) return [];
  const devices = [[status.device.id, status.device.name], ...mandate.peers.map((peer) => [peer.device, peer.name])];
  const then = (answer) => say("belongs", { path: answer.path, device: answer.name });
  const made = form("migrate", { mandate: mandate.id, file: path }, [choice(say("pc"), "to", devices)], say("migrate"), { then });
  return [section(say("whose"), [quiet(say("whose-why")), made])];
}

// -- devices ------------------------------------------------------------------------------------------

async function devicesOf(mandate) {
  const given = { mandate: mandate.id };
  const [devices, invites, known] = await Promise.all([learn("devices", given), learn("invites", given), learn("peer/list", given)]);
  const admin = devices.some((one) => one.this_device && one.admin);
  const titles = [say("pc"), say("role"), say("state"), say("let-in"), say("fingerprint"), ""];
  const rows = devices.map((one) => deviceRow(mandate, one, admin));
  const sections = [section(say("devices"), [table(titles, rows)]), personForm(mandate, devices, admin)];
  if (mandate.state === "local") return [...sections, sharing(mandate)];
  const addresses = knownAddresses(given, known);
  if (!admin) return [...sections, quiet(say("no-admin")), addresses];
  return [...sections, inviting(mandate), ...invited(mandate), ...openInvites(mandate, invites), ...roleForm(mandate, devices), addresses];
}

// Of this PC alone: where it looks for others that it does not find by itself.
function knownAddresses(given, known) {
  const remove = (address) => button(say("remove"), "peer/remove", { ...given, address });
  const rows = known.map(({ address }) => [address, remove(address)]);
  const fields = [field(say("address"), "address", { hint: say("address-hint"), must: true })];
  const made = form("peer/add", given, fields, say("add-address"), { then: () => say("is-set") });
  return section(say("addresses"), [quiet(say("addresses-why")), rows.length ? table([say("address"), ""], rows) : quiet(say("no-addresses")), made]);
}

function deviceRow(mandate, one, admin) {
  const roles = [inWords("roles", one.role), one.admin ? say("admin") : "", one.primary ? say("primary") : ""];
  const letIn = one.admitted ? say("let-in-by", { name: one.admitted.name, time: moment(one.admitted.time) }) : "–";
  const more = [one.person, one.this_device ? say("this-pc") : ""].filter(Boolean).join(", ");
  const name = more ? `${one.name} (${more})` : one.name;
  return [name, roles.filter(Boolean).join(", "), memberState(mandate, one), letIn, element("code", one.fingerprint), admin ? deviceButtons(mandate, one) : ""];
}

function memberState(mandate, one) {
  if (one.state !== "member") return element("span", inWords("memberships", one.state), one.state === "waiting" ? "warn" : "quiet");
  if (one.this_device) return element("span", say("here"), "good");
  const peer = mandate.peers.find((other) => other.device === one.device);
  return peer ? element("span", reached(peer), peer.connected ? "good" : "quiet") : "";
}

function deviceButtons(mandate, one) {
  const given = { mandate: mandate.id, device: one.device };
  const facts = { device: one.name, fingerprint: one.fingerprint };
  const refuse = (text, sure) => button(text, "devices/revoke", given, { sure });
  if (one.state === "waiting") {
    const allow = button(say("approve"), "devices/approve", given, { sure: say("approve-sure", facts) });
    return element("span", "", "tools", [allow, refuse(say("decline"), say("decline-sure", facts))]);
  }
  return one.state === "member" && !one.this_device ? refuse(say("revoke"), say("revoke-sure", facts)) : "";
}

function sharing(mandate) {
  const ask = button(say("share"), "share", { mandate: mandate.id }, { sure: say("share-sure", { mandate: mandate.name }) });
  return section(say("share-title"), [quiet(say("share-why")), ask]);
}

function inviting(mandate) {
  const roles = Object.entries(words.names.roles);
  const hours = [["1", say("one-hour")], ["24", say("one-day")], ["168", say("one-week")]];
  const fields = [
    choice(say("role-new"), "role", roles, "invoicing"),
    choice(say("valid"), "hours", hours, "24"),
    field(say("must-approve"), "confirm", { type: "checkbox" }),
    field(say("as-code"), "code", { type: "checkbox" }),
  ];
  const read = ({ hours: several, ...rest }) => ({ ...rest, expires_s: several * HOURS_S });
  const then = (answer) => {
    answers.set("invite " + mandate.id, answer);
    return say("invited");
  };
  return section(say("invite"), [quiet(say("invite-why")), form("invite", { mandate: mandate.id }, fields, say("make-ticket"), { read, then })]);
}

// The ticket stands on the page until it is put away; nobody gets it a second time.
function invited(mandate) {
  const made = answers.get("invite " + mandate.id);
  if (!made) return [];
  const text = element("textarea", made.ticket, "ticket");
  text.setAttribute("readonly", "");
  text.setAttribute("rows", "3");
  text.setAttribute("aria-label", say("ticket"));
  const copy = plain(say("copy"), () => navigator.clipboard.writeText(made.ticket).then(() => tell(say("copied"), "good")));
  const keep = plain(say("save-file"), () => saveFile(`${mandate.name}.p2pticket`, made.ticket + "\n"));
  const away = plain(say("put-away"), () => answers.delete("invite " + mandate.id) && refresh());
  const tools = element("p", "", "tools", made.code ? [copy, away] : [copy, keep, away]);
  return [section(made.code ? say("code") : say("ticket"), [text, quiet(say("valid-until", { time: moment(made.expires) })), element("p", say("ticket-secret"), "warn"), tools])];
}

function openInvites(mandate, invites) {
  if (!invites.length) return [];
  const rows = invites.map((one) => [inWords("roles", one.role), moment(one.expires), String(one.uses_left), button(say("cancel"), "invites/cancel", { mandate: mandate.id, id: one.id })]);
  return [section(say("open-invites"), [table([say("role"), say("until"), say("uses-left"), ""], rows)])];
}

// Everybody may say it of the own PC, an admin of any.
function personForm(mandate, devices, admin) {
  const known = devices.filter((one) => one.state === "member" && (admin || one.this_device)).map((one) => [one.device, one.name]);
  const fields = [choice(say("pc"), "device", known), field(say("person"), "person", { hint: say("person-hint") })];
  return section(say("persons"), [quiet(say("persons-why")), form("devices/person", { mandate: mandate.id }, fields, say("set-it"), { then: () => say("is-set") })]);
}

function roleForm(mandate, devices) {
  const members = devices.filter((one) => one.state === "member").map((one) => [one.device, one.name]);
  const fields = [choice(say("pc"), "device", members), choice(say("role"), "role", Object.entries(words.names.roles))];
  return [section(say("change-role"), [form("devices/role", { mandate: mandate.id }, fields, say("set-it"), { then: () => say("is-set") })])];
}

// -- what it is called --------------------------------------------------------------------------------

async function settingsOf(mandate) {
  const rename = form("mandate/rename", { mandate: mandate.id }, [field(say("name"), "name", { value: mandate.name, must: true })], say("rename"), { then: () => say("is-set") });
  const leave = form("mandate/leave", { mandate: mandate.id }, [field(say("wipe"), "wipe", { type: "checkbox" })], say("leave"), {
    sure: say("leave-sure", { mandate: mandate.name }),
    then: (answer) => {
      goTo("");
      return answer.wiped ? say("left-wiped", { folder: answer.folder }) : say("left", { folder: answer.folder });
    },
  });
  return [section(say("rename"), [quiet(say("rename-why")), rename]), section(say("recovery"), recovering(mandate)), section(say("leave-title"), [quiet(say("leave-why")), leave])];
}

// The key is forgotten here once a person says that its file is safe.
function recovering(mandate) {
  const given = { mandate: mandate.id };
  const key = "recovery " + mandate.id;
  const then = (answer) => {
    saveFile(`${mandate.name}.p2precovery`, answer.text);
    answers.set(key, true);
  };
  const tools = [button(say("recovery-save"), "mandate/recovery", given, { then })];
  if (answers.get(key)) tools.push(button(say("recovery-safe"), "mandate/recovery/saved", given, { then: () => answers.delete(key) && say("recovery-forgotten") }));
  return [quiet(say("recovery-why")), element("p", "", "tools", tools)];
}
