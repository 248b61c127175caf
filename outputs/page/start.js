// Draws the transcript that the page holds.

import { drawReport } from "./report.js";
import { unpack } from "./unpack.js";

const kept = JSON.parse(document.getElementById("transcript").textContent);
drawReport(document, { result: unpack(kept), media: kept.player });
