// What the theme leaves out for those who use a keyboard or a screen reader (found by axe-core).
addEventListener("load", () => {
  document.querySelector(".md-search")?.setAttribute("aria-label", "Search");
  // A wide table and a row of tabs scroll sideways; the arrow keys can do that only where the focus can go.
  for (const wrap of document.querySelectorAll(".md-typeset__scrollwrap, .tabbed-labels")) wrap.tabIndex = 0;
});

// What is folded is open on paper.
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((one) => (one.open = true)))
