/** Encodes TensorBoard event files: `Event` protocol buffers in TFRecord frames. */
import { Crc32c } from '@aws-crypto/crc32c';
import protobuf from 'protobufjs';

// The subset of TensorFlow's event.proto, summary.proto and tensor.proto that is written here. Field numbers and types
// are those of the public definitions, so that every reader of event files understands the result.
const schema = protobuf.Root.fromJSON({
  nested: {
    Event: {
      oneofs: { what: { oneof: ['fileVersion', 'summary'] } },
      fields: {
        wallTime: { type: 'double', id: 1 },
        step: { type: 'int64', id: 2 },
        fileVersion: { type: 'string', id: 3 },
        summary: { type: 'Summary', id: 5 },
      },
    },
    Summary: { fields: { value: { rule: 'repeated', type: 'Value', id: 1 } } },
    Value: {
      oneofs: { value: { oneof: ['simpleValue', 'image', 'tensor'] } },
      fields: {
        tag: { type: 'string', id: 1 },
        simpleValue: { type: 'float', id: 2 },
        image: { type: 'Image', id: 4 },
        tensor: { type: 'Tensor', id: 8 },
        metadata: { type: 'Metadata', id: 9 },
      },
    },
    Image: {
      fields: {
        height: { type: 'int32', id: 1 },
        width: { type: 'int32', id: 2 },
        colorspace: { type: 'int32', id: 3 },
        encodedImageString: { type: 'bytes', id: 4 },
      },
    },
    Metadata: { fields: { pluginData: { type: 'PluginData', id: 1 } } },
    PluginData: { fields: { pluginName: { type: 'string', id: 1 }, content: { type: 'bytes', id: 2 } } },
    Tensor: {
      fields: {
        dtype: { type: 'int32', id: 1 },
        tensorShape: { type: 'Shape', id: 2 },
        stringVal: { rule: 'repeated', type: 'bytes', id: 8 },
      },
    },
    Shape: { fields: { dim: { rule: 'repeated', type: 'Dim', id: 2 } } },
    Dim: { fields: { size: { type: 'int64', id: 1 } } },
  },
});
const eventType = schema.lookupType('Event');

/** TensorFlow's enum value for the string data type. */
const DT_STRING = 7;

/** One value of a summary. */
export type SummaryValue = { readonly tag: string } & (
  | { readonly simpleValue: number }
  | {
      readonly image: {
        readonly height: number;
        readonly width: number;
        readonly colorspace: number;
        readonly encodedImageString: Uint8Array;
      };
    }
  | { readonly text: string }
);

/** The content of an event: the version that every file starts with, or values at a step. */
export type EventBody =
  { readonly fileVersion: string } | { readonly step: number; readonly values: readonly SummaryValue[] };

function toMessage(value: SummaryValue): Record<string, unknown> {
  if (!('text' in value)) return { ...value };
  return {
    tag: value.tag,
    tensor: { dtype: DT_STRING, tensorShape: { dim: [{ size: 1 }] }, stringVal: [Buffer.from(value.text, 'utf8')] },
    metadata: { pluginData: { pluginName: 'text' } },
  };
}

/** Returns TFRecord's masked CRC-32C: rotated right by 15 bits plus a constant, so that a CRC over CRCs stays sound. */
function maskedCrc32c(bytes: Uint8Array): number {
  const crc = new Crc32c().update(bytes).digest();
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

/**
 * Encodes an event as one record: length (uint64), checksum of the length, message, checksum of the message, with
 * little-endian numbers.
 *
 * @param wallTimeMs milliseconds since 1970 (the Unix epoch)
 */
export function encodeRecord(wallTimeMs: number, body: EventBody): Uint8Array {
  const content = 'fileVersion' in body ? body : { step: body.step, summary: { value: body.values.map(toMessage) } };
  const message = eventType.encode(eventType.create({ wallTime: wallTimeMs / 1000, ...content })).finish();
  const record = Buffer.alloc(message.length + 16);
  record.writeBigUInt64LE(BigInt(message.length), 0);
  record.writeUInt32LE(maskedCrc32c(record.subarray(0, 8)), 8);
  record.set(message, 12);
  record.writeUInt32LE(maskedCrc32c(message), 12 + message.length);
  return record;
}
