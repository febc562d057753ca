// A process that counts in a page that it shares with others, says so, and waits to be killed.

import { openSharedPage } from "../../src/lib/shared_page.ts";
import { MetricPage, pageBytes, type PageShape } from "../../src/lib/metrics/metric_page.ts";

const [path = "", shapeText = "", region = ""] = process.argv.slice(2);
const shape = JSON.parse(shapeText) as PageShape;
const numbers = openSharedPage(path, new Int32Array(pageBytes(shape) / 4));
const page = new MetricPage(
  new Uint8Array(numbers.buffer as ArrayBuffer, numbers.byteOffset, numbers.byteLength),
  shape,
);
const counted = page.hold({
  region: Number(region),
  process: process.pid,
  startedAt: 0,
  role: 0,
});
for (let times = 0; times < 100_000; times += 1) counted.add(0);
for (let times = 0; times < 1_000; times += 1) {
  counted.addNamed(counted.nameOf("shared", true), 0);
  counted.addNamed(counted.nameOf(`own-${region}-${times % 3}`, true), 0);
}
process.stdout.write("counted\n");
setInterval(() => {}, 60_000);
