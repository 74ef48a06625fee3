/* Arrow keys in popover menus (<div class="menu" popover> opened by popovertarget). Escape, a press outside and
   the return of focus are the browser's own. */

const items = (menu) => [...menu.querySelectorAll(".menu-item")].filter((item) => item.checkVisibility());

document.addEventListener("toggle", (event) => {
  const menu = event.target;
  if (!(menu instanceof HTMLElement) || !menu.matches(".menu[popover]")) return;
  const opener = document.querySelector(`[popovertarget="${CSS.escape(menu.id)}"]`);
  const opens = event.newState === "open";
  opener?.setAttribute("aria-expanded", String(opens));
  if (!opens) return;
  if (opener && !CSS.supports("position-area", "block-end span-inline-start")) place(menu, opener);
  (menu.querySelector("[data-focus]") ?? items(menu)[0])?.focus({ preventScroll: true });
}, true);

document.addEventListener("keydown", (event) => {
  const menu = event.target.closest?.(".menu[popover]");
  if (!menu) {
    const opener = event.target.closest?.("[popovertarget]");
    const target = opener && document.getElementById(opener.getAttribute("popovertarget"));
    if (event.key === "ArrowDown" && target?.matches(".menu")) {
      event.preventDefault();
      target.showPopover({ source: opener });
    }
    return;
  }
  const all = items(menu);
  const here = all.indexOf(document.activeElement);
  if (here === -1) return;
  const next = { ArrowDown: here + 1, ArrowUp: here - 1, Home: 0, End: all.length - 1 }[event.key];
  if (next === undefined) return;
  event.preventDefault();
  all.at(next % all.length).focus();
});

/* For browsers without anchor positioning: below the button, ends aligned, inside the window. */
function place(menu, opener) {
  const at = opener.getBoundingClientRect();
  const box = menu.getBoundingClientRect();
  const below = at.bottom + box.height + 8 < innerHeight;
  menu.style.top = `${below ? at.bottom : Math.max(8, at.top - box.height - 8)}px`;
  menu.style.left = `${Math.max(8, Math.min(at.right - box.width, innerWidth - box.width - 8))}px`;
}
