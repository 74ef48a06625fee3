/* Says something to assistive technology, once. Other modules ask for it with an event, so that none
   needs to import another: document.dispatchEvent(new CustomEvent("announce", {detail: "Copied"})).
   htmx responses can ask too, with the header HX-Trigger: {"announce": {"value": "412 of 1,250 sent"}}. */

const polite = document.querySelector("[data-announcer]");

document.addEventListener("announce", (event) => {
  if (!polite) return;
  const words = typeof event.detail === "string" ? event.detail : event.detail?.value;
  polite.textContent = "";
  // A change from empty to words is what gets read, also when the same words come twice.
  setTimeout(() => { polite.textContent = words ?? ""; }, 50);
});
