"""Prints as JSON what TensorBoard reads from the event folder given as the first argument."""

import base64
import json
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader

accumulator = EventAccumulator(sys.argv[1], size_guidance={"images": 0, "scalars": 0, "tensors": 0})
accumulator.Reload()
tags = accumulator.Tags()
print(
    json.dumps(
        {
            "fileVersion": accumulator.file_version,
            "scalars": {
                tag: [[event.step, event.value, event.wall_time] for event in accumulator.Scalars(tag)]
                for tag in tags["scalars"]
            },
            "images": {
                tag: [
                    [event.step, event.width, event.height, base64.b64encode(event.encoded_image_string).decode()]
                    for event in accumulator.Images(tag)
                ]
                for tag in tags["images"]
            },
            "texts": {
                tag: [
                    [
                        event.step,
                        event.tensor_proto.string_val[0].decode(),
                        accumulator.SummaryMetadata(tag).plugin_data.plugin_name,
                    ]
                    for event in accumulator.Tensors(tag)
                ]
                for tag in tags["tensors"]
            },
            # The loader checks both checksums of every record and stops at the first that is wrong.
            "records": sum(1 for _ in RawEventFileLoader(sys.argv[2]).Load()),
        }
    )
)
