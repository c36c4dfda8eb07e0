"use strict";
(() => {
  // A run that goes on: its state is asked for every two seconds; when it has ended the page is loaded anew.
  for (const place of document.querySelectorAll("[data-live]")) {
    const ask = async () => {
      try {
        const answer = await fetch(place.dataset.live, { cache: "no-store" });
        if (answer.headers.get("X-Run-Ended") === "yes") { location.reload(); return; }
        if (answer.ok) { place.innerHTML = await answer.text(); }
      } catch { /* the server is gone, or comes back */ }
      setTimeout(ask, 2000);
    };
    setTimeout(ask, 2000);
  }

  // The one file: a link into something folded opens it.
  const open = () => {
    const goal = document.querySelector(":target");
    for (let at = goal; at; at = at.parentElement) { if (at.tagName === "DETAILS") { at.open = true; } }
    if (goal) { goal.scrollIntoView(); }
  };
  addEventListener("hashchange", open);
  open();

  // The one file: search over all of its views.
  const form = document.querySelector("form[data-find]");
  const found = document.querySelector("[data-found]");
  if (form && found) {
    form.hidden = false;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const words = form.elements.q.value.trim().toLowerCase();
      const hits = [...document.querySelectorAll("section.view")].filter(
        (view) => words && view.textContent.toLowerCase().includes(words));
      const list = document.createElement("ul");
      for (const view of hits) {
        const link = document.createElement("a");
        link.href = "#" + view.id;
        link.textContent = view.querySelector("h2").textContent;
        list.appendChild(document.createElement("li")).appendChild(link);
      }
      const head = document.createElement("h2");
      head.textContent = words ? `Found in ${hits.length} places` : "Write what to look for";
      found.replaceChildren(head, list);
    });
  }
})();
