#include "spikeloom_internal.h"

const char *spikeloom_message(int error)
{
    switch (error) {
    case SPIKELOOM_OK: return "everything is well";
    case SPIKELOOM_E_BUS: return "the bus answered an access with an error, and the chip has no flag that says why";
    case SPIKELOOM_E_NO_CHIP: return "there is no SpikeLoom at this address: its identification does not read LOOM";
    case SPIKELOOM_E_VERSION: return "the chip's register map is older than this driver's, or has another major version: "
                                     "use the driver that was generated with the chip";
    case SPIKELOOM_E_BUILD: return "the network was made for another build of the chip: write network.h for this one";
    case SPIKELOOM_E_CHECKSUM: return "the chip's checksum differs: a write was damaged on its way; load again";
    case SPIKELOOM_E_REFUSED: return "the chip refused a write: an image was being processed, or no load session was open";
    case SPIKELOOM_E_TIMEOUT: return "the chip gave up waiting for the rest of a load session or of a frame";
    case SPIKELOOM_E_FRAME: return "the chip dropped an image: its frame was too short or too long";
    case SPIKELOOM_E_UNLOADED: return "the chip dropped an image: nothing is loaded";
    case SPIKELOOM_E_NO_ANSWER: return "the chip did not answer in time";
    case SPIKELOOM_E_STREAM: return "the port could not send or receive a frame";
    case SPIKELOOM_E_TAG: return "the result of another image came: soft reset, then load again";
    case SPIKELOOM_E_OVERFLOW: return "a membrane saturated, so the answer cannot be trusted";
    case SPIKELOOM_E_DAMAGED: return "the list of writes is damaged: its checksum is not the one it was written with";
    case SPIKELOOM_E_FEATURE: return "the network needs a leak, a clip or a reset that a layer is built without: generate "
                                     "the chip with [hardware] neuron_features = \"all\"";
    case SPIKELOOM_E_PROGRAMMER: return "the list programs cells, but the chip is built without programmers: write "
                                        "network.h without programming, or generate the chip with [hardware] "
                                        "programmer = true";
    case SPIKELOOM_E_COUNTERS: return "the chip is built without activity counters: ask for none, or generate the chip "
                                      "with [hardware] activity_counters = true";
    case SPIKELOOM_E_CODING: return "the network needs an input coding that the chip is built without: generate the chip "
                                    "with [hardware] input_codings = \"all\"";
    case SPIKELOOM_E_RULE: return "the network needs a decision rule that the chip is built without: generate the chip "
                                  "with [hardware] decision_rules = \"all\"";
    default: return "an error this driver does not know";
    }
}

int spikeloom_write32(struct spikeloom *chip, uint32_t address, uint32_t data)
{
    return chip->port->write32(chip->port->context, address, data) ? SPIKELOOM_E_BUS : SPIKELOOM_OK;
}

int spikeloom_read32(struct spikeloom *chip, uint32_t address, uint32_t *data)
{
    return chip->port->read32(chip->port->context, address, data) ? SPIKELOOM_E_BUS : SPIKELOOM_OK;
}

int spikeloom_take_errors(struct spikeloom *chip, uint32_t *flags)
{
    uint32_t found = 0;
    int error = spikeloom_read32(chip, SPIKELOOM_ERRORS, &found);

    if (!error && found)
        error = spikeloom_write32(chip, SPIKELOOM_ERRORS, found);
    if (flags)
        *flags = found;
    return error;
}

int spikeloom_reason(struct spikeloom *chip, int otherwise)
{
    uint32_t flags;

    if (spikeloom_take_errors(chip, &flags))
        return SPIKELOOM_E_BUS;
    if (FIELD(flags, ERRORS_BUILD))
        return SPIKELOOM_E_BUILD;
    if (FIELD(flags, ERRORS_TIMEOUT))
        return SPIKELOOM_E_TIMEOUT;
    if (FIELD(flags, ERRORS_REFUSED))
        return SPIKELOOM_E_REFUSED;
    if (FIELD(flags, ERRORS_CHECKSUM))
        return SPIKELOOM_E_CHECKSUM;
    if (FIELD(flags, ERRORS_UNLOADED))
        return SPIKELOOM_E_UNLOADED;
    if (FIELD(flags, ERRORS_FRAME))
        return SPIKELOOM_E_FRAME;
    return otherwise;
}

int spikeloom_connect(struct spikeloom *chip, const struct spikeloom_port *port)
{
    uint32_t id, version;

    chip->port = port;
    chip->polls = UINT32_C(10000000);
    chip->control = 0;
    chip->crc = 0;
    if (spikeloom_read32(chip, SPIKELOOM_ID, &id) || id != SPIKELOOM_IDENTIFICATION)
        return SPIKELOOM_E_NO_CHIP;
    if (spikeloom_read32(chip, SPIKELOOM_VERSION, &version))
        return SPIKELOOM_E_BUS;
    if (FIELD(version, VERSION_MAJOR) != FIELD(SPIKELOOM_MAP_VERSION, VERSION_MAJOR) ||
        FIELD(version, VERSION_MINOR) < FIELD(SPIKELOOM_MAP_VERSION, VERSION_MINOR))
        return SPIKELOOM_E_VERSION;
    if (spikeloom_read32(chip, SPIKELOOM_BUILD, &chip->build) ||
        spikeloom_read32(chip, SPIKELOOM_LAYERS, &chip->layers) ||
        spikeloom_read32(chip, SPIKELOOM_ENCODER_LANES, &chip->encoder_lanes) ||
        spikeloom_read32(chip, SPIKELOOM_PIXEL_WORDS, &chip->pixel_words) ||
        spikeloom_read32(chip, SPIKELOOM_CODINGS, &chip->codings) ||
        spikeloom_read32(chip, SPIKELOOM_PARTS, &chip->parts))
        return SPIKELOOM_E_BUS;
    if (chip->layers > SPIKELOOM_MOST_LAYERS || chip->encoder_lanes == 0)
        return SPIKELOOM_E_NO_CHIP;
    return spikeloom_take_errors(chip, NULL);
}

int spikeloom_control(struct spikeloom *chip, uint32_t bits)
{
    chip->control = bits;
    return spikeloom_write32(chip, SPIKELOOM_CONTROL, bits);
}

/* Bytes in front of an image for its seed: whole words. */
static size_t seed_bytes(const struct spikeloom *chip, uint32_t seeds)
{
    const size_t lanes = chip->encoder_lanes;

    return seeds ? (16u + lanes - 1u) / lanes * lanes : 0u;
}

size_t spikeloom_frame_bytes(const struct spikeloom *chip, uint32_t seeds)
{
    return seed_bytes(chip, seeds) + (size_t)chip->pixel_words * chip->encoder_lanes;
}

void spikeloom_fill(const struct spikeloom *chip, uint8_t *frame, const uint8_t *seed, const uint8_t *pixels,
                    size_t count)
{
    const size_t head = seed_bytes(chip, seed != NULL), size = spikeloom_frame_bytes(chip, seed != NULL);
    size_t i;

    for (i = 0; i < head; i++)
        frame[i] = i < 16u ? seed[i] : 0u;
    for (; i < size; i++)
        frame[i] = i - head < count ? pixels[i - head] : 0u;
}

int spikeloom_send(struct spikeloom *chip, uint16_t tag, const uint8_t *frame, size_t count)
{
    return chip->port->send(chip->port->context, tag, frame, count) ? SPIKELOOM_E_STREAM : SPIKELOOM_OK;
}

static uint32_t low(uint64_t word)
{
    return (uint32_t)(word & UINT32_C(0xffffffff));
}

static uint32_t high(uint64_t word)
{
    return (uint32_t)(word >> 32);
}

int spikeloom_receive(struct spikeloom *chip, struct spikeloom_answer *answer, struct spikeloom_counters *counters)
{
    uint64_t words[SPIKELOOM_MOST_RESULT_WORDS];
    const int activity = (chip->control & SPIKELOOM_CONTROL_ACTIVITY_MASK) != 0;
    const size_t counted = FIELD(chip->parts, PARTS_ACTIVITY_COUNTERS) ? chip->layers : 0u;
    const size_t expected = activity ? 2u + 3u * counted : 1u;
    const uint64_t *first;
    size_t count = 0, layer;
    uint32_t margin;

    if (activity && counters && counted == 0)
        return SPIKELOOM_E_COUNTERS;
    if (chip->port->receive(chip->port->context, &answer->tag, words, SPIKELOOM_MOST_RESULT_WORDS, &count))
        return spikeloom_reason(chip, SPIKELOOM_E_NO_ANSWER);
    if (count < expected || count > SPIKELOOM_MOST_RESULT_WORDS)
        return SPIKELOOM_E_STREAM;
    first = &words[count - expected]; /* a soft reset may have left words without an end in front */
    answer->winner = (uint32_t)FIELD(first[0], RESULT_WINNER);
    answer->steps = (uint32_t)FIELD(first[0], RESULT_STEPS);
    answer->by_rule = (uint32_t)FIELD(first[0], RESULT_REASON);
    margin = (uint32_t)FIELD(first[0], RESULT_MARGIN);
    answer->margin = margin >> 31 ? -(int32_t)(~margin) - 1 : (int32_t)margin;
    answer->cycles = activity ? low(first[1]) : 0u;
    answer->gap = activity ? high(first[1]) : 0u;
    for (layer = 0; activity && counters && layer < counted; layer++) {
        const uint64_t *word = &first[2u + 3u * layer];

        counters[layer].row_pulses = low(word[0]);
        counters[layer].tile_reads = high(word[0]);
        counters[layer].conversions = low(word[1]);
        counters[layer].saturations = high(word[1]);
        counters[layer].spikes = low(word[2]);
    }
    return FIELD(first[0], RESULT_OVERFLOW) ? SPIKELOOM_E_OVERFLOW : SPIKELOOM_OK;
}

int spikeloom_infer(struct spikeloom *chip, uint16_t tag, const uint8_t *frame, size_t count,
                    struct spikeloom_answer *answer)
{
    int error = spikeloom_send(chip, tag, frame, count);

    if (!error)
        error = spikeloom_receive(chip, answer, NULL);
    return !error && answer->tag != tag ? SPIKELOOM_E_TAG : error;
}

int spikeloom_read_counters(struct spikeloom *chip, uint32_t layer, struct spikeloom_counters *counters)
{
    int error = 0;

    if (!FIELD(chip->parts, PARTS_ACTIVITY_COUNTERS))
        return SPIKELOOM_E_COUNTERS;
    error |= spikeloom_read32(chip, SPIKELOOM_LAYER_ROW_PULSES(layer), &counters->row_pulses);
    error |= spikeloom_read32(chip, SPIKELOOM_LAYER_TILE_READS(layer), &counters->tile_reads);
    error |= spikeloom_read32(chip, SPIKELOOM_LAYER_CONVERSIONS(layer), &counters->conversions);
    error |= spikeloom_read32(chip, SPIKELOOM_LAYER_SATURATIONS(layer), &counters->saturations);
    error |= spikeloom_read32(chip, SPIKELOOM_LAYER_SPIKES(layer), &counters->spikes);
    return error ? SPIKELOOM_E_BUS : SPIKELOOM_OK;
}

int spikeloom_soft_reset(struct spikeloom *chip)
{
    int error = spikeloom_write32(chip, SPIKELOOM_RESET, SPIKELOOM_RESET_SOFT_MASK);

    chip->control = 0;
    if (!error && chip->port->flush)
        chip->port->flush(chip->port->context);
    return error ? error : spikeloom_take_errors(chip, NULL);
}
