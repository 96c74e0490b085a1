"use strict";
// Views of a mandate's books: what was posted, the periods, what is wrong in bookings, and the chart of accounts.

const LISTS = ["accounts", "vat_codes", "cost_centres", "cost_objects", "payment_terms"];
// Records of these lists come from another program's export, and can be removed once it has marked them as deleted.
const RECORDS = { accounts: "account", cost_centres: "cost-centre", cost_objects: "cost-object", payment_terms: "payment-term" };

// -- bookings and periods -----------------------------------------------------------------------------

async function booksOf(mandate) {
  const given = { mandate: mandate.id };
  const [periods, pending] = await Promise.all([learn("period", given), learn("pending", { ...given, all: true })]);
  const until = mandate.current_until || "";
  const current = form("period/current", given, untilFields(until), say("set-it"), { read: stated, then: () => say("is-set") });
  return [
    section(say("bookings"), [progressTable(mandate, pending), ...rewritten(pending)]),
    section(say("periods"), [quiet(say("freeze-why")), periodTable(mandate, periods.periods), ...late(periods.late)]),
    ...freezing(mandate),
    section(say("complete"), [...complete(periods.current_until), ...(mandate.role === "accounting" ? [current] : [])]),
    section(say("check"), [quiet(say("check-why")), button(say("check-now"), "check", given, { then: (answer) => void answers.set("check " + mandate.id, answer) }), ...checked(mandate)]),
  ];
}

function complete(said) {
  if (!said) return [quiet(say("complete-unsaid"))];
  const lines = [quiet(say("complete-said", { day: day(said.until), name: said.name, time: moment(said.time) }))];
  return said.note ? [...lines, element("p", say("accounting-says", { note: said.note }))] : lines;
}

function progressTable(mandate, rows) {
  const several = [...new Map(rows.filter((row) => row.file).map((row) => [row.file, row])).values()];
  if (!several.length) return element("p", say("no-bookings") + " ", "quiet", [link(say("attach-one"), "m", mandate.id, "files")]);
  const cells = several.map((row) => {
    const back = row.posted && mandate.role === "accounting" ? button(say("unpost"), "posted", { mandate: mandate.id, file: row.file, undo: true }) : "";
    return [row.file, row.saved ? `${row.saved.name}, ${moment(row.saved.time)}` : "–", posting(mandate, row), back];
  });
  return table([say("file"), say("saved-by"), say("state"), ""], cells);
}

function posting(mandate, row) {
  if (row.state === "uncounted") return element("span", say("uncounted", { reason: row.message }), "warn");
  if (row.posted) return say("posted-by", { name: row.posted.name, time: moment(row.posted.time) });
  if (row.deliveries.length) return say("delivered-to", { names: row.deliveries.map((one) => `${one.name}, ${moment(one.time)}`).join("; ") });
  if (mandate.role === "accounting" && row.state !== "posted") return say("to-be-posted");
  return row.content ? say("published") : say("removed");
}

function rewritten(rows) {
  return rows.filter((row) => row.rewritten).map((row) => element("p", say("rewritten", { file: row.file }), "warn"));
}

function periodTable(mandate, periods) {
  if (!periods.length) return element("p", say("no-periods") + " ", "quiet", [link(say("attach-one"), "m", mandate.id, "files")]);
  const rows = periods.map((one) => {
    const given = { mandate: mandate.id, period: one.period };
    const state = one.frozen ? say("frozen-by", { name: one.frozen.name, time: moment(one.frozen.time) }) : say("open");
    const then = (plan) => void answers.set("freeze " + mandate.id, plan);
    const turn = one.frozen ? button(say("unfreeze"), "period/unfreeze", given, { sure: say("unfreeze-sure", one) }) : button(say("freeze"), "period/preview", given, { then });
    return [one.period, state, count("files", one.files.length), mandate.role === "accounting" ? turn : ""];
  });
  return table([say("period"), say("state"), say("files"), ""], rows);
}

// What would be frozen is shown before anybody says yes.
function freezing(mandate) {
  const plan = answers.get("freeze " + mandate.id);
  if (!plan) return [];
  const away = () => answers.delete("freeze " + mandate.id);
  const then = () => void away();
  const yes = button(say("freeze-now"), "period/freeze", { mandate: mandate.id, period: plan.period, seen: plan.seen }, { then });
  const no = plain(say("not-now"), () => away() && refresh());
  const left = plan.left_out.map((one) => inWords("left_out", one.reason).replace("{file}", one.path));
  const title = say("freezing", { period: plan.period, files: count("files", plan.files.length) });
  return [section(title, [list(plan.files.map((one) => one.path)), ...left.map((text) => element("p", text, "warn")), element("p", "", "tools", [yes, no])])];
}

function late(rows) {
  return rows.map((one) => {
    const facts = { file: one.path, name: one.name, time: moment(one.time), period: one.period };
    return element("p", one.kind === "absent" ? say("late-removed", facts) : say("late-saved", facts), "warn");
  });
}

function checked(mandate) {
  const rows = answers.get("check " + mandate.id);
  if (!rows) return [];
  if (!rows.length) return [quiet(say("nothing-to-check"))];
  return [element("ul", "", "", rows.map(checkedFile))];
}

function checkedFile(row) {
  if (row.message) return element("li", say("unreadable", { file: row.file, reason: row.message }), "bad");
  if (!row.count) return element("li", say("nothing-wrong", { file: row.file }), "good");
  return element("li", `${row.file}: ${count("findings", row.count)}`, "warn", [element("ul", "", "", row.findings.map((one) => element("li", finding(one))))]);
}

function finding(one) {
  return filled((words.findings || {})[one.code] || `${one.code} {line}`, { ...one.facts, line: one.line });
}

// -- the chart of accounts ----------------------------------------------------------------------------

async function accountsOf(mandate, file) {
  const given = { mandate: mandate.id };
  const missing = (mandate.actions || []).some((one) => one.what === "chart");
  if (missing) return [section(say("accounts"), [quiet(say("no-chart")), link(say("attach-one"), "m", mandate.id, "files")]), ...importing(mandate)];
  const chart = await learn("chart", file ? { ...given, file } : given);
  const others = chart.others.map((other) => link(other, "m", mandate.id, "accounts", other));
  const lists = LISTS.filter((part) => chart[part].length).map((part) => records(mandate, part, chart[part]));
  const unfollow = chart.followed && mandate.role === "accounting" ? [button(say("unfollow"), "chart/unfollow", { mandate: mandate.id })] : [];
  return [section(chart.title || chart.file, [...about(chart), ...unfollow, ...otherCharts(others)]), ...lists, ...importing(mandate)];
}

function about(chart) {
  const period = chart.period ? say("from-to", { begin: day(chart.begin), end: day(chart.end) }) : say("no-period");
  const lines = [quiet(`${chart.file}, ${period}`)];
  if (chart.saved) lines.push(quiet(say("chart-saved", { name: chart.saved.name, time: moment(chart.saved.time) })));
  if (chart.followed) lines.push(quiet(say("followed", { file: chart.followed })));
  if (chart.count) lines.push(element("p", count("not-understood", chart.count), "warn"));
  const behind = chart.devices.filter((one) => one.content && !one.current);
  lines.push(...behind.map((one) => element("p", say("old-chart", { name: one.name, time: moment(one.saved) }), "warn")));
  const deleted = (chart.deletions || []).map((one) => quiet(say("deleted", { number: one.number, day: moment(one.time), n: one.confirmed, all: chart.devices.length })));
  return [...lines, ...deleted];
}

function otherCharts(others) {
  return others.length ? [element("p", "", "ways", [say("other-charts"), ...others])] : [];
}

// Long lists are closed at first, but for the accounts. A last column in which nothing stands is left out.
function records(mandate, part, rows) {
  const fields = { accounts: account, vat_codes: vatCode, cost_centres: centre, cost_objects: centre, payment_terms: term };
  const cells = rows.map((one) => [...fields[part](one).slice(0, -1), lastOf(mandate, part, one, fields[part](one).at(-1))]);
  const width = cells.some((row) => row.at(-1) !== "") ? cells[0].length : cells[0].length - 1;
  const title = element("summary", `${inWords("lists", part)} (${rows.length.toLocaleString(region())})`);
  const made = element("details", "", "", [title, table(columnsOf(part).slice(0, width), cells.map((row) => row.slice(0, width)), "dense")]);
  if (part === "accounts") made.setAttribute("open", "");
  return element("article", "", "", [made]);
}

function lastOf(mandate, part, one, text) {
  if (!one.deleted_by_master || !RECORDS[part]) return text;
  const given = { mandate: mandate.id, record: RECORDS[part], number: one.number };
  return element("span", text + " ", "", [button(say("remove"), "chart/remove", given, { sure: say("remove-sure", { number: one.number }) })]);
}

function columnsOf(part) {
  if (part === "accounts") return [say("account"), say("name"), say("category"), say("vat"), say("remarks")];
  if (part === "vat_codes") return [say("vat-code"), say("rate"), say("account"), say("what-for")];
  if (part === "payment_terms") return [say("number"), say("name"), say("net-days"), say("discounts"), say("remarks")];
  return [say("number"), say("name"), say("quantity"), say("remarks")];
}

function nameIn(one) {
  return (one.names || {})[words.language] || one.name || "–";
}

function remarks(one) {
  const flags = ["deleted_by_master", "blocked", "cash", "project"].filter((flag) => one[flag]).map((flag) => inWords("flags", flag));
  const dated = ["blocked_from", "collective", "cost_type", "default_cost_centre", "postable_from", "postable_to"].filter((name) => one[name]).map((name) => inWords("flags", name).replace("{value}", one[name]));
  return [...flags, ...dated].join(", ");
}

function account(one) {
  if (one.kind !== "account") return [element("strong", one.number), element("strong", nameIn(one)), "", "", ""];
  return [one.number, nameIn(one), inWords("categories", one.category), one.vat_code || "", remarks(one)];
}

function vatCode(one) {
  return [one.code, one.rate_percent === null ? "–" : `${one.rate_percent} %`, one.account || "–", one.description];
}

function centre(one) {
  return [one.number, nameIn(one), [one.quantity, one.unit].filter(Boolean).join(" "), remarks(one)];
}

function term(one) {
  const discounts = [1, 2].filter((at) => one[`discount_${at}_days`]).map((at) => say("discount", { days: one[`discount_${at}_days`], percent: one[`discount_${at}_percent`] }));
  return [one.number, nameIn(one), one.net_days || "–", discounts.join(", "), remarks(one)];
}

// -- master data of another program -------------------------------------------------------------------

function importing(mandate) {
  if (mandate.role !== "accounting") return [];
  const fields = [
    field(say("whole-path"), "file", { hint: say("export-hint"), must: true }),
    field(say("dry-run"), "dry_run", { type: "checkbox", value: "yes" }),
    field(say("keep-missing"), "keep_missing", { type: "checkbox" }),
    field(say("follow"), "follow", { type: "checkbox" }),
  ];
  const then = (answer) => void answers.set("import " + mandate.id, answer);
  const made = form("chart/import", { mandate: mandate.id }, fields, say("take-over"), { then });
  return [section(say("import"), [quiet(say("import-why")), made, ...imported(answers.get("import " + mandate.id))])];
}

function imported(answer) {
  if (!answer) return [];
  const file = { file: answer.file };
  if (answer.count) return [element("p", say("import-wrong", file), "bad"), list(answer.findings.map(finding))];
  const head = answer.taken ? say("taken", file) : say("not-taken", file);
  const kept = answer.missing.length ? [quiet(say("kept-missing", { what: answer.missing.map((one) => one.number).join(", ") }))] : [];
  return [element("p", head, "good"), quiet(say("import-counts", { n: answer.records, new: answer.new, changed: answer.changed, deleted: answer.deleted })), ...kept];
}
