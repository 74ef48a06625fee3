/* A page that came back with errors puts the person where the first one is. */

const dialog = document.querySelector("dialog[open]");
const first = (dialog ?? document).querySelector("[data-error-summary], [aria-invalid='true']");
if (first && !first.closest("dialog:not([open])")) first.focus();
