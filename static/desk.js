// The key / leads to the search box, unless something is being typed; whoever is in its way switches it off.
const SWITCH = "bookshelf.search-key";
const box = document.getElementById("desk-search");
const isOn = () => localStorage.getItem(SWITCH) !== "off";

document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.altKey || event.metaKey || !isOn()) return;
  // In the box itself no search begins with it: it was pressed out of habit.
  const isNew = event.target === box && box.selectionStart === 0 && box.selectionEnd === box.value.length;
  if (!isNew && event.target.closest("input, textarea, select, [contenteditable]")) return;
  event.preventDefault();
  box.focus();
  box.select();
});

// What is scanned next takes the place of what was looked for before, instead of joining it.
box.addEventListener("focus", () => box.select());
// Unless a fast scanner was there before this script.
if (document.activeElement === box && box.value === box.defaultValue) box.select();

for (const choice of document.querySelectorAll("[data-search-key]")) {
  choice.closest("[hidden]").hidden = false;
  choice.checked = isOn();
  choice.addEventListener("change", () => localStorage.setItem(SWITCH, choice.checked ? "on" : "off"));
}

// What Django's search fields draw has no name of its own: it gets that of the field for which it stands, and what is chosen.
function nameSearchFields() {
  for (const field of document.querySelectorAll("select.admin-autocomplete[title]")) {
    const name = [field.title, field.selectedOptions[0]?.textContent.trim()].filter(Boolean).join(": ");
    field.parentElement.querySelector(".select2-selection__rendered")?.setAttribute("aria-label", name);
  }
}
if (document.querySelector("select.admin-autocomplete")) {
  // They are drawn some time after the page, and again with each line that is added.
  new MutationObserver(nameSearchFields).observe(document.body, { childList: true, subtree: true });
}

// Django names the magnifying glasses of its two-column choices, but not what they are, and so nobody hears the name.
addEventListener("load", () => {
  for (const glass of document.querySelectorAll(".search-label-icon[aria-label]")) glass.setAttribute("role", "img");
});
