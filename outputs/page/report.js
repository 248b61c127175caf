// The report: a viewer of the result that the page holds, in which a moment can be cited.

import { createViewer } from "./viewer.js";

/**
 * @param page holds the place (`data-place`) that is filled.
 * @param kept {result, media}: see `createViewer`.
 */
export function drawReport(page, { result, media }) {
  const viewer = createViewer(page.querySelector("[data-place=viewer]"), { media });
  viewer.show(result);
  // `#t=7.4` at the end of the address is a time.
  const go = () => {
    const time = /^#t=([\d.]+)$/.exec(location.hash);
    if (time) viewer.clock.seek(Number(time[1]));
  };
  addEventListener("hashchange", go);
  go();
  return viewer;
}
