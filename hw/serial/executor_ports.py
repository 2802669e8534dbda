"""Ports of the executor of requests: to the frames, to accesses, and to the accelerator's streams."""

from __future__ import annotations

from amaranth.lib.wiring import In, Member, Out

__all__ = ["executor_members", "stream_members"]


def stream_members(encoder_lanes: int) -> dict[str, Member]:
    """The other side of the accelerator's streams and of its interrupt, and its reset."""
    return {
        "pixels_data": Out(8 * encoder_lanes),
        "pixels_last": Out(1),
        "pixels_tag": Out(16),
        "pixels_valid": Out(1),
        "pixels_ready": In(1),
        "result_data": In(64),
        "result_last": In(1),
        "result_tag": In(16),
        "result_valid": In(1),
        "result_ready": Out(1),
        "irq": In(1),
        "chip_reset": Out(1),
    }


def executor_members(depth: int, encoder_lanes: int) -> dict[str, Member]:
    """All ports, with buffers of `depth` bytes."""
    return {
        "whole": In(1),
        "length": In(range(depth + 1)),
        "request_address": Out(range(depth)),
        "request_byte": In(8),
        "free": Out(1),
        "broken": In(1),
        "answer_write": Out(1),
        "answer_address": Out(range(depth)),
        "answer_data": Out(8),
        "start": Out(1),
        "sequence_number": Out(8),
        "status": Out(8),
        "answer_length": Out(range(depth)),
        "answer_empty": Out(1),
        "busy": In(1),
        "access": Out(1),
        "access_write": Out(1),
        "access_address": Out(32),
        "access_data": Out(32),
        "access_done": In(1),
        "access_response": In(3),
        "access_read": In(32),
        **stream_members(encoder_lanes),
        "idle": Out(1),
        "executed": Out(1),
        "greeted": Out(1),
    }
