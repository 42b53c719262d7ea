"use strict";
// Everything works without this file: it shows at once what a button would.

// The sentence of a binding follows its three options.
for (const form of document.querySelectorAll("form[data-sentences]")) {
  const sentences = new Map(form.dataset.sentences.trim().split("\n").map((line) => line.split("=", 2)));
  for (const binding of form.querySelectorAll(".binding")) {
    const boxes = [...binding.querySelectorAll(".options input")];
    binding.querySelector(".options").addEventListener("change", () => {
      const options = boxes.map((box) => (box.checked ? "1" : "0")).join("");
      binding.querySelector("[data-sentence]").textContent = sentences.get(options) ?? "";
    });
  }
}
