/* Passkeys: <form data-passkey="create|get" data-options="…"> asks the browser for one and sends what it answers, when
   its [data-passkey-button] is pressed. Both stay hidden where this does not run, or the browser knows no passkeys. */

const isKnown = Boolean(window.PublicKeyCredential && navigator.credentials);

for (const form of document.querySelectorAll("form[data-passkey]")) {
  if (!isKnown) continue;
  const button = form.querySelector("[data-passkey-button]");
  if (!button) continue;
  form.hidden = button.hidden = false;
  form.parentElement.querySelector("[data-passkey-missing]")?.remove();
  form.addEventListener("submit", (event) => {
    if (form.elements.passkey.value || (event.submitter && event.submitter !== button)) return;
    // Not to be taken for sent (busy.js) before there is an answer to send.
    event.preventDefault();
    event.stopPropagation();
    ask(form, button);
  });
}

async function ask(form, button) {
  if (form.dataset.asking) return;
  form.dataset.asking = "true";
  form.querySelectorAll("[data-passkey-said]").forEach((said) => (said.hidden = true));
  const options = JSON.parse(form.dataset.options);
  try {
    const answer =
      form.dataset.passkey === "create"
        ? await navigator.credentials.create({ publicKey: toCreate(options) })
        : await navigator.credentials.get({ publicKey: toGet(options) });
    form.elements.passkey.value = JSON.stringify(told(answer));
    form.requestSubmit(button);
  } catch (error) {
    const said = form.querySelector(`[data-passkey-said="${error.name}"]`);
    (said ?? form.querySelector("[data-passkey-said]")).hidden = false;
    button.focus();
  } finally {
    delete form.dataset.asking;
  }
}

function toCreate(options) {
  return {
    ...options,
    challenge: bytes(options.challenge),
    user: { ...options.user, id: bytes(options.user.id) },
    excludeCredentials: (options.excludeCredentials ?? []).map(described),
  };
}

function toGet(options) {
  return { ...options, challenge: bytes(options.challenge), allowCredentials: options.allowCredentials.map(described) };
}

function described(credential) {
  return { ...credential, id: bytes(credential.id) };
}

function told(credential) {
  const { response } = credential;
  const parts = ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"];
  return {
    id: credential.id,
    rawId: text(credential.rawId),
    type: credential.type,
    response: {
      ...Object.fromEntries(parts.filter((part) => response[part]).map((part) => [part, text(response[part])])),
      ...(response.getTransports ? { transports: response.getTransports() } : {}),
    },
  };
}

function bytes(base64url) {
  const binary = atob(base64url.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}

function text(buffer) {
  const binary = String.fromCharCode(...new Uint8Array(buffer));
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
