// What the page asks of the service.  Whatever goes wrong is an `Error` with one line for people.

async function answer(response) {
  if (response.ok) return response.status === 204 ? null : response.json();
  const told = await response.json().catch(() => ({}));
  throw new Error(told.error ?? `the service answered ${response.status}; try again`);
}

async function ask(method, path, body = null, options = {}) {
  const json = body !== null && !(body instanceof FormData);
  const request = {
    method,
    ...options,
    ...(json && { headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) }),
    ...(body instanceof FormData && { body }),
  };
  try {
    return await answer(await fetch(path, request));
  } catch (error) {
    if (error instanceof TypeError) throw new Error("the service does not answer; is emoscribe serve still running?");
    throw error;
  }
}

/** Whether something can be had; what is wrong is thrown. */
export async function check(path) {
  const response = await fetch(path);
  if (!response.ok) await answer(response);
  await response.body.cancel();
}

export const get = (path, options) => ask("GET", path, null, options);
export const post = (path, body, options) => ask("POST", path, body, options);
export const put = (path, body, options) => ask("PUT", path, body, options);
export const remove = (path) => ask("DELETE", path);

/**
 * A form with files, sent so that one can see how far it is.
 * @returns {{done: Promise, abort()}} `done` gives the answer.
 */
export function upload(path, form, progress) {
  const request = new XMLHttpRequest();
  const done = new Promise((resolve, reject) => {
    request.open("POST", path);
    request.responseType = "json";
    request.upload.onprogress = ({ loaded, total }) => progress(total ? loaded / total : 0);
    request.onload = () => {
      if (request.status < 300) return resolve(request.response);
      reject(new Error(request.response?.error ?? `the service answered ${request.status}; try again`));
    };
    request.onerror = () => reject(new Error("the upload broke off; is emoscribe serve still running?"));
    request.onabort = () => reject(new DOMException("aborted", "AbortError"));
    request.send(form);
  });
  return { done, abort: () => request.abort() };
}

const FINAL = new Set(["done", "failed", "cancelled"]);
const watchers = new Map();
let events = null;

/**
 * Tells each status of a job, to its last one.
 *
 * All jobs share one connection: browsers allow six to a service.
 * @returns a function that ends it.
 */
export function follow(id, tell) {
  const stop = () => {
    watchers.delete(id);
    if (!watchers.size) {
      events?.close();
      events = null;
    }
  };
  const told = (status) => {
    if (!watchers.has(id)) return;
    if (FINAL.has(status.state)) stop();
    tell(status);
  };
  watchers.set(id, told);
  events ??= listen();
  // It may have ended before anybody listened, or be gone.
  get(`/api/jobs/${id}`).then(told, () => told({ id, state: "cancelled", stages: {} }));
  return stop;
}

function listen() {
  const source = new EventSource("/api/events");
  source.onmessage = ({ data }) => {
    const status = JSON.parse(data);
    watchers.get(status.id)?.(status);
  };
  return source;
}
