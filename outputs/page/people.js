// Who there is in a result, each by one name, as terminal, subtitles and tables have it.

/** What somebody is called who is seen: as they are called when they speak, where that is known. */
export const personName = (person, speaker) => speaker || `person ${person}`;

/**
 * Those who speak, in the order of speaking, then those who are seen, then whoever else a moment tells of.
 *
 * @returns [{name, persons: [number of a face]}]
 */
export function peopleOf({ segments, tracks }) {
  const known = met.get(segments);
  if (known && known.tracks === tracks) return known.people;
  const people = whoIs(segments, tracks);
  met.set(segments, { tracks, people });
  return people;
}

const met = new WeakMap();

function whoIs(segments, tracks) {
  const persons = new Map();
  const facesOf = (name) => persons.get(name) ?? persons.set(name, []).get(name);
  for (const { speaker } of segments) if (speaker) facesOf(speaker);
  const names = faceNames(tracks);
  for (const [person, name] of names) facesOf(name).push(person);
  for (const segment of segments) {
    const name = whose(segment, names);
    if (name) facesOf(name);
  }
  return [...persons].map(([name, faces]) => ({ name, persons: faces }));
}

/** By number, the names of the faces that are followed. */
export const faceNames = (tracks) =>
  new Map((tracks?.faces?.people ?? []).map(({ person, speaker }) => [person, personName(person, speaker)]));

/** Whose a moment is: its speaker's, or else the person's whose face is most prominent in it, or nobody's (null). */
export function whose({ speaker, faces }, names) {
  if (speaker) return speaker;
  const [person] = Object.keys(faces ?? {});
  return person === undefined ? null : (names.get(Number(person)) ?? personName(person));
}
