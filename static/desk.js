// The key / leads to the search box, unless something is being typed; whoever is in its way switches it off.
const SWITCH = "bookshelf.search-key";
const box = document.getElementById("desk-search");
const isOn = () => localStorage.getItem(SWITCH) !== "off";

document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.altKey || event.metaKey || !isOn()) return;
  if (event.target.closest("input, textarea, select, [contenteditable]")) return;
  event.preventDefault();
  box.focus();
  box.select();
});

for (const choice of document.querySelectorAll("[data-search-key]")) {
  choice.closest("[hidden]").hidden = false;
  choice.checked = isOn();
  choice.addEventListener("change", () => localStorage.setItem(SWITCH, choice.checked ? "on" : "off"));
}

// What Django's search fields draw has no name of its own: it gets the name of the field that it stands for.
function nameSearchFields() {
  for (const field of document.querySelectorAll("select.admin-autocomplete[title]")) {
    field.parentElement.querySelector(".select2-selection__rendered")?.setAttribute("aria-label", field.title);
  }
}
window.addEventListener("load", nameSearchFields);
document.addEventListener("formset:added", () => setTimeout(nameSearchFields));
