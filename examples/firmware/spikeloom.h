/* Driver of the SpikeLoom unit behind AXI, in C99 without an operating system or a heap.
 *
 * It needs five functions of the board (struct spikeloom_port) and a network (network.h, written by
 * `spikeloom firmware`). Every function returns SPIKELOOM_OK or what went wrong; spikeloom_message says it in words.
 * docs/firmware.md is the manual. */
#ifndef SPIKELOOM_H
#define SPIKELOOM_H

#include <stddef.h>
#include <stdint.h>

#include "spikeloom_registers.h"

enum spikeloom_error {
    SPIKELOOM_OK = 0,
    SPIKELOOM_E_BUS,        /* an access was answered with an error, and no error flag says why */
    SPIKELOOM_E_NO_CHIP,    /* there is no SpikeLoom at this address */
    SPIKELOOM_E_VERSION,    /* its register map has another major version, or is older than the header */
    SPIKELOOM_E_BUILD,      /* the network was made for another build */
    SPIKELOOM_E_CHECKSUM,   /* what arrived is not what was sent */
    SPIKELOOM_E_REFUSED,    /* the unit was not in the state for a write */
    SPIKELOOM_E_TIMEOUT,    /* the unit gave up waiting for the rest of a load session or of a frame */
    SPIKELOOM_E_FRAME,      /* an image frame was too short or too long */
    SPIKELOOM_E_UNLOADED,   /* nothing is loaded */
    SPIKELOOM_E_NO_ANSWER,  /* no result, or no end of programming, in time */
    SPIKELOOM_E_STREAM,     /* the port could not send or receive */
    SPIKELOOM_E_TAG,        /* the result of another image came */
    SPIKELOOM_E_OVERFLOW,   /* a membrane saturated: the answer cannot be trusted */
    SPIKELOOM_E_DAMAGED,    /* the list of writes itself is damaged (found where the driver sums it up) */
    SPIKELOOM_E_FEATURE,    /* the network needs a leak, a clip or a reset that a layer is built without */
    SPIKELOOM_E_PROGRAMMER, /* the list programs cells, and the chip is built without programmers */
    SPIKELOOM_E_COUNTERS,   /* the chip is built without activity counters */
    SPIKELOOM_E_CODING,     /* the network needs an input coding that the chip is built without */
    SPIKELOOM_E_RULE        /* the network needs a decision rule that the chip is built without */
};

/* What the board gives. Functions return 0, or another number where it did not work. */
struct spikeloom_port {
    void *context;
    /* One access to the AXI4-Lite bus; address counts from the base of the unit. Where the processor cannot see that
     * an access was answered with an error, return 0: the driver looks at the flags as well. */
    int (*write32)(void *context, uint32_t address, uint32_t data);
    int (*read32)(void *context, uint32_t address, uint32_t *data);
    /* Send a frame of whole words, byte 0 the lowest of the first word, tlast with the last word, tuser = tag. */
    int (*send)(void *context, uint16_t tag, const uint8_t *bytes, size_t count);
    /* Wait for a frame of results; store its tag and at most `most` words of 64 bits, and how many there were. */
    int (*receive)(void *context, uint16_t *tag, uint64_t *words, size_t most, size_t *count);
    /* Called while the driver waits for a programmer: sleep until the interrupt, or do nothing. May be NULL. */
    void (*idle)(void *context);
    /* Forget result words that were left over by a soft reset. May be NULL. */
    void (*flush)(void *context);
};

struct spikeloom_write {
    uint32_t address;
    uint32_t data;
};

/* A network as network.h holds it. */
struct spikeloom_network {
    const char *name;
    uint32_t build;                        /* number of the build it was made for */
    uint32_t checksum;                     /* CRC-32 of the writes */
    const struct spikeloom_write *writes;  /* in this order */
    uint32_t write_count;
    uint32_t top_code;                     /* code of the highest level of a cell */
    uint32_t seeds;                        /* 1: rate coding, every image needs a seed */
    uint32_t fault_aware;                  /* 1: partners are to make up for cells that fail */
};

#define SPIKELOOM_MOST_LAYERS 16
#define SPIKELOOM_MOST_RESULT_WORDS (2 + 3 * SPIKELOOM_MOST_LAYERS)

/* The unit, as spikeloom_connect finds it. */
struct spikeloom {
    const struct spikeloom_port *port;
    uint32_t build, layers, encoder_lanes, pixel_words, parts, codings;
    uint32_t polls;    /* how often programming is asked for its end before the driver gives up */
    uint32_t control;  /* what register `control` holds */
    uint32_t crc;      /* CRC-32 of the writes of this load session so far */
};

/* How cells are to be programmed, and what came of it; see spikeloom_load. */
struct spikeloom_programming {
    int fault_aware;  /* in: the other cell of a pair compensates for one that fails */
    /* in: called for every cell that failed in the end, or NULL; side 0 is the positive cell */
    void (*failed)(void *context, uint32_t layer, uint32_t row, uint32_t column, uint32_t side, uint32_t code);
    void *context;          /* in: for `failed` */
    uint32_t starts;        /* out: rows and column groups programmed */
    uint32_t second_passes; /* out: of them once more, for the partners of failed cells */
    uint32_t failed_cells;  /* out: that are not within the tolerance */
    uint32_t pulses, verify_reads;  /* out: over all layers */
};

struct spikeloom_answer {
    uint16_t tag;
    uint32_t winner;  /* the class */
    uint32_t steps;
    int32_t margin;    /* to the second class */
    uint32_t by_rule;  /* 1: the rule ended it, 0: the step limit */
    uint32_t cycles;   /* with control.activity only, like what follows */
    uint32_t gap;      /* clock cycles between the result before and this image's first vector */
};

struct spikeloom_counters {
    uint32_t row_pulses, tile_reads, conversions, saturations, spikes;
};

/* One sentence for an error. */
const char *spikeloom_message(int error);

/* Look for the unit, read what it is, clear its error flags. */
int spikeloom_connect(struct spikeloom *chip, const struct spikeloom_port *port);

/* Bytes of a frame: whole words, with the seed's if `seeds` is 1. */
size_t spikeloom_frame_bytes(const struct spikeloom *chip, uint32_t seeds);

/* Load a network: session, writes, checksum. Where the list has programming in it, wait for every start to finish.
 * `programming` may be NULL: then cells are programmed as listed, and not looked at. Cells of a chip without programmers
 * are programmed elsewhere: a list that programs them is refused. */
int spikeloom_load(struct spikeloom *chip, const struct spikeloom_network *network,
                   struct spikeloom_programming *programming);

/* Write register `control`: the bits SPIKELOOM_CONTROL_..._MASK. */
int spikeloom_control(struct spikeloom *chip, uint32_t bits);

/* Fill a frame of spikeloom_frame_bytes bytes; seed is 16 bytes, lowest first, or NULL. */
void spikeloom_fill(const struct spikeloom *chip, uint8_t *frame, const uint8_t *seed, const uint8_t *pixels,
                    size_t count);

/* Give an image to the unit. Two may be under way: the second waits in the unit while the first is being processed. */
int spikeloom_send(struct spikeloom *chip, uint16_t tag, const uint8_t *frame, size_t count);

/* Take the next result; `counters` has room for all layers, or is NULL. Both need control.activity for what it adds; a
 * chip without activity counters has none to give (SPIKELOOM_E_COUNTERS, before a result is taken). */
int spikeloom_receive(struct spikeloom *chip, struct spikeloom_answer *answer, struct spikeloom_counters *counters);

/* Send one image and wait for its result, which must bear its tag. */
int spikeloom_infer(struct spikeloom *chip, uint16_t tag, const uint8_t *frame, size_t count,
                    struct spikeloom_answer *answer);

/* Counters of a layer for the image that was answered last, over the bus. */
int spikeloom_read_counters(struct spikeloom *chip, uint32_t layer, struct spikeloom_counters *counters);

/* Error flags of the unit (SPIKELOOM_ERRORS_..._MASK), and clear them; `flags` may be NULL. */
int spikeloom_take_errors(struct spikeloom *chip, uint32_t *flags);

/* Soft reset: images, session and settings are gone, cells stay. Afterwards the unit has to be loaded again. */
int spikeloom_soft_reset(struct spikeloom *chip);

#endif
