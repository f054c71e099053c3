// What a mark tells appears beside the pointer, or the finger; without this script the browser shows its title.
(function () {
  const tip = document.createElement("div");
  tip.id = "tip";
  tip.hidden = true;
  document.body.append(tip);
  const told = new WeakMap();
  for (const mark of document.querySelectorAll("svg .mark")) {
    const title = mark.querySelector("title");
    told.set(mark, title.textContent);
    mark.setAttribute("aria-label", title.textContent);
    title.remove();
  }
  document.addEventListener("pointermove", show);
  document.addEventListener("pointerdown", show);
  document.addEventListener("scroll", hide, true);
  function hide() { tip.hidden = true; }
  function show(event) {
    const mark = event.target.closest ? event.target.closest("svg .mark") : null;
    if (!mark) { hide(); return; }
    tip.textContent = told.get(mark);
    tip.hidden = false;
    const room = window.innerWidth - tip.offsetWidth - 8;
    tip.style.left = Math.max(8, Math.min(event.clientX + 14, room)) + "px";
    const below = event.clientY + 18;
    const fits = window.innerHeight - below - tip.offsetHeight;
    tip.style.top = (Math.sign(fits) === -1 ? event.clientY - tip.offsetHeight - 12 : below) + "px";
  }
})();
