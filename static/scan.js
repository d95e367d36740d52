// Stocktake: a scanner types and ends with Enter. Each scan is sent at once and in its order; until the server has it,
// it is kept here, also over a reload, and under its token it counts once however often it is sent.
const form = document.getElementById("scan");
const field = form.elements.text;
const verdict = document.getElementById("verdict");
const counted = document.getElementById("counted");
const STORE = "bookshelf.scans." + (document.querySelector("#user-tools strong")?.textContent ?? "");

let queue = JSON.parse(localStorage.getItem(STORE) ?? "[]");
let isSending = false;
let audio;

function newToken() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, byte => byte.toString(16).padStart(2, "0")).join("");
}

function keep() {
  if (queue.length) localStorage.setItem(STORE, JSON.stringify(queue));
  else localStorage.removeItem(STORE);
}

function say(kind, text) {
  verdict.className = `verdict is-${kind}`;
  verdict.textContent = text;
  if (kind !== "heard") beep(kind);
}

/** Two sounds that can be told apart with the eyes on the shelf: low for an unknown book, twice for a misread. */
function beep(kind) {
  try {
    audio ??= new AudioContext();
    (kind === "unknown" ? [220] : [440, 440]).forEach((pitch, place) => {
      const tone = audio.createOscillator();
      tone.frequency.value = pitch;
      tone.connect(audio.destination);
      tone.start(audio.currentTime + place * 0.2);
      tone.stop(audio.currentTime + place * 0.2 + 0.12);
    });
  } catch { /* no sound here: the words are enough */ }
}

async function send() {
  if (isSending) return;
  isSending = true;
  while (queue.length) {
    try {
      const body = new FormData(form);
      body.set("text", queue[0].text);
      body.set("token", queue[0].token);
      const answer = await fetch(form.action, { method: "POST", body, headers: { Accept: "application/json" }, redirect: "error" });
      if (!answer.ok) throw new Error(String(answer.status));
      const heard = await answer.json();
      queue.shift();
      keep();
      say(heard.kind, heard.said);
      counted.innerHTML = heard.counted;
    } catch {
      say("lost", form.dataset.lost);
      await new Promise(resolve => setTimeout(resolve, 2000));
    }
  }
  isSending = false;
}

form.addEventListener("submit", event => {
  event.preventDefault();
  const text = field.value.trim();
  field.value = "";
  field.focus();
  if (!text) return;
  queue.push({ text, token: newToken() });
  keep();
  send();
});
addEventListener("beforeunload", event => { if (queue.length) event.preventDefault(); });
// what is scanned while something else has the focus is meant for the field
addEventListener("keydown", event => {
  if (/^[0-9]$/.test(event.key) && !event.ctrlKey && !event.metaKey && !event.altKey && !event.target.closest("input, textarea, select")) field.focus();
});
field.focus();
send();
