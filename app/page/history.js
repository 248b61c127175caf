// What was corrected, step by step, so that it can be undone; and kept as one goes.

const MOST_STEPS = 500;
const PAUSE_MS = 700;
const RETRY_MS = [2000, 5000, 15000, 30000];

/**
 * @param save (result, leaving) → promise; `leaving` where the page is about to go.
 * @param state is told "saving", "saved" or "failed", as that changes.
 * @returns {{result, edit(change), amend(result, change), undo(), redo(), canUndo, canRedo, listen(fn(result)), settled(), close()}} `edit`
 *   takes a function from result to result (see `edits.js`); what that throws changes nothing.  `settled` is a promise
 *   that all is kept.
 */
export function createHistory(result, { save, state = () => {}, pause_ms = PAUSE_MS }) {
  const done = [];
  const undone = [];
  const listeners = [];
  const keeper = createKeeper({ save, state, pause_ms });

  function become(next) {
    result = next;
    keeper.keep(result);
    for (const listener of listeners) listener(result);
  }

  function step(from, to) {
    if (!from.length) return false;
    to.push(result);
    become(from.pop());
    return true;
  }

  return {
    get result() {
      return result;
    },
    get canUndo() {
      return done.length > 0;
    },
    get canRedo() {
      return undone.length > 0;
    },
    edit(change) {
      const next = change(result);
      if (next === result) return;
      done.push(result);
      if (done.length > MOST_STEPS) done.shift();
      undone.length = 0;
      become(next);
    },
    /** What has come to be known of a result since, without a step of its own; nothing, where it is another by now. */
    amend(of, change) {
      if (result === of) become(change(result));
    },
    undo: () => step(done, undone),
    redo: () => step(undone, done),
    listen: (listener) => listeners.push(listener),
    settled: keeper.settled,
    close() {
      listeners.length = 0;
      return keeper.close();
    },
  };
}

/** Keeps the newest of what it is given: after a pause, one at a time, and again where that fails. */
function createKeeper({ save, state, pause_ms }) {
  let waiting = null;
  let timer = 0;
  let going = null;
  let sending = null;
  let failures = 0;

  function keep(result) {
    waiting = result;
    wait(pause_ms);
  }

  function wait(ms) {
    clearTimeout(timer);
    timer = setTimeout(send, ms);
  }

  function send(leaving = false) {
    clearTimeout(timer);
    if (waiting === null || sending) return sending;
    going = waiting;
    waiting = null;
    state("saving");
    sending = save(going, leaving).then(
      () => {
        sending = null;
        failures = 0;
        if (waiting === null) state("saved");
        else send();
      },
      () => {
        sending = null;
        waiting ??= going;
        state("failed");
        wait(RETRY_MS[Math.min(failures++, RETRY_MS.length - 1)]);
      },
    );
    return sending;
  }

  async function settled() {
    while (sending || waiting !== null) await (send() ?? sending);
  }

  // Large results do not fit into what browsers send after a page: they go when it is hidden, and who closes it before
  // is asked.
  const hidden = () => document.visibilityState === "hidden" && send();
  const leave = () => {
    if (sending) waiting ??= going;
    sending = null;
    send(true);
  };
  const ask = (event) => (waiting !== null || sending) && event.preventDefault();
  const watched = [
    [globalThis.document, "visibilitychange", hidden],
    [globalThis.window, "pagehide", leave],
    [globalThis.window, "beforeunload", ask],
  ].filter(([target]) => target);
  for (const [target, name, run] of watched) target.addEventListener(name, run);

  return {
    keep,
    settled,
    close() {
      for (const [target, name, run] of watched) target.removeEventListener(name, run);
      return send();
    },
  };
}
