// A field with [data-isbn] turns what is typed or scanned into the 13 digits of an ISBN and says at once if one of them
// is wrong; the address in the attribute says whether the shop has the book already.

/** The 13 digits of an ISBN-10, an ISBN-13 or a scan with its add-on; "" while it is too short to tell; null if wrong. */
function thirteen(text) {
  const digits = text.normalize("NFKC").toUpperCase().replace(/^(URN:)?ISBN(-1[03])?:?/, "").replace(/[^0-9X]/g, "");
  if (/^97[89]/.test(digits)) {
    if ([13, 15, 18].includes(digits.length)) return checked13(digits.slice(0, 13));
    return digits.length < 13 ? "" : null;
  }
  return digits.length === 10 ? checked10(digits) : digits.length < 10 ? "" : null;
}

function checked13(isbn) {
  return isbn === isbn.slice(0, 12) + check13(isbn) ? isbn : null;
}

function checked10(isbn) {
  let sum = 0;
  for (let place = 0; place < 10; place++) {
    const digit = isbn[place] === "X" && place === 9 ? 10 : Number(isbn[place]);
    if (Number.isNaN(digit)) return null;
    sum += (10 - place) * digit;
  }
  const body = "978" + isbn.slice(0, 9);
  return sum % 11 ? null : body + check13(body);
}

function check13(isbn) {
  let sum = 0;
  for (let place = 0; place < 12; place++) sum += Number(isbn[place]) * (place % 2 ? 3 : 1);
  return String((10 - (sum % 10)) % 10);
}

function watch(field) {
  const verdict = document.createElement("div");
  verdict.id = `${field.id}_verdict`;
  verdict.className = "verdict";
  verdict.setAttribute("role", "status");
  field.closest("div").append(verdict);
  const book = location.pathname.match(/([0-9a-f-]{36})\/change\/$/)?.[1] ?? "";
  let asked = "";
  let timer;

  async function ask(text) {
    asked = text;
    const answer = await fetch(`${field.dataset.isbn}?${new URLSearchParams({ isbn: text, book })}`);
    if (!answer.ok || asked !== text || answer.redirected) return;
    const said = await answer.json();
    if (said.isbn && document.activeElement !== field) asked = field.value = said.isbn;
    verdict.replaceChildren();
    verdict.classList.toggle("is-wrong", Boolean(said.error || said.twin));
    field.setAttribute("aria-invalid", said.error || said.twin ? "true" : "false");
    if (said.twin) {
      const link = document.createElement("a");
      link.href = said.page;
      link.textContent = said.twin;
      verdict.append(link);
    } else {
      verdict.textContent = said.error ?? "✓";
    }
  }

  function look(isFinished) {
    clearTimeout(timer);
    const isbn = thirteen(field.value);
    const isLong = field.value.replace(/[^0-9]/g, "").length > 13;
    if (isLong && !isFinished) { // the add-on of a scan, of which more may come
      timer = setTimeout(() => look(true), 600);
      return;
    }
    if (isbn) field.value = isbn;
    if (!field.value.trim() || (isbn === "" && !isFinished)) {
      asked = "";
      verdict.replaceChildren();
      field.removeAttribute("aria-invalid");
    } else if (field.value !== asked) {
      timer = setTimeout(() => ask(field.value).catch(() => {}), isFinished ? 0 : 150);
    }
  }

  field.addEventListener("input", () => {
    // the 10 digits of a whole ISBN may be the first of 13 that are still being typed
    const begun = field.value.replace(/[^0-9X]/gi, "");
    if (begun.length === 10 && /^97[89]/.test(begun)) return;
    look(false);
  });
  field.addEventListener("change", () => look(true));
  field.addEventListener("keydown", event => {
    if (event.key !== "Enter") return;
    event.preventDefault(); // a scanner ends with Enter, and the rest of the form isn't filled in yet
    look(true);
    const fields = [...field.form.elements].filter(other => other.matches("input:not([type=hidden]), textarea") && !other.disabled);
    (fields.find(other => !other.value && other !== field) ?? fields[fields.indexOf(field) + 1])?.focus();
  });
  if (field.value) look(true);
}

document.querySelectorAll("[data-isbn]").forEach(watch);
