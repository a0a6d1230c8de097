"use strict";
const sliders = new Map();

for (const input of document.querySelectorAll("input[data-plane]")) {
  const plane = input.dataset.plane;
  const frame = document.querySelector(`.plane.${plane} .window img`);
  const at = input.dataset.at.split(" ").map(Number);
  const told = input.dataset.told.split("|");
  const output = document.querySelector(`output[for="${input.id}"]`);
  const rules = document.querySelectorAll(`.rule[data-of="${plane}"]`);
  const across = Number(input.dataset.across);

  const show = () => {
    const index = Number(input.value);
    frame.style.left = `${-100 * (index % across)}%`;
    frame.style.top = `${-100 * Math.floor(index / across)}%`;
    output.textContent = told[index];
    input.setAttribute("aria-valuetext", told[index]);
    for (const rule of rules) {
      if (rule.classList.contains("down")) rule.style.left = `${100 * at[index]}%`;
      else rule.style.top = `${100 * (1 - at[index])}%`;
    }
  };
  input.addEventListener("input", show);
  sliders.set(plane, { input, at, show });
  show();
}

const nearest = (at, share) =>
  at.reduce((best, value, index) => Math.abs(value - share) < Math.abs(at[best] - share) ? index : best, 0);

for (const area of document.querySelectorAll(".window")) {
  const choose = (event) => {
    const box = area.getBoundingClientRect();
    const right = (event.clientX - box.left) / box.width;
    const up = 1 - (event.clientY - box.top) / box.height;
    for (const [plane, share] of [[area.dataset.right, right], [area.dataset.up, up]]) {
      const { input, at, show } = sliders.get(plane);
      input.value = nearest(at, share);
      show();
    }
  };
  area.addEventListener("pointerdown", choose);
  area.addEventListener("pointermove", (event) => { if (event.buttons === 1) choose(event); });
}
