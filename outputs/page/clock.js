// One position in time that the player, the lanes and the transcript share.

// How often a player is told to go back while time runs backwards: a seek takes a while.
const BACK_STEP_S = 0.1;
// Of a video whose rate is not known.
const USUAL_FPS = 25;

export const RATES = [0.25, 0.5, 0.75, 1, 1.25, 1.5, 2, 2.5, 3];

/**
 * Time goes by with the player, or by itself where there is none that plays.
 *
 * @param player the video or sound element, or null.
 * @returns {{now, duration_s, fps, rate, playing, loop, seek(time_s), toggle(), play(rate), pause(), step(frames),
 *   faster(steps), listen(fn(time_s)), changed(fn()), close()}} `loop` is `[start_s, end_s]` or null; `changed` tells
 *   of rate, loop and whether it plays.  A negative rate plays backwards.
 */
export function createClock(player, duration_s) {
  const listeners = [];
  const watchers = [];
  let rate = 1;
  let playing = false;
  let loop = null;
  let last_ms = 0;
  let behind_s = 0;

  const clock = {
    now: 0,
    duration_s,
    fps: null,
    get rate() {
      return rate;
    },
    set rate(value) {
      rate = value;
      if (player && rate > 0) player.playbackRate = rate;
      settle();
    },
    get playing() {
      return playing;
    },
    get loop() {
      return loop;
    },
    set loop(stretch) {
      loop = stretch;
      tellChanged();
    },
    listen: (listener) => listeners.push(listener),
    changed: (watcher) => watchers.push(watcher),
    seek(time_s) {
      const to = Math.min(Math.max(time_s, 0), clock.duration_s);
      if (player) player.currentTime = to;
      tell(to);
    },
    toggle: () => (playing ? clock.pause() : clock.play(Math.abs(rate))),
    play(at = 1) {
      if (!playing && at > 0 && clock.now >= clock.duration_s) clock.seek(loop ? loop[0] : 0);
      playing = true;
      last_ms = performance.now();
      clock.rate = at;
      schedule();
    },
    pause() {
      playing = false;
      if (rate < 0) rate = 1;
      settle();
    },
    /** A quarter into the frame, so that rounding does not show the one before. */
    step(frames) {
      if (playing) clock.pause();
      const fps = clock.fps ?? USUAL_FPS;
      clock.seek((Math.floor(clock.now * fps + 1e-3) + frames + 0.25) / fps);
    },
    faster(steps) {
      const at = RATES.findIndex((one) => one >= Math.abs(rate));
      clock.rate = RATES[Math.min(Math.max((at < 0 ? RATES.length - 1 : at) + steps, 0), RATES.length - 1)];
    },
    close() {
      playing = false;
      listeners.length = watchers.length = 0;
      player?.pause();
    },
  };

  const hasPlayer = () => player !== null && player.readyState > 0;

  // The player does what the clock does, where it can.
  function settle() {
    if (hasPlayer()) {
      const plays = playing && rate > 0;
      // Told to pause before it began, it says so late: by then time may run backwards.
      if (plays && player.paused) player.play().catch((error) => error.name === "AbortError" || clock.pause());
      if (!plays && !player.paused) player.pause();
    }
    tellChanged();
  }

  function tellChanged() {
    for (const watcher of watchers) watcher();
  }

  function tell(time_s) {
    // Sound and picture rarely end together: the player may run on a little.
    clock.now = Math.min(time_s, clock.duration_s);
    for (const listener of listeners) listener(clock.now);
  }

  function schedule() {
    if (playing) requestAnimationFrame(frame);
  }

  // `timeupdate` comes four times a second; while time goes by, every frame counts.
  function frame(now_ms) {
    if (!playing) return;
    const passed_s = (Math.max(now_ms - last_ms, 0) / 1000) * rate;
    last_ms = now_ms;
    const to = hasPlayer() && rate > 0 ? player.currentTime : clock.now + behind_s + passed_s;
    // Whoever listens is not told that another moment began.
    if (isOver(to)) again();
    else if (hasPlayer() && rate > 0) tell(to);
    else pass(passed_s);
    if (!loop && (rate < 0 ? clock.now <= 0 : clock.now >= clock.duration_s && !hasPlayer())) clock.pause();
    schedule();
  }

  /** Whether a time is behind the moment that is repeated, or long before it. */
  const isOver = (time_s) => playing && rate > 0 && loop !== null && (time_s >= loop[1] || time_s < loop[0] - 1);

  function again() {
    behind_s = 0;
    clock.seek(loop[0]);
    settle();
  }

  function pass(passed_s) {
    behind_s += passed_s;
    if (hasPlayer() && Math.abs(behind_s) < BACK_STEP_S) return;
    const to = clock.now + behind_s;
    behind_s = 0;
    hasPlayer() ? clock.seek(to) : tell(Math.max(to, 0));
  }

  if (player) {
    // What a player tells comes late: by then it may have been told something else.
    player.addEventListener("play", () => {
      if (!player.paused && !playing) clock.play(Math.abs(rate));
    });
    // A pause that somebody else made, as a headset's button does, or the end.
    player.addEventListener("pause", () => {
      if (player.paused && playing && rate > 0 && hasPlayer()) loop && player.ended ? again() : clock.pause();
    });
    player.addEventListener("loadedmetadata", () => {
      if (clock.now > 0) player.currentTime = clock.now;
      player.playbackRate = Math.abs(rate);
      settle();
    });
    // A player that has nothing to play must not pull time back to zero.
    player.addEventListener("timeupdate", () => hasPlayer() && !isOver(player.currentTime) && tell(player.currentTime));
  }
  return clock;
}
