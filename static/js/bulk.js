/* Choosing rows. <form data-bulk> holds the table and a <div class="bulk-bar" data-bulk-bar>; boxes are
   [data-bulk-one], the head's box is [data-bulk-all], the number goes to [data-bulk-count] by the words in its
   data-one ("1 chosen") and data-many ("%s chosen"). Without script the bar is always there. */

for (const form of document.querySelectorAll("[data-bulk]")) {
  const bar = form.querySelector("[data-bulk-bar]");
  const count = form.querySelector("[data-bulk-count]");
  // Asked each time: a search replaces the table.
  const head = () => form.querySelector("[data-bulk-all]");
  const boxes = () => [...form.querySelectorAll("[data-bulk-one]")];
  let last = null;

  const show = () => {
    const every = boxes();
    const chosen = every.filter((box) => box.checked).length;
    const all = head();
    if (bar) bar.hidden = chosen === 0;
    if (all) {
      all.checked = chosen > 0 && chosen === every.length;
      all.indeterminate = chosen > 0 && chosen < every.length;
    }
    if (count) {
      const words = chosen === 1 ? count.dataset.one : count.dataset.many;
      const said = words.replace("%s", chosen);
      if (chosen && count.textContent !== said) document.dispatchEvent(new CustomEvent("announce", { detail: said }));
      count.textContent = said;
    }
  };

  form.addEventListener("click", (event) => {
    if (event.target.closest("[data-bulk-clear]")) {
      boxes().forEach((box) => { box.checked = false; });
      show();
      (head() ?? boxes()[0])?.focus();
    }
    // Shift and press chooses everything between, as people expect of lists.
    if (event.target.matches("[data-bulk-one]")) {
      const every = boxes();
      const here = every.indexOf(event.target);
      if (event.shiftKey && last !== null) {
        every.slice(Math.min(here, last), Math.max(here, last) + 1)
          .forEach((box) => { box.checked = event.target.checked; });
      }
      last = here;
    }
  });

  form.addEventListener("change", (event) => {
    if (event.target === head()) boxes().forEach((box) => { box.checked = event.target.checked; });
    show();
  });

  form.addEventListener("htmx:afterSwap", show);
  show();
}
