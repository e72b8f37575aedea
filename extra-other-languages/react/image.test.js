import assert from "node:assert/strict";
import { machine } from "node:os";
import { test } from "node:test";
import { image } from "./image.js";

test("it tells the image's processor, not the builder's", () => {
  assert.equal(image({ TARGETARCH: "arm64" }).machine, "aarch64");
  assert.equal(image({}).machine, machine());
});

test("without a variant it does not make one up", () => {
  assert.equal(image({ VARIANT: "react" }).variant, "react");
  assert.equal(image({ VARIANT: "" }).variant, "unknown");
});

test("the version is one release of React, not a range", () => {
  assert.match(image({}).react, /^\d+\.\d+\.\d+$/);
});
