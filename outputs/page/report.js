// Puts the drawings into the page and sets them in motion.

import { createClock } from "./clock.js";
import { clockTime, el, laneNames, reading } from "./dom.js";
import { average, frequencies, momentAt, timeline } from "./emotions.js";
import { faceBoxes, unitCurves } from "./faces.js";
import { moments } from "./moments.js";
import { palette } from "./palette.js";

/**
 * @param root holds the places (`data-place`) that are to be filled.
 * @param transcript the labelled transcript in its JSON form.
 */
export function drawReport(root, transcript) {
  const place = (name, ...nodes) => {
    root.querySelector(`[data-place=${name}]`)?.replaceChildren(...nodes.flat().filter(Boolean));
  };
  const player = root.querySelector("video, audio");
  const clock = createClock(player, transcript.media.duration_s);
  const tints = palette(laneNames(transcript));
  const faces = transcript.tracks?.faces;
  // All charts begin at the same place, so that their times stand above each other.
  const letters = Math.max(...transcript.labels.map((label) => label.length));
  (root.body ?? root).style.setProperty("--gutter", Math.min(Math.max(letters, 6), 26));
  const follow = root.querySelector("[data-follow]");

  if (clock.duration_s > 0) place("timeline", timeline(clock, transcript, tints));
  place("frequencies", transcript.range ? average(transcript) : frequencies(transcript, tints));
  place("moments", moments(clock, transcript, tints, () => follow?.checked && player && !player.paused));
  if (faces?.people.length) {
    if (clock.duration_s > 0) place("units", unitCurves(clock, faces));
    place("boxes", faceBoxes(clock, faces, transcript.media));
  }
  if (player) watchPlayer(root, player, transcript.media);
  captionFollows(place, clock, transcript);
  followAddress(clock);
}

// `#t=7.4` at the end of the address is a time, so that a moment can be cited.
function followAddress(clock) {
  const go = () => {
    const time = /^#t=([\d.]+)$/.exec(location.hash);
    if (time) clock.seek(Number(time[1]));
  };
  addEventListener("hashchange", go);
  go();
}

function captionFollows(place, clock, transcript) {
  clock.listen((time_s) => {
    const segment = transcript.segments[momentAt(transcript.segments, time_s)];
    place("now", `${clockTime(time_s, true)}  `, segment ? el("b", {}, reading(segment)) : "");
  });
}

// The file may have moved, or be of a kind that browsers do not play.
function watchPlayer(root, player, media) {
  const screen = player.parentElement;
  const shape = (width, height) => width && screen.style.setProperty("--ratio", width / height);
  shape(media.width, media.height);
  player.addEventListener("loadedmetadata", () => shape(player.videoWidth, player.videoHeight));

  const fail = () => {
    screen.hidden = true;
    root.querySelector("[data-unplayable]").hidden = false;
  };
  const sources = player.querySelectorAll("source");
  sources[sources.length - 1].addEventListener("error", fail);
  if (player.networkState === HTMLMediaElement.NETWORK_NO_SOURCE) fail();
}
