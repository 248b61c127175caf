// A colour for each label and for each person.  Colour never stands alone:
// every mark has its label, or its name, in words beside it.

// Hue, chroma and lightness in OKLCH; chosen so that the least distance between
// two, as a normal, a protanopic and a deuteranopic eye see them, is greatest.
const KNOWN = {
  sadness: [255, 0.156, 0.58],
  joy: [92, 0.148, 0.78],
  anger: [25, 0.197, 0.5],
  surprise: [198, 0.114, 0.76],
  fear: [324, 0.142, 0.47],
  disgust: [131, 0.098, 0.66],
  neutral: [82, 0, 0.58],
};

/**
 * What is set on an element so that the style sheet gives it the label's colour.
 *
 * Labels that are no basic emotions take the colours that are left, and then share the circle out evenly.
 *
 * @returns `{label: {"--hue", "--chroma", "--tone"}}`
 */
export function palette(labels) {
  const left = Object.keys(KNOWN).filter((label) => !labels.includes(label)).map((label) => KNOWN[label]);
  const others = labels.filter((label) => !(label in KNOWN));
  const rest = others.length - left.length;
  const tints = {};
  for (const label of labels) {
    const i = others.indexOf(label) - left.length;
    const spread = () => [Math.round(20 + (360 * i) / rest) % 360, 0.12, [0.5, 0.68, 0.59][i % 3]];
    const [hue, chroma, tone] = KNOWN[label] ?? left[i + left.length] ?? spread();
    tints[label] = { "--hue": hue, "--chroma": chroma, "--tone": tone };
  }
  return tints;
}

/** A tint as canvases take it; `lift` is how much lighter it is on dark paper. */
export const inked = (tint, lift = 0) => `oklch(${(tint["--tone"] + lift).toFixed(3)} ${tint["--chroma"]} ${tint["--hue"]})`;

// Okabe & Ito (2008), as Python has them for videos and subtitles: told apart by every kind of eye, readable on dark.
const PEOPLE = [
  [240, 228, 66],
  [86, 180, 233],
  [230, 159, 0],
  [0, 158, 115],
  [204, 121, 167],
  [213, 94, 0],
  [0, 114, 178],
  [255, 255, 255],
];

/** The colour of the nth person, from 0. */
export const personColour = (number) => `rgb(${PEOPLE[number % PEOPLE.length].join(" ")})`;
