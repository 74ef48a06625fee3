/* Copies the text of the element whose id is in data-copy; says so for two seconds. */

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const source = document.getElementById(button.dataset.copy);
  if (!source) return;
  const text = (source.value ?? source.textContent).trim();
  if (!(await copied(text, source))) return;
  button.classList.add("is-copied");
  document.dispatchEvent(new CustomEvent("announce", { detail: button.dataset.copied }));
  clearTimeout(button.copyTimer);
  button.copyTimer = setTimeout(() => button.classList.remove("is-copied"), 2000);
});

/* The clipboard exists on https and localhost only; elsewhere the text is chosen, ready for Ctrl+C. */
async function copied(text, source) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    getSelection().selectAllChildren(source);
    return false;
  }
}
