// Elements of a long list are filled when they come near to being seen, and the rest while nothing else is to be done.

// With less time than this before something else is to be done, it waits.
const LEAST_MS = 2;

/**
 * @param fill (node) fills an element; each that was added is filled once.
 * @returns {{add(node), now(node), all()}}
 */
export function createFilling(fill, signal) {
  const waiting = new Set();
  let idle = false;

  function now(node) {
    if (!waiting.delete(node)) return;
    observer.unobserve(node);
    fill(node);
  }

  const observer = new IntersectionObserver((seen) => seen.forEach(({ isIntersecting, target }) => isIntersecting && now(target)), { rootMargin: "400px" });
  const all = () => [...waiting].forEach(now);
  const soon = globalThis.requestIdleCallback ?? ((run) => setTimeout(() => run({ timeRemaining: () => 5 }), 30));

  function go(deadline) {
    idle = false;
    for (const node of waiting) {
      if (deadline.timeRemaining() < LEAST_MS) break;
      now(node);
    }
    plan();
  }

  function plan() {
    if (idle || !waiting.size || signal.aborted) return;
    idle = true;
    soon(go);
  }

  addEventListener("beforeprint", all, { signal });
  signal.addEventListener("abort", () => observer.disconnect());
  return {
    add(node) {
      waiting.add(node);
      observer.observe(node);
      plan();
    },
    now,
    all,
  };
}
