// Keeps the page of an order up to date: asks whether something has changed, shows what has, and says so once.
// Without it the page is as complete; it says then how to load it again.

const SOONEST = 5, SLOWEST = 60, TIMEOUT = 8; // seconds
const news = document.getElementById("news");
let order = document.getElementById("order");
let etag = order.dataset.etag;
let quietSince = Date.now();
let failures = 0;
let timer, question;

// The longer nothing happens, the less often: every 5 seconds for ten minutes, after two hours once a minute.
function patience() {
  const age = (Date.now() - quietSince) / 1000;
  const seconds = Math.min(Math.max(SOONEST, age / 120) * 2 ** Math.max(0, failures - 3), SLOWEST);
  return seconds * (0.9 + 0.2 * Math.random());
}

async function ask() {
  pause();
  if (document.hidden || !navigator.onLine) return; // an event will tell when to go on
  const mine = question = new AbortController();
  const deadline = setTimeout(() => mine.abort(), TIMEOUT * 1000);
  try {
    const answer = await fetch(location.pathname, { headers: { "If-None-Match": etag }, cache: "no-store", signal: mine.signal });
    if (answer.status === 404) return location.reload(); // the shop has replaced the link
    if (answer.status === 200) show(await answer.text(), answer.headers.get("ETag"));
    else if (answer.status !== 304) throw new Error(answer.statusText);
    failures = 0;
  } catch {
    if (question !== mine) return; // paused, not failed
    failures += 1;
  } finally {
    clearTimeout(deadline);
  }
  order.toggleAttribute("data-away", failures > 1);
  if ("followed" in order.dataset) timer = setTimeout(ask, patience() * 1000);
  else stop();
}

function show(html, version) {
  const page = new DOMParser().parseFromString(html, "text/html");
  const next = document.adoptNode(page.getElementById("order"));
  const had = order.contains(document.activeElement) && document.activeElement.id;
  const told = order.dataset.news;
  order.replaceWith(next);
  order = next;
  etag = version;
  quietSince = Date.now();
  document.title = page.title;
  if (had !== false) (document.getElementById(had) ?? document.getElementById("main")).focus({ preventScroll: true });
  if (order.dataset.news !== told) {
    order.classList.add("is-new");
    news.textContent = order.dataset.news;
  }
}

function pause() {
  clearTimeout(timer);
  const asked = question;
  question = undefined;
  asked?.abort();
}

function resume() {
  quietSince = Date.now(); // somebody looks at it again
  ask();
}

function look() {
  document.hidden ? pause() : resume();
}

function lose() {
  pause();
  order.toggleAttribute("data-away", true);
}

function stop() {
  document.removeEventListener("visibilitychange", look);
  removeEventListener("online", resume);
  removeEventListener("offline", lose);
  removeEventListener("pageshow", restore);
}

function restore(event) {
  if (event.persisted) resume();
}

document.addEventListener("visibilitychange", look);
addEventListener("online", resume);
addEventListener("offline", lose);
addEventListener("pageshow", restore);
timer = setTimeout(ask, patience() * 1000);
