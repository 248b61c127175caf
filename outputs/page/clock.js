// One position in time that the player, the charts and the transcript share.

/**
 * @param player the video or sound element, or null: time then moves by hand.
 * @returns {{now: number, duration_s: number, seek(time_s), listen(fn), toggle()}}
 */
export function createClock(player, duration_s) {
  const listeners = [];
  const clock = {
    now: 0,
    duration_s,
    listen: (listener) => listeners.push(listener),
    seek(time_s) {
      const to = Math.min(Math.max(time_s, 0), clock.duration_s);
      if (player) player.currentTime = to;
      tell(to);
    },
    toggle() {
      if (player) player.paused ? player.play().catch(() => {}) : player.pause();
    },
  };

  function tell(time_s) {
    // Sound and picture rarely end together: the player may run on a little.
    clock.now = Math.min(time_s, clock.duration_s);
    for (const listener of listeners) listener(clock.now);
  }

  // `timeupdate` comes four times a second; while it plays, every frame counts.
  function follow() {
    tell(player.currentTime);
    if (!player.paused) requestAnimationFrame(follow);
  }

  if (player) {
    player.addEventListener("play", follow);
    // A player that has nothing to play must not pull time back to zero.
    player.addEventListener("timeupdate", () => player.readyState > 0 && tell(player.currentTime));
  }
  return clock;
}
