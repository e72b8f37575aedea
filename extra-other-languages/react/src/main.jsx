import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import Page from "./Page.jsx";

createRoot(document.getElementById("page")).render(
  <StrictMode>
    <Page path={location.pathname} />
  </StrictMode>,
);
