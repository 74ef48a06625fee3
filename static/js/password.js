/* Show and hide what is typed into a password field. The button appears only where this runs. */

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-show-password]");
  const input = button && document.getElementById(button.dataset.showPassword);
  if (!input) return;
  const shows = input.type === "password";
  input.type = shows ? "text" : "password";
  button.setAttribute("aria-pressed", String(shows));
  button.querySelector("[data-when-hidden]").hidden = shows;
  button.querySelector("[data-when-shown]").hidden = !shows;
});

/* A shown password must not be offered by the browser as something typed before. */
document.addEventListener("submit", (event) => {
  for (const button of event.target.querySelectorAll("[data-show-password][aria-pressed='true']")) button.click();
});
