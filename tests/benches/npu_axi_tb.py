"""The cocotb bench of `npu_axi`: a third party's managers and streams on all its buses, with random stalls.

+stall=<percent> pauses every channel at random, +resets=<n> is the number of random resets, +seed=<n> the random seed.
"""

from __future__ import annotations

import cocotb
from cocotb.triggers import ClockCycles, FallingEdge, First, RisingEdge, Timer, with_timeout
from cocotbext.axi import AxiResp

from spikeloom.hw.host.register_map import ADDRESS_BITS, layer_byte_address, unit_byte_address
from spikeloom.hw.interfaces.registers import Register
from spikeloom.hw.interfaces.streams import seed_words
from tests.benches.npu_axi_host import (
    BIASES,
    BUILD,
    BY_NAME,
    ENTRIES,
    LIMIT_US,
    RESULTS,
    STARTS,
    TARGETS,
    UNIT,
    Host,
    errors,
    kept,
)

WORD_BYTES = UNIT.encoder_lanes
IMAGE_BYTES = UNIT.pixel_words * WORD_BYTES
UNGUARDED = ("rw", "w1c", "wo")


@cocotb.test()
async def registers(dut) -> None:
    """Every register is read and written, in words and in bytes; unmapped and misaligned accesses change nothing."""
    host = Host(dut)
    await host.start()
    await host.check_registers()
    for entry in ENTRIES:
        own = not isinstance(entry.register, Register)
        for strobe in (15, *(host.rng.randrange(15) for _ in range(2)), 15, 0):
            word = host.rng.getrandbits(32)
            flags: tuple[str, ...] = ()
            good = entry.access != "ro"
            if entry.name == "reset":
                word &= ~1
            if entry.whole and strobe not in (0, 15):
                good = False
            elif entry.name == "load_begin":
                good, flags = strobe == 0, ("build",) * (strobe == 15)
            elif entry.name == "load_end":
                good, flags = strobe == 0, ("refused",) * (strobe == 15)
            elif entry.name == "program_start":
                good, flags = False, ("refused",)
            response = await host.strobed(entry.address, word, strobe)
            assert response == (AxiResp.OKAY if good else AxiResp.SLVERR), (entry, strobe)
            if good and entry.access == "rw":
                mask = sum(0xFF << 8 * lane for lane in range(4) if strobe >> lane & 1)
                host.model[entry.address] = kept(entry, host.model[entry.address] & ~mask | word & mask)
            assert not own or await host.value("errors") == errors(*flags), (entry, strobe)
            if flags:
                await host.flagged(*flags)
            assert await host.value(entry.address) == host.model[entry.address], entry
    await host.check_registers()

    seeds = [unit_byte_address(f"seed_{i}") for i in range(4)]
    burst = host.rng.randbytes(16)  # four writes and four reads under way at once
    assert (await host.master.write(seeds[0], burst)).resp == AxiResp.OKAY
    assert (await host.master.read(seeds[0], 16)).data == burst
    for index, address in enumerate(seeds):
        host.model[address] = int.from_bytes(burst[4 * index : 4 * index + 4], "little")

    for address in BIASES:
        for strobe in range(16):
            good = strobe in (0, 15)
            assert await host.strobed(address, 0, strobe) == (AxiResp.OKAY if good else AxiResp.SLVERR)
        assert (await host.read(address))[0] == AxiResp.SLVERR
    await host.begin()
    for address in TARGETS:
        for strobe in range(16):
            good = strobe in (0, 15)
            assert await host.strobed(address, 0, strobe) == (AxiResp.OKAY if good else AxiResp.SLVERR)
        assert (await host.read(address))[0] == AxiResp.SLVERR
    for address in RESULTS:
        assert await host.read(address) == (AxiResp.OKAY, 0)
        assert await host.write(address, 0) == AxiResp.SLVERR
    mapped = {entry.address for entry in ENTRIES} | {*BIASES, *TARGETS, *RESULTS}
    near = [address + 4 for address in mapped] + [address - 4 for address in mapped if address]
    for _ in range(150):
        address = host.rng.choice([host.rng.choice(near), host.rng.randrange(1 << ADDRESS_BITS)]) & ~3
        if address not in mapped:
            assert await host.write(address, host.rng.getrandbits(32)) == AxiResp.SLVERR
            assert (await host.read(address))[0] == AxiResp.SLVERR
        off = host.rng.choice(sorted(mapped)) + host.rng.randint(1, 3)
        assert await host.write(off, 0xFF, 1) == AxiResp.SLVERR
        assert (await host.read(off, 1))[0] == AxiResp.SLVERR
    assert await host.value("errors") == 0
    host.model[unit_byte_address("load_checksum")] = await host.value("load_checksum")
    host.model[unit_byte_address("status")] = 1 << 4
    await host.check_registers()


@cocotb.test()
async def sessions(dut) -> None:
    """Load sessions: right, of another build, with another checksum, broken off; and what is refused when."""
    host = Host(dut)
    await host.start()
    assert await host.state() == "empty"
    target, start = TARGETS[0], layer_byte_address(0, "program_start")
    for address in (target, start, "load_end"):
        await host.refused(address, 0, "refused")
    await host.refused("load_begin", BUILD ^ 1 << host.rng.randrange(32), "build")
    assert await host.state() == "empty"

    await host.load(share=0.3)
    for address in (target, start, "load_end"):  # the session is over
        await host.refused(address, 0, "refused")
    assert await host.state() == "loaded"
    await host.refused("load_begin", BUILD + 1, "build")  # what is loaded is not trusted any more
    assert await host.state() == "empty"

    await host.begin()
    await host.configure()
    await host.refused("load_end", await host.value("load_checksum") ^ 1 << host.rng.randrange(32), "checksum")
    assert await host.state() == "empty"

    await host.begin()  # a second begin starts over
    await host.configure()
    await host.begin()
    await host.configure()
    await host.end()

    # Nothing but what the checksum covers counts: a lost write, a read or a refused write make no difference.
    await host.begin()
    await host.configure()
    await host.put("control", 0)
    assert await host.write(5, 0, 1) == AxiResp.SLVERR
    assert await host.strobed(unit_byte_address("t_max"), 3, 0) == AxiResp.OKAY
    await host.end()

    # A session that is broken off.
    await host.put("timeout", 200)
    await host.begin()
    await ClockCycles(dut.clk, 150)
    assert await host.state() == "loading"  # which is an access: the clock starts over
    await ClockCycles(dut.clk, 150)
    assert await host.state() == "loading"
    await ClockCycles(dut.clk, 260)
    assert await host.state() == "empty"
    await host.flagged("timeout")
    await host.load()
    await ClockCycles(dut.clk, 260)
    assert await host.state() == "loaded"

    # While an image is being processed nothing is opened, and nothing is written.
    host.hold(host.results)
    image = host.image()
    for tag in range(3):  # one that waits, one that has its answer, one behind
        host.send(image, tag)
    while await host.value("status") & 3 != 3:
        pass
    await host.refused("load_begin", BUILD, "refused")
    await host.refused("load_begin", BUILD + 1, "refused")
    for address in (BY_NAME[None, "t_max"].address, BIASES[0], "seed_0", "program_window"):
        await host.refused(address, 1, "refused")
    assert await host.state() == "loaded"
    host.pace()
    for tag in range(3):
        await host.result(image, tag)


@cocotb.test()
async def programming(dut) -> None:
    """Cells reach their targets; results, counts, flags and the interrupt; images see the cells."""
    host = Host(dut)
    await host.start()
    await host.put("control", 4)  # irq_program
    await host.begin()
    for window, tries, smallest, largest in ((0, 255, 1, 255), (3, 2, 4, 6), (0, 0, 1, 1), (2, 20, 1, 9)):
        await host.settings(window, tries, smallest, largest)
        for start in STARTS:
            await host.program(*start)
            assert dut.irq.value == 1 and await host.value("events") == 1
            await host.put("events", 1)
            assert dut.irq.value == 0 and await host.value("events") == 0
    for layer, row, group in ((0, 4, 0), (0, 65535, 0), (1, 0, 2), (1, 3, 65535)):  # not there: nothing is done
        counts = [layer_byte_address(layer, name) for name in ("pulses", "verify_reads", "failed_cells")]
        before = [await host.value(address) for address in counts]
        await host.put(layer_byte_address(layer, "program_start"), group << 16 | row, counted=True)
        while await host.value(layer_byte_address(layer, "program_status")):
            pass
        assert [await host.value(address) for address in counts] == before
        await host.put("events", 1)
    for layer in range(2):
        assert await host.value(layer_byte_address(layer, "pulses")) > 0
        assert await host.value(layer_byte_address(layer, "failed_cells")) > 0
    await host.begin()
    for layer in range(2):
        for name in ("pulses", "verify_reads", "failed_cells"):
            assert await host.value(layer_byte_address(layer, name)) == 0

    # A programmer at work holds off what would disturb it; the other layer may start beside it.
    await host.settings(0, 255, 1, 1)
    for layer in range(2):
        for index, target in enumerate(TARGETS):
            if target >> 18 == layer + 1:
                await host.put(target, 0x00C80000 + 100 + index, counted=True)
        Host.cells |= {place: None for place in Host.cells if place[0] == layer}
        await host.put(layer_byte_address(layer, "program_start"), 0, counted=True)
    assert await host.value("status") >> 6 & 1
    for address in (TARGETS[0], layer_byte_address(0, "program_start"), "program_tries", "load_begin", "load_end"):
        await host.refused(address, BUILD if address == "load_begin" else 0, "refused")
    assert await host.value("events") == 0
    while await host.value("status") >> 6 & 1:
        pass
    assert await host.value("events") == 1 and await host.value(layer_byte_address(0, "pulses")) > 500
    await host.end()
    await host.load()
    for tag in range(3):
        image = host.image()
        host.send(image, tag)
        await host.result(image, tag)


@cocotb.test()
async def images(dut) -> None:
    """Images back to back, tagged: no result is lost, doubled or out of order. Writes while busy are refused."""
    host = Host(dut)
    await host.start()
    done = 0
    guarded = [entry.address for entry in ENTRIES if entry.idle_only] + BIASES
    for number in range(6):
        await host.load(share=0.2)
        seeds, activity = bool(number & 1), bool(number & 2)
        await host.put("control", 8 * seeds | 16 * activity)
        batch = [(host.image(), host.rng.getrandbits(16), host.rng.getrandbits(128)) for _ in range(6)]
        if not seeds:
            for part in range(4):
                await host.put(f"seed_{part}", batch[0][2] >> 32 * part & 0xFFFFFFFF)
        host.hold(host.results)  # the first images stay until the writes have been tried
        for image, tag, seed in batch:
            host.send(image, tag, seed if seeds else None)
        while await host.value("status") & 3 != 3:
            pass
        for address in host.rng.sample(guarded, 5):
            await host.refused(address, host.rng.getrandbits(32), "refused")
        host.pace()
        for image, tag, seed in batch:
            words = await host.result(image, tag, seed if seeds else batch[0][2], activity)
        done += len(batch)
        await ClockCycles(dut.clk, 100)
        assert host.results.empty() and await host.value("status") == 1 << 5
        assert await host.value("images") == done and await host.value("errors") == 0
        if activity:
            assert words[1] == await host.value("gap") << 32 | await host.value("cycles")
            spikes = await host.value(layer_byte_address(1, "spikes"))
            assert words[-1] == spikes


@cocotb.test()
async def frames(dut) -> None:
    """Frames that are no image give no result but their flag, whatever is being processed; others are unaffected."""
    host = Host(dut)
    await host.start()
    host.send(host.image(), 1)  # nothing is loaded
    await with_timeout(host.pixels.wait(), LIMIT_US, "us")
    await host.flagged("unloaded")
    await host.load(share=0.5)
    for seeds in (False, True):
        await host.put("control", 8 * seeds)
        whole = IMAGE_BYTES + seeds * seed_words(UNIT) * WORD_BYTES
        for _ in range(12):
            batch, wrong = [], False
            for _ in range(host.rng.randint(1, 5)):
                image, tag, seed = host.image(), host.rng.getrandbits(16), host.rng.getrandbits(128)
                length = host.rng.choice([whole, whole, host.rng.randint(1, 2 * whole)])
                if -(-length // WORD_BYTES) == whole // WORD_BYTES:
                    batch.append((image, tag, seed if seeds else 0))
                    host.send(image, tag, seed if seeds else None)
                else:
                    wrong = True
                    host.send(host.rng.randbytes(length), tag)
            for image, tag, seed in batch:
                await host.result(image, tag, seed)
            await with_timeout(host.pixels.wait(), LIMIT_US, "us")
            await ClockCycles(dut.clk, 3)
            await host.flagged(*["frame"] * wrong)
    for _ in range(200 if host.stall else 50):
        await RisingEdge(dut.clk)
    assert host.results.empty()

    # A frame that is broken off after its first word; what follows is a frame of its own.
    await host.put("control", 0)
    await host.put("timeout", 40)
    image = host.image()
    host.send(image, 5)
    await taken(dut, 1)
    host.hold(host.pixels)
    await ClockCycles(dut.clk, 100)
    await host.flagged("timeout")
    assert await host.value("status") == 1 << 5
    host.pace()
    await with_timeout(host.pixels.wait(), LIMIT_US, "us")
    await host.flagged("frame")
    await host.put("timeout", 5000)
    for tag in range(3):
        host.send(image, tag)
    for tag in range(3):
        await host.result(image, tag)
    assert await host.value("errors") == 0


async def taken(dut, words: int) -> None:
    """Wait until the chip has taken some words of frames."""
    while words:
        await RisingEdge(dut.clk)
        words -= int(dut.s_axis_pixels_tvalid.value) & int(dut.s_axis_pixels_tready.value)


async def traffic(host: Host) -> None:
    """Everything that a host does, for ever, the wrong things too."""
    rng = host.rng
    await host.load(share=rng.choice([0, 0.2]))
    while True:
        control = rng.getrandbits(2) << 3
        await host.master.write(unit_byte_address("control"), bytes([control, 0, 0, 0]))
        for _ in range(rng.randint(1, 4)):
            length = rng.choice([IMAGE_BYTES] * 3 + [rng.randint(1, 50)])
            host.send(rng.randbytes(length + (control >> 3 & 1) * seed_words(UNIT) * WORD_BYTES), rng.getrandbits(16))
        addresses = [entry.address for entry in ENTRIES if entry.name not in ("reset", "program_start", "timeout")]
        for _ in range(rng.randint(1, 12)):
            address = rng.choice([*addresses, *BIASES, *TARGETS, *RESULTS])
            if rng.random() < 0.5:
                await host.master.write(address, rng.randbytes(4))
            else:
                await host.master.read(address, 4)


@cocotb.test()
async def random_resets(dut) -> None:
    """A reset in the middle of anything, hard or soft, leaves a unit as new: registers at their start values, no image
    and no session, cells where they were; and what is loaded and asked next is right."""
    host = Host(dut)
    await host.start()
    for number in range(int(cocotb.plusargs.get("resets", 20))):
        if host.rng.random() < 0.2:
            host.hold(host.results)
        task = cocotb.start_soon(traffic(host))
        await First(task, Timer(10 * int(3 ** host.rng.uniform(0, 7.5)), "ns"))
        assert not task.done(), task.exception()
        task.cancel()
        host.pixels.clear()
        hard = host.rng.random() < 0.4
        if hard:
            await FallingEdge(dut.clk)  # in the time step of an edge it would be before or after that edge
            dut.rst.value = 1
            await ClockCycles(dut.clk, host.rng.randint(2, 4))
            host.results.clear()
            dut.rst.value = 0
            await RisingEdge(dut.clk)
        else:
            assert await host.write(unit_byte_address("reset"), 1) == AxiResp.OKAY
            host.stale = True
        host.pace()
        host.model = {entry.address: entry.init for entry in ENTRIES}
        host.bias = [[0] * p.outputs for p in UNIT.layers]
        if not hard:  # what the stream had begun to send is no image any more; a word that waited is taken
            await with_timeout(host.pixels.wait(), LIMIT_US, "us")
            await ClockCycles(dut.clk, 30 if host.stall else 5)
            host.results.clear()
            assert await host.value("errors") in (0, errors("unloaded"))
            await host.put("errors", errors("unloaded"))
        if number % 10 == 0:
            await host.check_registers()
        for entry in host.rng.sample(ENTRIES, 4):
            assert await host.value(entry.address) == host.model[entry.address], (entry.layer, entry.name)
        for address in host.rng.sample(RESULTS, 3):  # words of a memory that a reset cannot clear
            assert await host.value(address) == 0
        await host.load()
        activity = host.rng.random() < 0.5
        await host.put("control", 16 * activity)
        image = host.image()
        for tag in range(3):
            host.send(image, number + tag)
        for tag in range(3):
            await host.result(image, number + tag, activity=activity)
        assert host.results.empty() and await host.value("images") == 3
        assert await host.value("errors") == 0 and await host.value("status") == 1 << 5
