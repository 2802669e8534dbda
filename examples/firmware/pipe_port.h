/* A port to a simulated chip: the bench of `sim/cosim/host/bench.py`, spoken to through two named pipes. On a board this file
 * is what you replace: see docs/firmware.md. */
#ifndef PIPE_PORT_H
#define PIPE_PORT_H

#include <stdio.h>

#include "spikeloom.h"

#define PIPE_PORT_FRAMES 8

struct pipe_frame {
    uint16_t tag;
    size_t count;
    uint64_t words[SPIKELOOM_MOST_RESULT_WORDS];
};

struct pipe_port {
    FILE *commands, *responses;
    size_t word_bytes;      /* bytes of a word of the pixel stream; set once the chip is known */
    uint32_t patience;      /* clock cycles to wait for a result */
    struct pipe_frame frames[PIPE_PORT_FRAMES]; /* that came while something else was waited for */
    size_t first, waiting;
};

/* Open the pipes in a simulation's folder, and fill in the port's functions; not 0 where they cannot be opened. */
int pipe_port_open(struct pipe_port *pipes, struct spikeloom_port *port, const char *folder);

/* End the simulation. */
void pipe_port_close(struct pipe_port *pipes);

#endif
