// A page holds its transcript packed: rows instead of objects, and words that
// come again and again only once.

/** The transcript in its JSON form. */
export function unpack({ media, labels, range, words, segments, tracks }) {
  const phrase = (i) => (Array.isArray(words[i]) ? words[i].map(phrase).join(", ") : (words[i] ?? null));
  const evidence = ["none", "weak", "enough"];
  return {
    media,
    labels,
    range,
    segments: segments.map(([start_s, end_s, speaker, text, face, voice, faces, grade, ...answer]) => ({
      start_s,
      end_s,
      speaker: phrase(speaker),
      text,
      face: phrase(face),
      voice: phrase(voice),
      faces: Object.fromEntries(faces.map(([person, i]) => [person, phrase(i)])),
      evidence: evidence[grade],
      ...answered(labels, range, answer),
    })),
    tracks,
  };
}

function answered(labels, range, [byPerson, first, thousandths, given]) {
  const corrected = byPerson ? { corrected: true } : {};
  if (range) return { rating: first, scores: {}, ...corrected };
  return {
    ...corrected,
    label: labels[first],
    labels: given?.map((i) => labels[i]),
    scores: Object.fromEntries(labels.map((name, i) => [name, thousandths[i] / 1000])),
  };
}
