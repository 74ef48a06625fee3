/* Two minutes before the session ends, a banner says so, in every tab. Nothing here keeps the session alive but the
   press of its button: the server is asked how long is left once it is time, and that puts nothing off. Tabs tell each
   other what they know, since a page opened in one of them has given time to all. */

const banner = document.querySelector("[data-ending]");
const WARN = 120; // seconds
const LONGEST_TIMER = 2 ** 31 - 1; // milliseconds
const part = (name) => banner.querySelector(`[data-ending-${name}]`);

let end; // in milliseconds of this browser's clock: only spans come from the server
let timer;
let shown = ""; // what is said at the moment
let before = null; // where the focus was before it came into the banner
let tabs;

function wait(milliseconds) {
  clearTimeout(timer);
  timer = setTimeout(look, Math.min(Math.max(milliseconds, 0), LONGEST_TIMER));
}

/* Asks the server, once it is time to. */
async function look() {
  const early = end - WARN * 1000 - Date.now();
  if (early > 500) wait(early);
  else hear(await ask(banner.dataset.left));
}

/* Returns what the server says, or null when nobody answers. */
async function ask(url, options = {}) {
  const headers = { "X-Requested-With": "fetch", ...options.headers };
  try {
    const answer = await fetch(url, { ...options, headers });
    if (answer.status === 401) return { over: true };
    return answer.ok ? await answer.json() : null;
  } catch {
    return null;
  }
}

function hear(said) {
  if (!said) {
    wait(30_000);
  } else if (said.over) {
    clearTimeout(timer);
    say(part("over"), { again: true });
  } else if (said.who !== banner.dataset.who) {
    clearTimeout(timer);
    say(part("other"), {});
  } else {
    end = Date.now() + said.seconds * 1000;
    if (said.seconds > WARN) {
      hide();
      wait(end - WARN * 1000 - Date.now());
    } else if (said.fact) {
      show(said.fact, said.text, { stay: said.can_go_on });
      wait(said.seconds * 1000 + 1000);
    } else {
      look();
    }
  }
}

function say(template, buttons) {
  const [fact, text] = template.content.children;
  show(fact.textContent, text.textContent, buttons);
}

function show(fact, text, { stay = false, again = false }) {
  part("fact").textContent = fact;
  part("text").textContent = text;
  part("stay").hidden = !stay;
  part("again").hidden = !again;
  place();
  if (shown !== fact) announce(`${fact} ${text}`);
  shown = fact;
}

/* Everything outside of an open dialog is inert: the banner has to be in it. The next Tab from where the person is
   leads into the banner. */
function place() {
  const home = [...document.querySelectorAll("dialog:modal")].at(-1) ?? document.body;
  const open = banner.matches(":popover-open");
  if (open && banner.parentElement === home) return;
  if (open) banner.hidePopover();
  home.append(banner);
  banner.showPopover({ source: document.activeElement });
}

function hide() {
  shown = "";
  const held = banner.contains(document.activeElement);
  if (banner.matches(":popover-open")) banner.hidePopover();
  if (held && before?.isConnected) before.focus();
}

function announce(words) {
  document.dispatchEvent(new CustomEvent("announce", { detail: words }));
}

async function stay() {
  const token = JSON.parse(document.body.getAttribute("hx-headers") ?? "{}")["x-csrftoken"];
  const said = await ask(banner.dataset.stay, { method: "POST", headers: { "X-CSRFToken": token } });
  hear(said);
  if (!said?.stays) return;
  tabs.postMessage(said);
  announce(said.stays);
}

if (banner?.dataset.seconds) {
  tabs = new BroadcastChannel("session");
  tabs.addEventListener("message", (event) => hear(event.data));
  part("stay").addEventListener("click", stay);
  part("close").addEventListener("click", hide);
  banner.addEventListener("focusin", (event) => {
    if (event.relatedTarget && !banner.contains(event.relatedTarget)) before = event.relatedTarget;
  });
  // Dialogs open and close around it.
  for (const change of ["toggle", "close"]) {
    document.addEventListener(change, (event) => {
      if (event.target instanceof HTMLDialogElement && shown) place();
    }, true);
  }
  // A machine that slept, and a page that comes back from the browser's memory: timers stood still.
  addEventListener("pageshow", (event) => { if (event.persisted) hear({ ...banner.dataset, seconds: 0 }); });
  document.addEventListener("visibilitychange", () => { if (!document.hidden && end - Date.now() < WARN * 1000) look(); });

  const known = { who: banner.dataset.who, seconds: Number(banner.dataset.seconds) };
  tabs.postMessage(known);
  hear(known);
}
