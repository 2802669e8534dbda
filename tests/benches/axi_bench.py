"""AXI4-Lite manager for Amaranth testbenches, with random stalls on every channel."""

from __future__ import annotations

import random
from typing import Any

__all__ = ["Manager"]


class Manager:
    """One access at a time. `stall` (0 .. less than 1) delays addresses, data and the readiness for responses.

    Checks the subordinate against the protocol: a response stays until it is taken, and comes once.
    """

    def __init__(self, dut: Any, rng: random.Random, stall: float, prefix: str = "") -> None:
        self.dut, self.rng, self.stall, self.prefix = dut, rng, stall, prefix

    def port(self, name: str) -> Any:
        return getattr(self.dut, self.prefix + name)

    def delay(self) -> int:
        cycles = 0
        while self.rng.random() < self.stall:
            cycles += 1
        return cycles

    async def _access(self, ctx: Any, requests: list[str], answer: str, payload: list[str]) -> list[int]:
        left = {channel: self.delay() for channel in requests}
        offered: list[int] | None = None
        while True:
            for channel in requests:
                ctx.set(self.port(f"{channel}valid"), left.get(channel) == 0)
            ready = self.rng.random() >= self.stall
            ctx.set(self.port(f"{answer}ready"), ready)
            ports = [self.port(f"{channel}ready") for channel in requests]
            ports += [self.port(f"{answer}valid"), *(self.port(name) for name in payload)]
            _, _, *sampled = await ctx.tick().sample(*ports)
            taken, (valid, *values) = sampled[: len(requests)], sampled[len(requests) :]
            assert not valid or not left, "answered before the request was complete"
            assert offered is None or (valid and values == offered), "response withdrawn or changed"
            for channel, accepted in zip(requests, taken, strict=True):
                if left.get(channel) == 0 and accepted:
                    del left[channel]
                elif left.get(channel):
                    left[channel] -= 1
            if valid and ready:
                ctx.set(self.port(f"{answer}ready"), 0)
                return values
            offered = values if valid else None

    async def write(self, ctx: Any, address: int, data: int, strobe: int = 15) -> int:
        """Response of a write."""
        ctx.set(self.port("awaddr"), address)
        ctx.set(self.port("wdata"), data & 0xFFFFFFFF)
        ctx.set(self.port("wstrb"), strobe)
        (response,) = await self._access(ctx, ["aw", "w"], "b", ["bresp"])
        return response

    async def read(self, ctx: Any, address: int) -> tuple[int, int]:
        """Response and data of a read."""
        ctx.set(self.port("araddr"), address)
        response, data = await self._access(ctx, ["ar"], "r", ["rresp", "rdata"])
        return response, data
