// A part of the page that changes by itself ([data-polls]) is fetched again until the server says that it is finished.
const PAUSE = 1000;

async function poll() {
  const part = document.querySelector("[data-polls]");
  if (!part) return;
  try {
    const answer = await fetch(location.href, { credentials: "same-origin", redirect: "error" });
    if (answer.ok) {
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.getElementById(part.id);
      if (fresh && !fresh.isEqualNode(part)) replace(part, fresh);
    }
  } catch { /* the server restarts: ask again */ }
  setTimeout(poll, PAUSE);
}

function replace(part, fresh) {
  const focused = part.contains(document.activeElement) ? document.activeElement.closest("form")?.id : "";
  const heading = fresh.querySelector("h2").textContent.trim();
  if (heading !== part.querySelector("h2").textContent.trim()) document.querySelector("[data-says]").textContent = heading;
  part.replaceWith(document.adoptNode(fresh));
  if (focused) document.getElementById(focused)?.querySelector("button")?.focus();
}

setTimeout(poll, PAUSE);
