"use strict";
// Joining a mandate: what a ticket says is shown first, and only then a button joins.

// What a daemon takes: a recovery file names all members. Each byte that is no text becomes three on the way.
const TICKET_BYTES_MAX = 112 * 1024;
const REQUEST_BYTES_MAX = 120 * 1024;

function joining() {
  const found = answers.get("ticket");
  return section(say("join"), found ? asking(found) : giving());
}

// A ticket is pasted, chosen, or dropped anywhere on the page.
function giving() {
  const file = field(say("ticket-file"), "file", { type: "file", hint: say("ticket-file-hint") });
  file.querySelectorAll("input")[0].addEventListener("change", (event) => {
    takeFile(event.target.files[0]);
    event.target.value = ""; // so that the same file can be chosen again
  });
  const made = form("join/show", {}, [field(say("ticket-or-code"), "ticket", { must: true }), file], say("look-at-it"), { read: ({ ticket }) => ({ ticket }), send: whatItSays, then: keepTicket });
  return [quiet(say("join-why")), made];
}

// The ticket itself stays in this script: no address and no element of the page holds it.
function whatItSays(name, given) {
  return act(name, given).then((found) => ({ ...found, text: given.ticket }));
}

function keepTicket(found) {
  answers.set("ticket", found);
}

function lookAt(ticket) {
  return perform("join/show", () => whatItSays("join/show", { ticket }), keepTicket);
}

function asking(found) {
  const other = plain(say("other-ticket"), () => answers.delete("ticket") && refresh());
  if (found.already) return [facts(found), element("p", say("already-member"), "warn"), element("p", "", "tools", [link(found.mandate, "m", found.id), other])];
  const folder = field(say("folder"), "folder", { value: found.folder || "", hint: say("join-folder-hint"), must: true });
  const read = (values) => ({ ticket: found.text, ...stated(values) });
  const made = form("join", {}, [folder, ownPerson()], say("join-it"), { read, send: seek, then: entered });
  return [facts(found), quiet(advice(found)), made, element("p", "", "tools", [other])];
}

function advice(found) {
  if (found.kind === "code") return say("code-unsaid");
  return found.kind === "recovery" ? say("recovery-file") : say("compare-first");
}

function facts(found) {
  const unsaid = say("not-said");
  const role = found.role ? inWords("roles", found.role) + (found.admin ? `, ${say("admin")}` : "") : unsaid;
  const several = {
    code: [[say("number"), String(found.number)]],
    recovery: [[say("mandate"), found.mandate], [say("role"), role]],
    ticket: [[say("mandate"), found.mandate || unsaid], [say("invited-by"), found.inviter || unsaid], [say("fingerprint"), found.fingerprint], [say("role"), role], [say("ticket-until"), moment(found.expires)]],
  };
  return list(several[found.kind].map(([title, text]) => element("span", "", "", [element("span", `${title}: `, "quiet"), element("strong", text)])));
}

// It may take a minute until the inviting PC is found.
function seek(name, given) {
  tell(say("seeking"));
  return act(name, given);
}

function entered(answer) {
  if (answer.message) return answer.message;
  answers.delete("ticket");
  goTo(`m/${answer.id}`);
  return say("joined", { mandate: answer.mandate, role: inWords("roles", answer.role), fingerprint: answer.fingerprint });
}

// -- files --------------------------------------------------------------------------------------------

async function takeFile(file) {
  if (!file) return;
  goTo("new");
  const text = await file.slice(0, TICKET_BYTES_MAX).text().catch(() => "");
  await lookAt(sendable(text.replaceAll("\0", "\ufffd")));
}

// What a daemon can be asked about: it says what is wrong with it.
function sendable(text) {
  return new TextEncoder().encode(JSON.stringify(text)).length <= REQUEST_BYTES_MAX ? text : sendable(text.slice(0, text.length / 2));
}

// Without this a browser would show the file in the place of the page.
function awaitFiles() {
  window.addEventListener("dragover", (event) => {
    if ([...event.dataTransfer.types].includes("Files")) event.preventDefault();
  });
  window.addEventListener("drop", (event) => {
    if (!event.dataTransfer.files.length) return;
    event.preventDefault();
    takeFile(event.dataTransfer.files[0]);
  });
}

// A ticket's file was double-clicked: the daemon keeps what it holds for this page, once.
async function takeHanded() {
  const { ticket } = await act("web/ticket", {}).catch(() => ({ ticket: null }));
  goTo("new");
  if (ticket) await lookAt(ticket);
}
