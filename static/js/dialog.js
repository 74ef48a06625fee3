/* Dialogs are <dialog popover> opened by <button popovertarget>: that works without script. With script they
   become modal: the page behind is inert, focus is held, and goes back to what opened them.

   data-focus      on the element that gets focus first (the safe button)
   data-open       on a dialog that is to be open when the page arrives (its form came back with an error) */

const openers = new WeakMap();

function open(dialog, opener) {
  if (dialog.open) return;
  openers.set(dialog, opener);
  dialog.showModal();
  dialog.querySelector("[aria-invalid='true'], [data-focus]")?.focus();
}

function returnFocus(dialog) {
  const opener = openers.get(dialog);
  openers.delete(dialog);
  if (opener?.isConnected && opener.checkVisibility()) {
    opener.focus();
    return;
  }
  // What opened it may have been in a menu that closed, or in a row that is gone.
  const menu = opener?.isConnected && opener.closest("[popover]:not(dialog)");
  const trigger = menu && document.querySelector(`[popovertarget="${CSS.escape(menu.id)}"]`);
  const fallback = trigger || document.querySelector("main h1");
  if (fallback && !trigger) fallback.tabIndex = -1;
  fallback?.focus();
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[popovertarget]");
  const target = button && document.getElementById(button.getAttribute("popovertarget"));
  if (target instanceof HTMLDialogElement) {
    event.preventDefault();
    if (button.getAttribute("popovertargetaction") === "hide") target.close();
    else open(target, button);
    return;
  }
  // A press on the scrim closes a drawer, which holds nothing that could be lost.
  if (event.target instanceof HTMLDialogElement && event.target.matches(".drawer")) event.target.close();
});

document.addEventListener("close", (event) => {
  if (event.target instanceof HTMLDialogElement) returnFocus(event.target);
}, true);

for (const dialog of document.querySelectorAll("dialog[data-open]")) open(dialog, null);

document.addEventListener("htmx:load", (event) => {
  const dialog = event.target.closest?.("dialog[data-open]") ?? event.target.querySelector?.("dialog[data-open]");
  if (dialog) open(dialog, document.activeElement);
});
