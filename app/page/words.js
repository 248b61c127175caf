// The words of a transcript where a person corrects what is said or who says it: each word that stays keeps its time.

const middle = ({ start_s, end_s }) => (start_s + end_s) / 2;
const isIn = (word, { start_s, end_s }) => middle(word) >= start_s && middle(word) < end_s;
const joined = (words) => words.map(({ text }) => text).filter(Boolean).join(" ");
// Case and punctuation are not what tells words apart.
const bare = (text) => text.toLowerCase().replace(/[^\p{L}\p{N}]/gu, "") || text;

/** The words of a transcript that are said in a stretch of time; none where words have no times. */
export const wordsIn = (transcript, stretch) =>
  (transcript?.utterances ?? []).flatMap(({ words }) => words.filter((word) => isIn(word, stretch)));

/**
 * A text as words with times: those that were heard too have theirs, the others share the time between by their length.
 *
 * @param words what was heard in the stretch.
 */
export function timedTokens(text, words, { start_s, end_s }) {
  const tokens = text.split(/\s+/).filter(Boolean);
  const heard = inCommon(tokens.map(bare), words.map(({ text }) => bare(text)));
  const timed = tokens.map((token, i) => (heard[i] < 0 ? null : { ...words[heard[i]], text: token }));
  const [first_s, last_s] = words.length ? [words[0].start_s, words.at(-1).end_s] : [start_s, end_s];
  for (let i = 0; i < tokens.length; i++) {
    if (timed[i]) continue;
    let end = i;
    while (end < tokens.length && !timed[end]) end++;
    const from_s = timed[i - 1]?.end_s ?? Math.min(first_s, timed[end]?.start_s ?? first_s);
    const to_s = Math.max(timed[end]?.start_s ?? last_s, from_s);
    spread(tokens.slice(i, end), from_s, to_s).forEach((word, k) => (timed[i + k] = word));
  }
  return timed;
}

function spread(tokens, from_s, to_s) {
  const letters = tokens.map((token) => token.length + 1);
  const all = letters.reduce((sum, count) => sum + count, 0);
  let before = 0;
  const at = () => Math.round(1000 * (from_s + ((to_s - from_s) * before) / all)) / 1000;
  return tokens.map((text, i) => {
    const start_s = at();
    before += letters[i];
    return { start_s, end_s: at(), text, probability: null };
  });
}

/** For each of `ours` its place in `theirs`, or −1: their longest common subsequence. */
function inCommon(ours, theirs) {
  const width = theirs.length + 1;
  const length = new Uint16Array((ours.length + 1) * width);
  for (let i = ours.length - 1; i >= 0; i--) {
    for (let k = theirs.length - 1; k >= 0; k--) {
      length[i * width + k] =
        ours[i] === theirs[k]
          ? length[(i + 1) * width + k + 1] + 1
          : Math.max(length[(i + 1) * width + k], length[i * width + k + 1]);
    }
  }
  const places = [];
  for (let i = 0, k = 0; i < ours.length; i++) {
    while (k < theirs.length && ours[i] !== theirs[k] && length[i * width + k + 1] >= length[(i + 1) * width + k]) k++;
    const same = k < theirs.length && ours[i] === theirs[k];
    places.push(same ? k++ : -1);
  }
  return places;
}

/** The transcript with other words in a stretch of time. */
export function replaceWords(transcript, stretch, text) {
  const tokens = timedTokens(text, wordsIn(transcript, stretch), stretch);
  let left = tokens.length ? tokens : null;
  const utterances = transcript.utterances.flatMap((said) => {
    if (!said.words.length) {
      if (!isIn(said, stretch)) return [said];
      const mine = left;
      left = null;
      return mine ? [{ ...said, text }] : [];
    }
    const first = said.words.findIndex((word) => isIn(word, stretch));
    if (first < 0) return [said];
    const words = [...said.words.slice(0, first), ...(left ?? []), ...said.words.slice(first).filter((word) => !isIn(word, stretch))];
    left = null;
    return words.length ? [{ ...said, ...around(said, words), text: joined(words), words }] : [];
  });
  if (left) {
    const { start_s, end_s, speaker } = stretch;
    utterances.push({ start_s, end_s, speaker: speaker ?? null, text, words: left });
  }
  return { ...transcript, utterances: utterances.sort((a, b) => a.start_s - b.start_s) };
}

/** The transcript with another speaker in a stretch of time; utterances are cut where it begins and ends. */
export function cutSpeaker(transcript, stretch, speaker) {
  const utterances = transcript.utterances.flatMap((said) => {
    if (!said.words.length) return [isIn(said, stretch) ? { ...said, speaker } : said];
    return runs(said.words, (word) => isIn(word, stretch)).map(([inside, words], i, all) => {
      const whose = inside ? { ...said, speaker } : said;
      return all.length === 1 ? whose : { ...whose, start_s: words[0].start_s, end_s: words.at(-1).end_s, text: joined(words), words };
    });
  });
  return { ...transcript, utterances };
}

/** An utterance's bounds, widened where its words go beyond. */
const around = ({ start_s, end_s }, words) => ({
  start_s: Math.min(start_s, ...words.map((word) => word.start_s)),
  end_s: Math.max(end_s, ...words.map((word) => word.end_s)),
});

/** `[[whether, items]]`: neighbours of which the same is true, together. */
function runs(items, isSo) {
  const found = [];
  for (const item of items) {
    if (found.at(-1)?.[0] === isSo(item)) found.at(-1)[1].push(item);
    else found.push([isSo(item), [item]]);
  }
  return found;
}
