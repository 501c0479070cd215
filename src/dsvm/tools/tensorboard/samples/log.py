"""Logs a loss that halves with each step into the folder that is named."""

import sys

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.event_file_writer import EventFileWriter

writer = EventFileWriter(sys.argv[1])
for step in range(5):
    summary = Summary(value=[Summary.Value(tag="halving", simple_value=0.5**step)])
    writer.add_event(Event(step=step, wall_time=1.7e9 + step, summary=summary))
writer.close()
