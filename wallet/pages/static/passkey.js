// Passkeys: the form asks our service for a question, the authenticator answers it and computes its secret (PRF), and
// the form goes on with both. Where the browser has no passkeys the form stays hidden.

const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
const text = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

for (const form of document.querySelectorAll("[data-passkey]")) {
  if (!window.PublicKeyCredential) continue;
  form.hidden = false;
  form.addEventListener("submit", (event) => {
    if (form.elements.answer.value) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    ask(form);
  }, { capture: true });
}

async function ask(form) {
  const said = form.querySelector("[data-said]");
  said.textContent = "";
  if (form.dataset.named) {  // a new account: its name stands in the form above
    const named = document.getElementById(form.dataset.named);
    if (!named.reportValidity()) return;
    form.elements.name.value = named.value;
  }
  try {
    const asked = await question(form);
    if (form.elements.user) form.elements.user.value = asked.user.id;
    const options = prepared(asked);
    const found = form.dataset.how === "create" ? await made(options) : await navigator.credentials.get({ publicKey: options });
    const secret = found.getClientExtensionResults().prf?.results?.first ?? found.secret;
    if (!secret) {
      said.textContent = form.dataset.lacking;
      return;
    }
    form.elements.secret.value = text(secret);
    form.elements.answer.value = JSON.stringify(plain(found));
    form.requestSubmit();
  } catch {
    said.textContent = form.dataset.failed;
  }
}

// Some authenticators say at once that they can, and compute the secret only when they are used.
async function made(options) {
  const found = await navigator.credentials.create({ publicKey: options });
  const told = found.getClientExtensionResults().prf;
  if (told?.results?.first || !told?.enabled) return found;
  const used = await navigator.credentials.get({
    publicKey: {
      challenge: crypto.getRandomValues(new Uint8Array(32)),
      rpId: options.rp.id,
      allowCredentials: [{ type: "public-key", id: found.rawId }],
      userVerification: "required",
      extensions: options.extensions,
    },
  });
  found.secret = used.getClientExtensionResults().prf?.results?.first;
  return found;
}

async function question(form) {
  const body = new URLSearchParams({ form_token: form.elements.form_token.value });
  if (form.dataset.named) body.set("name", form.elements.name.value);
  const answer = await fetch(form.dataset.passkey, { method: "POST", body });
  if (!answer.ok) throw new Error("refused");
  return answer.json();
}

function prepared(options) {
  options.challenge = bytes(options.challenge);
  if (options.user) options.user.id = bytes(options.user.id);
  for (const each of options.excludeCredentials ?? []) each.id = bytes(each.id);
  for (const each of options.allowCredentials ?? []) each.id = bytes(each.id);
  options.extensions.prf.eval.first = bytes(options.extensions.prf.eval.first);
  return options;
}

function plain(found) {
  const response = { clientDataJSON: text(found.response.clientDataJSON) };
  for (const name of ["attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (found.response[name]) response[name] = text(found.response[name]);
  }
  return { id: found.id, rawId: text(found.rawId), type: found.type, clientExtensionResults: {}, response };
}
