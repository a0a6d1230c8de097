"use strict";
const table = document.getElementById("series");

if (table) {
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  const value = (row, column) => row.cells[column].dataset.value;
  const compare = (one, other) => {
    if (one === "" || other === "") return (one === "") - (other === "");
    const numbers = [Number(one), Number(other)];
    return numbers.some(Number.isNaN) ? one.localeCompare(other, undefined, { numeric: true }) : numbers[0] - numbers[1];
  };
  const sortBy = (column, descending) => {
    const rows = [...body.rows];
    rows.sort((one, other) => {
      const [a, b] = [value(one, column), value(other, column)];
      const order = compare(a, b);
      return descending && a !== "" && b !== "" ? -order : order;
    });
    body.append(...rows);
    heads.forEach((head, index) => {
      if (index === column) head.setAttribute("aria-sort", descending ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    });
  };
  heads.forEach((head, column) => {
    head.querySelector("button")?.addEventListener("click", () =>
      sortBy(column, head.getAttribute("aria-sort") === "ascending"));
  });

  const wanted = document.getElementById("wanted");
  const seen = document.getElementById("seen");
  wanted.addEventListener("input", () => {
    const words = wanted.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const row of body.rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
      count += !row.hidden;
    }
    seen.textContent = words.length ? `${count} of ${body.rows.length} shown` : "";
  });
  document.getElementById("gallery").addEventListener("change", (event) =>
    table.classList.toggle("gallery", event.target.checked));
}
