"use strict";
const field = document.querySelector("input");
const links = [...document.querySelectorAll("nav .o")];
field.addEventListener("input", () => {
  const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const link of links) {
    const text = (link.textContent + " " + link.title + " " + link.hash).toLowerCase();
    link.hidden = !words.every((word) => text.includes(word));
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && document.activeElement !== field) { event.preventDefault(); field.focus(); }
  if (event.key === "Escape" && document.activeElement === field) { field.value = ""; field.dispatchEvent(new Event("input")); field.blur(); }
});
const targets = new Map([...document.querySelectorAll("nav .list a")].map((link) => [link.hash.slice(1), link]));
const seen = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (!entry.isIntersecting) continue;
    for (const link of targets.values()) link.removeAttribute("aria-current");
    const link = targets.get(entry.target.id);
    link.setAttribute("aria-current", "true");
    link.scrollIntoView({ block: "nearest" });
  }
}, { rootMargin: "0px 0px -75% 0px" });
for (const id of targets.keys()) { const element = document.getElementById(id); if (element) seen.observe(element); }
for (const block of document.querySelectorAll("pre")) {
  const button = document.createElement("button");
  button.textContent = "copy";
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(block.querySelector("code").textContent);
    button.textContent = "copied";
    setTimeout(() => { button.textContent = "copy"; }, 1200);
  });
  if (navigator.clipboard) block.append(button);
}
