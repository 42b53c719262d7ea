"use strict";
// Passkeys are what only a script can ask a browser for: their form is hidden until it
// can be used.

const passkey = document.querySelector("form[data-passkey]");
const creates = passkey?.dataset.passkey === "create";
// waiting is what ends the question that is open: a page may have one.
let waiting;
const read = creates ? "parseCreationOptionsFromJSON" : "parseRequestOptionsFromJSON";

if (passkey && window.PublicKeyCredential && PublicKeyCredential[read]) {
  passkey.hidden = false;
  const unable = document.querySelector("[data-unable]");
  if (unable) unable.hidden = true;
  passkey.addEventListener("submit", (event) => {
    event.preventDefault();
    press();
  });
  if (!creates) suggest();
}

// answer asks the browser and returns what its authenticator says, as text.
async function answer(mediation) {
  waiting?.abort();
  waiting = new AbortController();
  const signal = waiting.signal;
  const response = await fetch(passkey.dataset.challenge, { method: "POST", body: new URLSearchParams(new FormData(passkey)), signal, redirect: "manual" });
  if (response.type === "opaqueredirect") { // the sign-in went on in another tab, or the session is too old
    location.assign(passkey.dataset.page);
    throw new DOMException("moved", "AbortError");
  }
  if (!response.ok) throw new Error(response.statusText);
  const publicKey = PublicKeyCredential[read](await response.json());
  const made = await (creates ? navigator.credentials.create({ publicKey, signal }) : navigator.credentials.get({ publicKey, mediation, signal }));
  return JSON.stringify(made.toJSON());
}

function send(text) {
  passkey.elements.answer.value = text;
  passkey.submit();
}

async function press() {
  const button = passkey.querySelector("button"), alert = passkey.querySelector("[role=alert]");
  button.disabled = true;
  alert.hidden = true;
  document.querySelector(".good")?.remove(); // is about what was done before
  try {
    send(await answer());
  } catch (error) {
    button.disabled = false;
    if (error.name === "NotAllowedError" || error.name === "AbortError") return; // the browser told, or the user did
    alert.textContent = (error.name === "InvalidStateError" && passkey.dataset.exists) || passkey.dataset.failed;
    alert.hidden = false;
  }
}

// suggest lets the browser offer passkeys where it offers logins. Nobody asked for it,
// so nobody hears that it did not work.
async function suggest() {
  try {
    if (await PublicKeyCredential.isConditionalMediationAvailable?.()) send(await answer("conditional"));
  } catch { /* the button is there */ }
}
