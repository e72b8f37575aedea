// Which image this is. A browser cannot see what surrounds the server, so it is written into
// a file when the image is built: `node image.js > dist/image.json`.
import { readFileSync } from "node:fs";
import { machine } from "node:os";
import { fileURLToPath } from "node:url";

// What uname(1) calls the processors that images are built for.
const MACHINES = { amd64: "x86_64", arm64: "aarch64" };

export function image({ VARIANT, TARGETARCH }) {
  const { dependencies } = JSON.parse(readFileSync(new URL("package.json", import.meta.url)));
  return {
    step: "extra-other-languages",
    variant: VARIANT || "unknown",
    react: dependencies.react,
    machine: MACHINES[TARGETARCH] ?? machine(),
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  console.log(JSON.stringify(image(process.env)));
}
