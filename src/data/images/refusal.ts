/** The reason why an image is refused; `decodeImage` adds the file and the line of the data set. */
export class Refusal extends Error {}
