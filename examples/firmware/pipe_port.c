#include "pipe_port.h"

#include <inttypes.h>
#include <string.h>

#define LINE_BYTES 1024

enum { WRITE = 1, READ = 2, FRAME = 3, WAIT = 4, RECEIVE = 5, IRQ = 10 };

static void put(uint8_t *bytes, uint32_t number)
{
    bytes[0] = (uint8_t)(number >> 24);
    bytes[1] = (uint8_t)(number >> 16);
    bytes[2] = (uint8_t)(number >> 8);
    bytes[3] = (uint8_t)number;
}

static int command(struct pipe_port *pipes, uint32_t op, uint32_t a, uint32_t b, uint32_t c)
{
    uint8_t bytes[16];

    put(&bytes[0], op);
    put(&bytes[4], a);
    put(&bytes[8], b);
    put(&bytes[12], c);
    return fwrite(bytes, 1, sizeof bytes, pipes->commands) != sizeof bytes;
}

/* Keep a result frame that came: "f tag word word ...". */
static int keep(struct pipe_port *pipes, const char *line)
{
    struct pipe_frame *frame = &pipes->frames[(pipes->first + pipes->waiting) % PIPE_PORT_FRAMES];
    unsigned tag;
    int read;

    if (pipes->waiting == PIPE_PORT_FRAMES || sscanf(line, "f %u%n", &tag, &read) != 1)
        return 1;
    frame->tag = (uint16_t)tag;
    frame->count = 0;
    for (line += read; frame->count < SPIKELOOM_MOST_RESULT_WORDS; line += read, frame->count++)
        if (sscanf(line, " %" SCNx64 "%n", &frame->words[frame->count], &read) != 1)
            break;
    pipes->waiting++;
    return 0;
}

/* The answer to the last command, which begins with `kind`; result frames that come before it are kept. */
static int answer(struct pipe_port *pipes, char kind, char *line)
{
    if (fflush(pipes->commands))
        return 1;
    while (fgets(line, LINE_BYTES, pipes->responses)) {
        if (line[0] == kind)
            return 0;
        if (line[0] != 'f' || keep(pipes, line))
            return 1;
    }
    return 1;
}

static int pipe_write(void *context, uint32_t address, uint32_t data)
{
    char line[LINE_BYTES];
    unsigned response;

    if (command(context, WRITE, address, data, 15) || answer(context, 'w', line))
        return -1;
    return sscanf(line, "w %u", &response) == 1 ? (int)response : -1;
}

static int pipe_read(void *context, uint32_t address, uint32_t *data)
{
    char line[LINE_BYTES];
    unsigned response;

    if (command(context, READ, address, 0, 0) || answer(context, 'r', line))
        return -1;
    return sscanf(line, "r %u %" SCNx32, &response, data) == 2 ? (int)response : -1;
}

static int pipe_send(void *context, uint16_t tag, const uint8_t *bytes, size_t count)
{
    struct pipe_port *pipes = context;
    size_t word, lane;

    if (pipes->word_bytes == 0 || count % pipes->word_bytes)
        return -1;
    /* The last number addresses the device model's random draws; images are numbered by their tags here. */
    if (command(pipes, FRAME, (uint32_t)(count / pipes->word_bytes), tag, tag))
        return -1;
    for (word = 0; word < count; word += pipes->word_bytes)
        for (lane = pipes->word_bytes; lane-- > 0;)
            if (fputc(bytes[word + lane], pipes->commands) == EOF)
                return -1;
    return fflush(pipes->commands) ? -1 : 0;
}

static int pipe_receive(void *context, uint16_t *tag, uint64_t *words, size_t most, size_t *count)
{
    struct pipe_port *pipes = context;
    const struct pipe_frame *frame;
    char line[LINE_BYTES];
    unsigned came;

    while (pipes->waiting == 0) {
        if (command(pipes, RECEIVE, 1, pipes->patience, 0) || answer(pipes, 'd', line) ||
            sscanf(line, "d %u", &came) != 1 || (came == 0 && pipes->waiting == 0))
            return -1;
    }
    frame = &pipes->frames[pipes->first];
    *tag = frame->tag;
    *count = frame->count < most ? frame->count : most;
    memcpy(words, frame->words, *count * sizeof *words);
    pipes->first = (pipes->first + 1) % PIPE_PORT_FRAMES;
    pipes->waiting--;
    return 0;
}

static void pipe_idle(void *context)
{
    char line[LINE_BYTES];

    if (!command(context, IRQ, 10000, 0, 0))
        (void)answer(context, 'q', line);
}

static void pipe_flush(void *context)
{
    struct pipe_port *pipes = context;
    char line[LINE_BYTES];

    if (!command(pipes, WAIT, 16, 0, 0))
        (void)answer(pipes, 'i', line);
    pipes->waiting = 0;
}

int pipe_port_open(struct pipe_port *pipes, struct spikeloom_port *port, const char *folder)
{
    char path[LINE_BYTES];

    memset(pipes, 0, sizeof *pipes);
    pipes->patience = 100000;
    port->context = pipes;
    port->write32 = pipe_write;
    port->read32 = pipe_read;
    port->send = pipe_send;
    port->receive = pipe_receive;
    port->idle = pipe_idle;
    port->flush = pipe_flush;
    /* Opening waits for the simulator, which opens them in the same order. */
    (void)snprintf(path, sizeof path, "%s/commands", folder);
    pipes->commands = fopen(path, "wb");
    if (!pipes->commands)
        return 1;
    (void)snprintf(path, sizeof path, "%s/responses", folder);
    pipes->responses = fopen(path, "r");
    if (!pipes->responses)
        pipe_port_close(pipes);
    return !pipes->responses;
}

void pipe_port_close(struct pipe_port *pipes)
{
    if (pipes->commands) {
        (void)command(pipes, 0, 0, 0, 0);
        (void)fclose(pipes->commands);
    }
    if (pipes->responses)
        (void)fclose(pipes->responses);
    pipes->commands = pipes->responses = NULL;
}
