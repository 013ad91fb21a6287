/** Reads back what a TensorBoard event file shows: step, tag and value of every scalar, tags of texts. */
const { readFileSync } = require('node:fs');
const protobuf = require('protobufjs');

const Event = protobuf.Root.fromJSON({
  nested: {
    Event: { fields: { step: { type: 'int64', id: 2 }, summary: { type: 'Summary', id: 5 } } },
    Summary: { fields: { value: { rule: 'repeated', type: 'Value', id: 1 } } },
    Value: { fields: { tag: { type: 'string', id: 1 }, simpleValue: { type: 'float', id: 2 } } },
  },
}).lookupType('Event');

/** Every value in the order of the file. A record that is cut off ends the list with a note. */
exports.readEvents = (file) => {
  const bytes = readFileSync(file);
  const values = [];
  for (let at = 0; at < bytes.length;) {
    if (at + 12 > bytes.length) return [...values, 'cut off'];
    const length = Number(bytes.readBigUInt64LE(at));
    if (at + 16 + length > bytes.length) return [...values, 'cut off'];
    const { step, summary } = Event.toObject(Event.decode(bytes.subarray(at + 12, at + 12 + length)), {
      longs: Number,
      defaults: true,
    });
    for (const { tag, simpleValue } of summary?.value ?? []) values.push([step, tag, simpleValue]);
    at += 16 + length;
  }
  return values;
};
