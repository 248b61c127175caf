// A page holds its transcript packed: rows instead of objects, and words that
// come again and again only once.

/** The transcript in its JSON form. */
export function unpack({ media, labels, words, segments, tracks }) {
  const phrase = (i) => (Array.isArray(words[i]) ? words[i].map(phrase).join(", ") : (words[i] ?? null));
  const evidence = ["none", "weak", "enough"];
  return {
    media,
    labels,
    segments: segments.map(([start_s, end_s, speaker, text, face, voice, faces, grade, label, thousandths]) => ({
      start_s,
      end_s,
      speaker: phrase(speaker),
      text,
      face: phrase(face),
      voice: phrase(voice),
      faces: Object.fromEntries(faces.map(([person, i]) => [person, phrase(i)])),
      evidence: evidence[grade],
      label: labels[label],
      scores: Object.fromEntries(labels.map((name, i) => [name, thousandths[i] / 1000])),
    })),
    tracks,
  };
}
