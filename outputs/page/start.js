// Draws the transcript that the page holds.

import { drawReport } from "./report.js";
import { unpack } from "./unpack.js";

drawReport(document, unpack(JSON.parse(document.getElementById("transcript").textContent)));
