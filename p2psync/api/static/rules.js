"use strict";
// The view of a mandate's rules: whose version of a file counts, who alone gets it, who may change master data, and who
// attaches programs' files.

// What a rule can be set to, and the order in which it is offered.
const RULINGS = ["prefer:accounting", "prefer:owner", "enforce:accounting", "enforce:owner", "newest", "manual", "once", "merge"];

async function rulesOf(mandate) {
  const given = { mandate: mandate.id };
  const [rules, devices] = await Promise.all([learn("rules", given), learn("devices", given)]);
  const off = whyNot(devices);
  return [
    section(say("rules"), [quiet(say("rules-why")), ruleTable(rules), ...restricted(rules), quiet(say("owner-is"))]),
    section(say("change-rule"), ruleForm(given, off)),
    section(say("open-fields"), openFields(given, rules, off)),
    section(say("who-attaches"), attaching(given, rules, off)),
  ];
}

// Why this PC cannot change what only admins may; "" if it can.
function whyNot(devices) {
  if (devices.some((one) => one.this_device && one.admin)) return "";
  const admins = devices.filter((one) => one.admin && one.state === "member").map((one) => one.name);
  return say("only-admins", { names: admins.join(", ") });
}

function ruleTable(rules) {
  const rows = rules.filter((one) => one.mode).map((one) => [one.pattern, inWords("classes", one.class), ruling(one)]);
  return table([say("files"), say("kind"), say("who-counts")], rows);
}

function ruling(one) {
  return inWords("rulings", one.master ? `${one.mode}:${one.master}` : one.mode);
}

function restricted(rules) {
  const roles = (one) => one.readers.map((role) => inWords("roles", role)).join(", ");
  return rules.filter((one) => one.readers).map((one) => quiet(say("only-roles", { roles: roles(one), pattern: one.pattern })));
}

function ruleForm(given, off) {
  const fields = [
    field(say("files"), "pattern", { hint: say("pattern-hint"), must: true }),
    choice(say("who-counts"), "ruling", RULINGS.map((name) => [name, inWords("rulings", name)])),
  ];
  const read = ({ pattern, ruling: chosen }) => ({ setting: `${pattern}=${chosen}` });
  return [form("rules/set", given, fields, say("set-it"), { read, off, then: () => say("is-set") })];
}

function openFields(given, rules, off) {
  const open = rules.flatMap((one) => one.open_fields || []);
  const fields = [field(say("fields"), "fields", { value: open.join(", "), hint: say("fields-hint") })];
  const now = open.length ? element("p", say("fields-are", { fields: open.join(", ") })) : quiet(say("no-open-fields"));
  return [quiet(say("open-fields-why")), now, form("rules/open", given, fields, say("set-it"), { off, then: () => say("is-set") })];
}

function attaching(given, rules, off) {
  const chosen = rules.some((one) => one.attach) ? "admins" : "all";
  const fields = [choice(say("may-attach"), "who", [["all", say("everybody")], ["admins", say("admins-alone")]], chosen)];
  return [quiet(say("attached-stays")), form("rules/attach", given, fields, say("set-it"), { off, then: () => say("is-set") })];
}
