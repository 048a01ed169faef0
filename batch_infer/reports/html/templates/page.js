// Choosing the right digit of each picture, and saving what was chosen as a file. Nothing leaves the page otherwise.
"use strict";
(() => {
  const cards = [...document.querySelectorAll(".card")];
  const template = document.getElementById("choice");
  const status = document.getElementById("chosen");
  const save = document.getElementById("save");
  let unsaved = false;

  cards.forEach((card, number) => {
    const choice = template.content.cloneNode(true);
    choice.querySelector("legend").textContent = `Right digit of ${card.querySelector(".path").textContent}`;
    choice.querySelectorAll("input").forEach((input) => (input.name = `row${number}`));
    card.append(choice);
  });
  document.querySelectorAll(".review .scripted, .review .save").forEach((part) => (part.hidden = false));

  const chosen = () =>
    cards.flatMap((card) => {
      const label = card.querySelector("input:checked").value;
      const index = card.querySelector(".index b")?.textContent ?? "";
      return label ? [{ path: card.querySelector(".path bdi").textContent, index, label }] : [];
    });

  const changed = () => {
    const number = chosen().length;
    unsaved = number > 0;
    save.disabled = number === 0;
    status.textContent = number ? `${number} of ${cards.length} chosen.` : "No digit chosen yet.";
  };

  document.addEventListener("change", (event) => event.target.closest(".choice") && changed());

  document.addEventListener("keydown", (event) => {
    const choice = event.target.closest(".choice");
    if (!choice || !/^[0-9]$/.test(event.key) || event.ctrlKey || event.altKey || event.metaKey) return;
    const input = choice.querySelector(`input[value="${event.key}"]`);
    input.checked = true;
    input.focus();
    changed();
  });

  save.addEventListener("click", () => {
    const rows = chosen();
    const lines = rows.map((row) => `"${row.path.replaceAll('"', '""')}",${row.index},${row.label}\n`);
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob(["path,index,label\n", ...lines], { type: "text/csv" }));
    link.download = "labels.csv";
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
    unsaved = false;
    status.textContent = `labels.csv saved with ${rows.length} ${rows.length === 1 ? "label" : "labels"}.`;
  });

  window.addEventListener("beforeunload", (event) => unsaved && event.preventDefault());
})();
