/* Load the network of network.h into a simulated chip, run its images, and hold every answer and every counter to what
 * the integer reference computed.
 *
 *     firmware FOLDER [--damaged | --reset]
 *
 * FOLDER is a simulation's, with its two pipes. --damaged flips a bit of a write on its way in a first load, to see
 * that the chip finds it and takes the next load. --reset soft-resets the chip with images on their way, and loads it
 * again. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "network.h"
#include "pipe_port.h"
#include "spikeloom.h"

static int (*sound_write)(void *context, uint32_t address, uint32_t data);
static uint32_t writes_left;

/* Damages a write of the list on its way. */
static int damaging_write(void *context, uint32_t address, uint32_t data)
{
    return sound_write(context, address, --writes_left == 0 ? data ^ 1u : data);
}

static int fail(const char *what, int error)
{
    printf("Error: %s: %s\n", what, spikeloom_message(error));
    return 1;
}

static void cell_failed(void *context, uint32_t layer, uint32_t row, uint32_t column, uint32_t side, uint32_t code)
{
    (void)context;
    printf("layer %" PRIu32 ", row %" PRIu32 ", column %" PRIu32 ": the %s cell failed at %" PRIu32 "/8 levels\n",
           layer, row, column, side ? "negative" : "positive", code);
}

static int send_image(struct spikeloom *chip, uint32_t image)
{
    static uint8_t frame[NETWORK_FRAME_BYTES];
    const uint8_t *seed = network.seeds ? network_seeds[image] : NULL;

    spikeloom_fill(chip, frame, seed, network_pixels[image], NETWORK_INPUTS);
    return spikeloom_send(chip, (uint16_t)image, frame, NETWORK_FRAME_BYTES);
}

/* Whether an answer is what the reference computed. */
static int agrees(uint32_t image, const struct spikeloom_answer *answer, const struct spikeloom_counters *counters)
{
    const struct spikeloom_answer *expected = &network_answers[image];

    return answer->tag == expected->tag && answer->winner == expected->winner && answer->steps == expected->steps &&
           answer->margin == expected->margin && answer->by_rule == expected->by_rule &&
           (!NETWORK_COUNTERS || memcmp(counters, network_counters[image], sizeof network_counters[image]) == 0);
}

static int run_images(struct spikeloom *chip)
{
    struct spikeloom_counters storage[NETWORK_LAYERS], *const counters = NETWORK_COUNTERS ? storage : NULL, last;
    const uint32_t counted = NETWORK_COUNTERS ? NETWORK_LAYERS : 0;
    struct spikeloom_answer answer;
    uint32_t image, layer, wrong = 0;
    int error;

    error = send_image(chip, 0);
    for (image = 0; image < NETWORK_IMAGES && !error; image++) {
        if (image + 1 < NETWORK_IMAGES) /* the next image goes out before this one's answer is waited for */
            error = send_image(chip, image + 1);
        if (!error)
            error = spikeloom_receive(chip, &answer, counters);
        if (error)
            break;
        printf("image %" PRIu32 ": class %" PRIu32 ", %" PRIu32 " steps, margin %" PRId32 ", %" PRIu32 " cycles, "
               "gap %" PRIu32 "\n",
               image, answer.winner, answer.steps, answer.margin, answer.cycles, answer.gap);
        for (layer = 0; layer < counted; layer++)
            printf("  layer %" PRIu32 ": %" PRIu32 " row pulses, %" PRIu32 " tile reads, %" PRIu32 " conversions, "
                   "%" PRIu32 " saturations, %" PRIu32 " spikes\n",
                   layer, counters[layer].row_pulses, counters[layer].tile_reads, counters[layer].conversions,
                   counters[layer].saturations, counters[layer].spikes);
        if (!agrees(image, &answer, counters)) {
            printf("  expected class %" PRIu32 ", %" PRIu32 " steps, margin %" PRId32 "\n",
                   network_answers[image].winner, network_answers[image].steps, network_answers[image].margin);
            wrong++;
        }
    }
    for (layer = 0; layer < counted && !error; layer++) {
        error = spikeloom_read_counters(chip, layer, &last);
        wrong += !error && memcmp(&last, &network_counters[NETWORK_IMAGES - 1][layer], sizeof last) != 0;
    }
    if (error)
        return fail("an image", error);
    if (wrong) {
        printf("FAIL: %" PRIu32 " answers differ from the reference\n", wrong);
        return 1;
    }
    printf("PASS: %d images agree with the reference\n", NETWORK_IMAGES);
    return 0;
}

static int load(struct spikeloom *chip)
{
    struct spikeloom_programming programming = {0};
    uint32_t control = SPIKELOOM_CONTROL_ACTIVITY_MASK | SPIKELOOM_CONTROL_IRQ_PROGRAM_MASK;
    int error;

    if (network.seeds)
        control |= SPIKELOOM_CONTROL_SEEDS_MASK;
    error = spikeloom_control(chip, control);
    programming.fault_aware = (int)network.fault_aware;
    programming.failed = cell_failed;
    if (!error)
        error = spikeloom_load(chip, &network, &programming);
    if (error)
        return error;
    printf("loaded: %" PRIu32 " writes\n", network.write_count);
    if (programming.starts)
        printf("programmed: %" PRIu32 " starts, %" PRIu32 " second passes, %" PRIu32 " pulses, "
               "%" PRIu32 " verify reads, %" PRIu32 " cells failed\n",
               programming.starts, programming.second_passes, programming.pulses, programming.verify_reads,
               programming.failed_cells);
    return SPIKELOOM_OK;
}

/* Whether the chip finds a load that is damaged on its way. */
static int finds_damage(struct spikeloom *chip, struct spikeloom_port *port)
{
    int error;

    sound_write = port->write32;
    port->write32 = damaging_write;
    writes_left = 6; /* control, load_begin, then four of the list */
    error = load(chip);
    port->write32 = sound_write;
    printf("a damaged load: %s\n", spikeloom_message(error));
    return error == SPIKELOOM_E_CHECKSUM;
}

/* Whether a soft reset while images are on their way leaves an empty chip that says so. */
static int is_empty_after_reset(struct spikeloom *chip)
{
    struct spikeloom_answer answer;
    int error = send_image(chip, 0);

    if (!error)
        error = send_image(chip, NETWORK_IMAGES - 1);
    if (!error)
        error = spikeloom_soft_reset(chip);
    if (!error)
        error = send_image(chip, 0);
    if (!error)
        error = spikeloom_receive(chip, &answer, NULL);
    printf("an image after a soft reset: %s\n", spikeloom_message(error));
    return error == SPIKELOOM_E_UNLOADED;
}

static int run(struct spikeloom *chip, struct pipe_port *pipes, struct spikeloom_port *port, const char *what)
{
    int error = spikeloom_connect(chip, port);

    if (error)
        return fail("looking for the chip", error);
    pipes->word_bytes = chip->encoder_lanes;
    printf("SpikeLoom with %" PRIu32 " layers, build %08" PRIx32 "; network %s\n", chip->layers, chip->build,
           network.name);
    if (strcmp(what, "--damaged") == 0 && !finds_damage(chip, port))
        return 1;
    error = load(chip);
    if (!error && strcmp(what, "--reset") == 0) {
        if (!is_empty_after_reset(chip))
            return 1;
        error = load(chip);
    }
    return error ? fail("loading", error) : run_images(chip);
}

int main(int count, char **words)
{
    const char *what = count == 3 ? words[2] : "";
    static struct pipe_port pipes;
    struct spikeloom_port port;
    struct spikeloom chip;
    int status;

    if (count < 2 || count > 3 || (*what && strcmp(what, "--damaged") != 0 && strcmp(what, "--reset") != 0)) {
        printf("Usage: firmware FOLDER [--damaged | --reset]\n");
        return 2;
    }
    if (pipe_port_open(&pipes, &port, words[1])) {
        printf("Error: the pipes %s/commands and %s/responses cannot be opened\n", words[1], words[1]);
        return 1;
    }
    status = run(&chip, &pipes, &port, what);
    pipe_port_close(&pipes);
    return status;
}
