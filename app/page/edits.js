// What can be corrected of a result.  Each function gives a new result and leaves the one it was given as it was; what is
// not touched is shared between the two, so that a long history is cheap.  What cannot be is refused with a line.

import { clockTime, shown } from "../../outputs/page/dom.js";
import { cutSpeaker, replaceWords, timedTokens, wordsIn } from "./words.js";

// Before the words for a face of which it is not known that it is the speaker's, as `textualize/face.py` has it.
const SOMEBODYS = "face of somebody: ";
const GRADES = ["none", "weak", "enough"];
// What is said of a face or a voice that told nothing; beside words that tell something it goes.
const SILENT = new Set(["no face seen", "not looked at", "not listened to", "no speech", "too short to tell", "nothing to compare it with"]);

/** Why something cannot be corrected so, in a line for people. */
export class Refused extends Error {}

const refuse = (line) => {
  throw new Refused(line);
};

// ── what a moment is read as ─────────────────────────────────────────────────

/** Whether moments may have any number of labels. */
export const takesSets = (result) => result.thresholds !== undefined;

/** The label of a moment, or, of any number, the only one. */
export const setLabel = (result, index, label) => setLabels(result, index, [label]);

/** The labels of a moment; one, unless moments may have any number. */
export function setLabels(result, index, labels) {
  const segment = momentAt(result, index);
  if (result.range) refuse("moments are rated here; set a rating");
  if (!labels.length) refuse(`a moment has a label; choose one of ${result.labels.join(", ")}`);
  if (labels.length > 1 && !takesSets(result)) refuse(`a moment has one label here, and ${labels.join(", ")} are several`);
  const unknown = labels.find((label) => !result.labels.includes(label));
  if (unknown !== undefined) refuse(`there is no label “${unknown}”; there are ${result.labels.join(", ")}`);
  return withMoment(result, index, { ...segment, ...asAnswer(result, segment, labels), corrected: true });
}

/** The label on or off, where moments may have any number. */
export function toggleLabel(result, index, label) {
  const segment = momentAt(result, index);
  const had = isRead(segment) ? shown(segment) : [];
  return setLabels(result, index, had.includes(label) ? had.filter((one) => one !== label) : [...had, label]);
}

/** The rating of a moment. */
export function setRating(result, index, rating) {
  const segment = momentAt(result, index);
  if (!result.range) refuse(`moments have labels here; choose one of ${result.labels.join(", ")}`);
  const [low, high] = result.range;
  if (!Number.isFinite(rating) || rating < low || rating > high) refuse(`a rating is a number from ${low} to ${high}`);
  return withMoment(result, index, { ...segment, rating, corrected: true });
}

/** A person says that the moment is read rightly. */
export function confirm(result, index) {
  const segment = momentAt(result, index);
  if (segment.corrected) return result;
  if (segment.evidence === "none") refuse("nothing was read of this moment that could be confirmed; set its label");
  return withMoment(result, index, confirmed(result, segment));
}

/** The same of all moments that were read as something. */
export function confirmAll(result) {
  const isOpen = (segment) => !segment.corrected && segment.evidence !== "none";
  if (!result.segments.some(isOpen)) return result;
  return { ...result, segments: result.segments.map((segment) => (isOpen(segment) ? confirmed(result, segment) : segment)) };
}

/** What a person set is taken back: the moment is what the model reads. */
export function release(result, index) {
  const segment = momentAt(result, index);
  if (!segment.corrected) return result;
  if (result.range) refuse("the model's rating is not kept beside yours; undo, or set another");
  return withMoment(result, index, asModelRead(result, segment));
}

/** Whether a moment is read as anything: there was something to judge by, or a person did. */
export const isRead = (segment) => segment.corrected === true || segment.evidence !== "none";

const confirmed = (result, segment) =>
  result.range ? { ...segment, corrected: true } : { ...segment, ...asAnswer(result, segment, shown(segment)), corrected: true };

/** `label`, and `labels` where there may be any number, the likeliest first. */
function asAnswer(result, { scores }, labels) {
  const ordered = [...new Set(labels)].sort((a, b) => scores[b] - scores[a]);
  return takesSets(result) ? { label: ordered[0], labels: ordered } : { label: ordered[0] };
}

function asModelRead(result, { corrected, ...segment }) {
  const { scores } = segment;
  const best = [...result.labels].sort((a, b) => scores[b] - scores[a]);
  if (!takesSets(result)) return { ...segment, label: best[0] };
  const given = best.filter((label) => scores[label] >= (result.thresholds[label] ?? 0.5));
  return { ...segment, label: best[0], labels: given };
}

// ── what is said, when, and by whom ──────────────────────────────────────────

/** What is said in a moment; the words of the transcript keep the times of those that stay. */
export function setText(result, index, text) {
  const segment = momentAt(result, index);
  const said = text.trim().replace(/\s+/g, " ");
  if (said === (segment.text ?? "")) return result;
  const changed = withMoment(result, index, { ...segment, text: said });
  return result.transcript ? { ...changed, transcript: replaceWords(result.transcript, segment, said) } : changed;
}

/** When a moment begins and ends; moments stay in order of time. */
export function setBounds(result, index, start_s, end_s) {
  const segment = momentAt(result, index);
  const [start, end, length_s] = [milliseconds(start_s), milliseconds(end_s), result.media.duration_s];
  if (!Number.isFinite(start) || !Number.isFinite(end)) refuse("bounds are times, as in 0:06.2 or 6.2");
  if (start < 0 || end > length_s) refuse(`a moment lies in the recording, from 0 to ${clockTime(length_s, true)}`);
  if (start >= end) refuse(`a moment begins before it ends, and ${clockTime(start, true)} is not before ${clockTime(end, true)}`);
  if (start === segment.start_s && end === segment.end_s) return result;
  return inOrder(withMoment(result, index, { ...segment, start_s: start, end_s: end }));
}

/** Who speaks in a moment, or nobody in particular. */
export function setSpeaker(result, index, name) {
  const segment = momentAt(result, index);
  const speaker = (name ?? "").trim() || null;
  if (speaker === segment.speaker) return result;
  const changed = worded(result, withMoment(result, index, { ...segment, speaker }));
  return result.transcript ? { ...changed, transcript: cutSpeaker(result.transcript, segment, speaker) } : changed;
}

/** Two moments of one, divided at a time; each word goes to where it is said. */
export function split(result, index, time_s) {
  const segment = momentAt(result, index);
  const at = milliseconds(time_s);
  if (!(at > segment.start_s && at < segment.end_s)) {
    const [from, to] = [clockTime(segment.start_s, true), clockTime(segment.end_s, true)];
    refuse(`a moment is divided inside: put the playhead between ${from} and ${to}`);
  }
  const tokens = segment.text ? timedTokens(segment.text, wordsIn(result.transcript, segment), segment) : [];
  const said = (isHere) => tokens.filter(isHere).map(({ text }) => text).join(" ");
  const isBefore = (word) => (word.start_s + word.end_s) / 2 < at;
  const halves = [
    { ...segment, end_s: at, text: segment.text && said(isBefore) },
    { ...segment, start_s: at, text: segment.text && said((word) => !isBefore(word)) },
  ];
  return inOrder({ ...result, segments: result.segments.toSpliced(index, 1, ...halves) });
}

/**
 * A moment and the next as one.  Scores are their means over time.  What a person set stays, of two the longer one's;
 * otherwise it is read as what is then likeliest.
 */
export function merge(result, index) {
  const [one, other] = [momentAt(result, index), result.segments[index + 1]];
  if (!other) refuse("this is the last moment; there is none to join it with");
  const [first_s, second_s] = [one, other].map(({ start_s, end_s }) => end_s - start_s);
  const share = first_s + second_s > 0 ? first_s / (first_s + second_s) : 0.5;
  const mean = (a, b) => a * share + b * (1 - share);
  const [longer, shorter] = share >= 0.5 ? [one, other] : [other, one];
  const { corrected, label, labels, rating, ...kept } = longer;
  const both = {
    ...kept,
    start_s: Math.min(one.start_s, other.start_s),
    end_s: Math.max(one.end_s, other.end_s),
    speaker: longer.speaker ?? shorter.speaker,
    text: one.text === null && other.text === null ? null : [one.text, other.text].filter(Boolean).join(" "),
    face: phrases(one.face, other.face),
    voice: phrases(one.voice, other.voice),
    faces: facesOf(one, other),
    evidence: GRADES[Math.max(GRADES.indexOf(one.evidence), GRADES.indexOf(other.evidence))],
    scores: Object.fromEntries(result.labels.map((label) => [label, mean(one.scores[label], other.scores[label])])),
  };
  const set = [longer, shorter].find((half) => half.corrected);
  const read = result.range ? { ...both, rating: set?.rating ?? mean(one.rating, other.rating) } : asModelRead(result, both);
  const answered = set && !result.range ? { ...read, ...asAnswer(result, both, shown(set)) } : read;
  return { ...result, segments: result.segments.toSpliced(index, 2, set ? { ...answered, corrected: true } : answered) };
}

/** What a person does not want counted. */
export const deleteMoment = (result, index) => {
  momentAt(result, index);
  return { ...result, segments: result.segments.toSpliced(index, 1) };
};

/** The phrases of both, each once; that nothing was seen or heard goes where something was. */
function phrases(one, other) {
  if (one === null || other === null) return one ?? other;
  const telling = [one, other].filter((words) => !SILENT.has(words));
  return [...new Set((telling.length ? telling : [one]).flatMap((words) => words.split(", ")))].join(", ");
}

function facesOf(one, other) {
  const people = new Set([...Object.keys(one.faces), ...Object.keys(other.faces)]);
  return Object.fromEntries([...people].map((person) => [person, phrases(one.faces[person] ?? null, other.faces[person] ?? null)]));
}

// ── who is who ───────────────────────────────────────────────────────────────

/** Who speaks, and whose face is known, in the order in which they come. */
export function speakersOf(result) {
  const people = result.tracks?.faces?.people ?? [];
  return [...new Set([...result.segments, ...people].map(({ speaker }) => speaker).filter(Boolean))];
}

/** A speaker is called otherwise, everywhere; called as another is, the two are one. */
export function renameSpeaker(result, from, to) {
  const name = nameFrom(to);
  if (!speakersOf(result).includes(from)) refuse(`nobody is called “${from}” here`);
  if (name === from) return result;
  const renamed = (each) => (each.speaker === from ? { ...each, speaker: name } : each);
  const { transcript } = result;
  return worded(result, {
    ...withPeople(result, renamed),
    segments: result.segments.map(renamed),
    ...(transcript && { transcript: { ...transcript, utterances: transcript.utterances.map(renamed) } }),
  });
}

/**
 * “Face 1 is NAME.”  Somebody who speaks under another name is called so everywhere, unless the name is another
 * speaker's: then the face is theirs.
 */
export function namePerson(result, person, to) {
  const name = nameFrom(to);
  const { speaker } = personOf(result, person);
  return speaker && !speakersOf(result).includes(name) ? renameSpeaker(result, speaker, name) : assignFace(result, person, name);
}

/** Whose face it is; null takes that back. */
export function assignFace(result, person, speaker) {
  const followed = personOf(result, person);
  if ((followed.speaker ?? null) === speaker) return result;
  const { speaker: before, ...face } = followed;
  const named = speaker === null ? face : { ...face, speaker: nameFrom(speaker) };
  return worded(result, withPeople(result, (each) => (each === followed ? named : each)));
}

function personOf(result, person) {
  const people = result.tracks?.faces?.people ?? [];
  return people.find((each) => each.person === person) ?? refuse(`no face ${person} was followed; there are ${people.map((each) => each.person).join(", ") || "none"}`);
}

const nameFrom = (text) => text.trim().replace(/\s+/g, " ") || refuse("a name has to have a letter");

function withPeople(result, change) {
  const { tracks } = result;
  if (!tracks?.faces) return { ...result };
  return { ...result, tracks: { ...tracks, faces: { ...tracks.faces, people: tracks.faces.people.map(change) } } };
}

/** The words for a moment's face are again those for the speaker's, or say that it is somebody's, where that has changed. */
function worded(before, after) {
  const [were, are] = [owners(before), owners(after)];
  const segments = after.segments.map((segment, i) => {
    const own = ownFace(segment, are);
    if (segment.face === null || own === ownFace(before.segments[i], were)) return segment;
    const told = segment.face.replace(SOMEBODYS, "");
    const any = Object.values(segment.faces).includes(told) ? told : Object.values(segment.faces)[0];
    return { ...segment, face: own ? segment.faces[own] : segment.speaker ? SOMEBODYS + any : any };
  });
  return { ...after, segments };
}

/** By person, whose face it is. */
const owners = (result) => new Map((result.tracks?.faces?.people ?? []).map(({ person, speaker }) => [String(person), speaker]));

const ownFace = ({ faces, speaker }, whose) => Object.keys(faces).find((person) => speaker && whose.get(person) === speaker);

// ── together ─────────────────────────────────────────────────────────────────

/** The result with what the model reads anew of some moments, `[[index, reading]]`; what a person set stays. */
export function withReadings(result, readings) {
  const anew = new Map(readings);
  const segments = result.segments.map((segment, i) => {
    if (!anew.has(i)) return segment;
    const { label, labels, rating, scores, evidence } = anew.get(i);
    const answer = rating === undefined ? { label, ...(labels && { labels }) } : { rating };
    return { ...segment, scores, evidence, ...(segment.corrected ? {} : answer) };
  });
  return { ...result, segments };
}

const momentAt = (result, index) => result.segments[index] ?? refuse("choose a moment first");

const withMoment = (result, index, segment) => ({ ...result, segments: result.segments.with(index, segment) });

/** By start, those that begin together in the order in which they stood. */
const inOrder = (result) => ({ ...result, segments: [...result.segments].sort((a, b) => a.start_s - b.start_s) });

const milliseconds = (time_s) => Math.round(time_s * 1000) / 1000;
