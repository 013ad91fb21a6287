/** Why an image is not taken, in plain words; `decodeImage` puts the file and the line of the data set around it. */
export class Refusal extends Error {}
