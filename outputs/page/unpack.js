// A page holds its transcript packed (`packing.py`): rows instead of objects,
// words that come again and again only once, numbers as letters.

const LETTERS = Array.from({ length: 92 }, (_, i) => String.fromCharCode(35 + i)).filter((letter) => !"&<>\\".includes(letter));
const VALUES = new Map(LETTERS.map((letter, i) => [letter, i]));

/** The transcript in its JSON form. */
export function unpack({ media, labels, range, words, segments, tracks }) {
  const phrase = (i) => (Array.isArray(words[i]) ? words[i].map(phrase).join(", ") : (words[i] ?? null));
  const evidence = ["none", "weak", "enough"];
  const starts_s = timesFrom(segments.map(([start]) => start));
  return {
    media,
    labels,
    range,
    segments: segments.map(([, length, speaker, text, face, voice, faces, grade, ...answer], i) => ({
      start_s: starts_s[i],
      end_s: starts_s[i] + length / 100,
      speaker: phrase(speaker),
      text,
      face: phrase(face),
      voice: phrase(voice),
      faces: Object.fromEntries(faces.map(([person, i]) => [person, phrase(i)])),
      evidence: evidence[grade],
      ...answered(labels, range, answer),
    })),
    tracks: tracks && unpackTracks(tracks),
  };
}

// A score is told by the thousandth that it lies in: its middle is nearest.
function answered(labels, range, [byPerson, first, thousandths, given]) {
  const corrected = byPerson ? { corrected: true } : {};
  if (range) return { rating: first, scores: {}, ...corrected };
  const scores = pairs(thousandths);
  return {
    ...corrected,
    label: labels[first],
    labels: given?.map((i) => labels[i]),
    scores: Object.fromEntries(labels.map((name, i) => [name, (scores[i] + 0.5) / 1000])),
  };
}

function unpackTracks({ sound, faces }) {
  return {
    sound: sound && { ...sound, peaks: numbers(sound.peaks, 0, 100) },
    faces: faces && { ...faces, people: faces.people.map((person) => unpackPerson(person, faces)) },
  };
}

function unpackPerson(person, { units, emotions = [] }) {
  const rows = (name, low, high, width) => person[name] !== undefined && { [name]: inRows(numbers(person[name], low, high), width) };
  const list = (name, low, high) => person[name] !== undefined && { [name]: numbers(person[name], low, high) };
  return {
    ...person,
    times_s: timesFrom(person.times_s),
    boxes: inRows(pairs(person.boxes), 4),
    ...rows("action_units", 0, 1, units.length),
    ...rows("emotions", 0, 1, emotions.length),
    ...rows("pose", -90, 90, 3),
    ...list("valence", -1, 1),
    ...list("arousal", -1, 1),
    ...(person.blinks_s && { blinks_s: timesFrom(person.blinks_s) }),
  };
}

const numbers = (letters, low, high) =>
  Array.from(letters, (letter) => (VALUES.has(letter) ? low + (VALUES.get(letter) / (LETTERS.length - 1)) * (high - low) : null));

const pairs = (letters) =>
  Array.from({ length: letters.length / 2 }, (_, i) => VALUES.get(letters[2 * i]) * LETTERS.length + VALUES.get(letters[2 * i + 1]));

const inRows = (values, width) => Array.from({ length: values.length / width }, (_, i) => values.slice(i * width, (i + 1) * width));

function timesFrom(steps) {
  let hundredths = 0;
  return steps.map((step) => (hundredths += step) / 100);
}
