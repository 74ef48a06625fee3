/* A form is sent once. Its button keeps its width and says what is happening: data-busy="Checking…".
   A button with aria-disabled stays focusable and does nothing. */

document.addEventListener("click", (event) => {
  if (event.target.closest("[aria-disabled='true'], [aria-busy='true']")) event.preventDefault();
});

document.addEventListener("submit", (event) => {
  const form = event.target;
  const button = event.submitter;
  if (button?.getAttribute("aria-disabled") === "true" || form.dataset.sent) {
    event.preventDefault();
    return;
  }
  if (form.target === "_blank" || form.method === "get" || form.hasAttribute("hx-post")) return;
  form.dataset.sent = "true";
  if (button) busy(button);
});

function busy(button) {
  button.style.minWidth = `${button.offsetWidth}px`;
  button.setAttribute("aria-busy", "true");
  if (!button.dataset.busy) return;
  button.dataset.rest = button.innerHTML;
  const spinner = document.createElement("span");
  spinner.className = "spinner";
  button.replaceChildren(spinner, button.dataset.busy);
  setTimeout(() => button.classList.add("is-slow"), 400);
}

function rest(button) {
  button.removeAttribute("aria-busy");
  button.classList.remove("is-slow");
  if (button.dataset.rest) button.innerHTML = button.dataset.rest;
  delete button.dataset.rest;
}

/* Coming back with the browser's Back button finds the form ready again. */
addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  document.querySelectorAll("form[data-sent]").forEach((form) => delete form.dataset.sent);
  document.querySelectorAll("[aria-busy='true']").forEach(rest);
});

document.addEventListener("htmx:beforeRequest", (event) => {
  const button = event.target.matches?.("form") && event.target.querySelector("[type='submit'][data-busy]");
  if (button) busy(button);
});

document.addEventListener("htmx:afterRequest", (event) => {
  event.target.querySelectorAll?.("[aria-busy='true']").forEach(rest);
});
