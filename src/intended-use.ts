/** What this may be used for: one sentence, the same in every card, prediction, report and help text. */
export const INTENDED_USE =
  'For research and education only. Not a medical device: not ' +
  'for diagnosis, screening or any decision about a patient.';
