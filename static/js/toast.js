/* Toasts leave after six seconds, unless someone points at them or is in them. Without script they stay. */

const region = document.querySelector(".toasts");
const SECONDS = 6;

function above(element) {
  // The top layer keeps toasts above dialogs.
  if (!element.hasAttribute("popover")) element.setAttribute("popover", "manual");
  if (!element.matches(":popover-open")) element.showPopover();
}

function start(toast) {
  if (toast.dataset.started) return;
  toast.dataset.started = "true";
  let timer;
  const wait = () => { timer = setTimeout(() => leave(toast), SECONDS * 1000); };
  const hold = () => clearTimeout(timer);
  toast.addEventListener("pointerenter", hold);
  toast.addEventListener("focusin", hold);
  toast.addEventListener("pointerleave", wait);
  toast.addEventListener("focusout", wait);
  document.dispatchEvent(new CustomEvent("announce", { detail: toast.querySelector("span").textContent.trim() }));
  wait();
}

function leave(toast) {
  toast.classList.add("is-leaving");
  setTimeout(() => toast.remove(), 250);
}

function look() {
  const toasts = region.querySelectorAll(".toast");
  if (!toasts.length) return;
  above(region);
  toasts.forEach(start);
}

if (region) {
  look();
  new MutationObserver(look).observe(region, { childList: true });
  region.addEventListener("click", (event) => {
    const toast = event.target.closest("[data-dismiss]")?.closest(".toast");
    if (toast) leave(toast);
  });
}
