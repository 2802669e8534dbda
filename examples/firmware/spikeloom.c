#include "spikeloom.h"

#define LAYER_BITS (SPIKELOOM_LAYER(1) - SPIKELOOM_LAYER(0) - 1u)
#define IN_LAYER(address) ((address) & LAYER_BITS)
#define LAYER_OF(address) ((address) / SPIKELOOM_LAYER(0) - 1u)
#define START_OFFSET IN_LAYER(SPIKELOOM_LAYER_PROGRAM_START(0))
#define TARGET_OFFSET IN_LAYER(SPIKELOOM_PROGRAM_TARGET(0, 0))
#define RESULT_OFFSET IN_LAYER(SPIKELOOM_PROGRAM_RESULT(0, 0))

#define FIELD(word, name) (((word) & SPIKELOOM_##name##_MASK) >> SPIKELOOM_##name##_SHIFT)

const char *spikeloom_message(int error)
{
    switch (error) {
    case SPIKELOOM_OK: return "everything is well";
    case SPIKELOOM_E_BUS: return "the bus answered an access with an error, and the chip has no flag that says why";
    case SPIKELOOM_E_NO_CHIP: return "there is no SpikeLoom at this address: its identification does not read LOOM";
    case SPIKELOOM_E_VERSION: return "the chip's register map has another major version than this driver";
    case SPIKELOOM_E_BUILD: return "the network was made for another build of the chip: generate network.h for this one";
    case SPIKELOOM_E_CHECKSUM: return "the chip's checksum differs: a write was damaged on its way; load again";
    case SPIKELOOM_E_REFUSED: return "the chip refused a write: an image was in work, or no load session was open";
    case SPIKELOOM_E_TIMEOUT: return "the chip gave up waiting for the rest of a load session or of a frame";
    case SPIKELOOM_E_FRAME: return "the chip dropped an image: its frame was too short or too long";
    case SPIKELOOM_E_UNLOADED: return "the chip dropped an image: nothing is loaded";
    case SPIKELOOM_E_NO_ANSWER: return "the chip did not answer in time";
    case SPIKELOOM_E_STREAM: return "the port could not send or receive a frame";
    case SPIKELOOM_E_TAG: return "the result of another image came: soft reset, then load again";
    case SPIKELOOM_E_OVERFLOW: return "a membrane saturated, so the answer cannot be trusted";
    case SPIKELOOM_E_DAMAGED: return "the list of writes is damaged: its checksum is not the one it was written with";
    default: return "an error this driver does not know";
    }
}

static int write32(struct spikeloom *chip, uint32_t address, uint32_t data)
{
    return chip->port->write32(chip->port->context, address, data) ? SPIKELOOM_E_BUS : SPIKELOOM_OK;
}

static int read32(struct spikeloom *chip, uint32_t address, uint32_t *data)
{
    return chip->port->read32(chip->port->context, address, data) ? SPIKELOOM_E_BUS : SPIKELOOM_OK;
}

/* CRC-32 (that of zlib, Ethernet, PNG) over the eight bytes of a write, continued from `crc`. */
static uint32_t crc_of_write(uint32_t crc, uint32_t address, uint32_t data)
{
    const uint32_t words[2] = {address, data};
    int word, bit;

    crc = ~crc;
    for (word = 0; word < 2; word++) {
        crc ^= words[word];
        for (bit = 0; bit < 32; bit++)
            crc = (crc >> 1) ^ ((crc & 1u) ? UINT32_C(0xedb88320) : 0u);
    }
    return ~crc;
}

int spikeloom_take_errors(struct spikeloom *chip, uint32_t *flags)
{
    uint32_t found = 0;
    int error = read32(chip, SPIKELOOM_ERRORS, &found);

    if (!error && found)
        error = write32(chip, SPIKELOOM_ERRORS, found);
    if (flags)
        *flags = found;
    return error;
}

/* What the error flags say, else `otherwise`; the flags are cleared. */
static int reason(struct spikeloom *chip, int otherwise)
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
    if (read32(chip, SPIKELOOM_ID, &id) || id != SPIKELOOM_IDENTIFICATION)
        return SPIKELOOM_E_NO_CHIP;
    if (read32(chip, SPIKELOOM_VERSION, &version))
        return SPIKELOOM_E_BUS;
    if (FIELD(version, VERSION_MAJOR) != FIELD(SPIKELOOM_MAP_VERSION, VERSION_MAJOR))
        return SPIKELOOM_E_VERSION;
    if (read32(chip, SPIKELOOM_BUILD, &chip->build) || read32(chip, SPIKELOOM_LAYERS, &chip->layers) ||
        read32(chip, SPIKELOOM_ENCODER_LANES, &chip->encoder_lanes) ||
        read32(chip, SPIKELOOM_PIXEL_WORDS, &chip->pixel_words))
        return SPIKELOOM_E_BUS;
    if (chip->layers > SPIKELOOM_MOST_LAYERS || chip->encoder_lanes == 0)
        return SPIKELOOM_E_NO_CHIP;
    return spikeloom_take_errors(chip, NULL);
}

/* Why an access was answered with an error. */
static int refusal(struct spikeloom *chip, int error)
{
    return error ? reason(chip, error) : SPIKELOOM_OK;
}

static int wait_for_programmer(struct spikeloom *chip, uint32_t layer)
{
    uint32_t status, poll;

    for (poll = 0; poll < chip->polls; poll++) {
        if (read32(chip, SPIKELOOM_LAYER_PROGRAM_STATUS(layer), &status))
            return SPIKELOOM_E_BUS;
        if (!FIELD(status, PROGRAM_STATUS_BUSY))
            return write32(chip, SPIKELOOM_EVENTS, SPIKELOOM_EVENTS_PROGRAMMED_MASK);
        if (chip->port->idle)
            chip->port->idle(chip->port->context);
    }
    return SPIKELOOM_E_NO_ANSWER;
}

/* A write of the load session. One that starts a programmer is waited for. */
static int load_write(struct spikeloom *chip, uint32_t address, uint32_t data)
{
    int error = refusal(chip, write32(chip, address, data));

    chip->crc = crc_of_write(chip->crc, address, data);
    if (!error && address >= SPIKELOOM_LAYER(0) && IN_LAYER(address) == START_OFFSET)
        error = wait_for_programmer(chip, LAYER_OF(address));
    return error;
}

/* A start of a programmer, and the list's writes of its targets. */
struct start {
    const struct spikeloom_write *write, *targets;
    uint32_t count;
};

static int read_result(struct spikeloom *chip, const struct spikeloom_write *target, uint32_t side, uint32_t *result)
{
    const uint32_t index = (IN_LAYER(target->address) - TARGET_OFFSET) / 4u;

    return read32(chip, SPIKELOOM_PROGRAM_RESULT(LAYER_OF(target->address), 2u * index + side), result);
}

/* Where one cell of a pair has failed, the other gets a target that brings their difference back to the weight, as far
 * as it reaches, and the one that failed stays where it is. */
static int compensate(struct spikeloom *chip, const struct start *start, uint32_t top, uint32_t *changes)
{
    uint32_t i, result[2];
    int error = SPIKELOOM_OK;

    *changes = 0;
    for (i = 0; i < start->count && !error; i++) {
        const uint32_t target = start->targets[i].data;
        int32_t p = (int32_t)FIELD(target, PROGRAM_TARGET_P), n = (int32_t)FIELD(target, PROGRAM_TARGET_N);
        const int32_t weight = p - n, most = (int32_t)top;

        if (read_result(chip, &start->targets[i], 0, &result[0]) || read_result(chip, &start->targets[i], 1, &result[1]))
            return SPIKELOOM_E_BUS;
        if (FIELD(result[0], PROGRAM_RESULT_FAILED) == FIELD(result[1], PROGRAM_RESULT_FAILED))
            continue;
        if (FIELD(result[0], PROGRAM_RESULT_FAILED)) {
            p = (int32_t)FIELD(result[0], PROGRAM_RESULT_CODE);
            n = p - weight < 0 ? 0 : p - weight > most ? most : p - weight;
        } else {
            n = (int32_t)FIELD(result[1], PROGRAM_RESULT_CODE);
            p = n + weight < 0 ? 0 : n + weight > most ? most : n + weight;
        }
        *changes += 1;
        error = load_write(chip, start->targets[i].address,
                           (uint32_t)p << SPIKELOOM_PROGRAM_TARGET_P_SHIFT |
                               (uint32_t)n << SPIKELOOM_PROGRAM_TARGET_N_SHIFT);
    }
    return error;
}

/* Count and name the cells of a start that have failed. */
static int report(struct spikeloom *chip, const struct start *start, struct spikeloom_programming *programming)
{
    const uint32_t layer = LAYER_OF(start->write->address), data = start->write->data;
    uint32_t inputs, lanes, tile_rows, i, result;

    if (read32(chip, SPIKELOOM_LAYER_INPUTS(layer), &inputs) || read32(chip, SPIKELOOM_LAYER_LANES(layer), &lanes) ||
        read32(chip, SPIKELOOM_LAYER_TILE_ROWS(layer), &tile_rows))
        return SPIKELOOM_E_BUS;
    for (i = 0; i < 2u * start->count; i++) {
        const struct spikeloom_write *target = &start->targets[i / 2u];
        const uint32_t tiles = (inputs + tile_rows - 1u) / tile_rows;
        const uint32_t index = (IN_LAYER(target->address) - TARGET_OFFSET) / 4u;

        if (read_result(chip, target, i % 2u, &result))
            return SPIKELOOM_E_BUS;
        if (!FIELD(result, PROGRAM_RESULT_FAILED))
            continue;
        programming->failed_cells++;
        if (programming->failed)
            programming->failed(programming->context, layer,
                                index % tiles * tile_rows + FIELD(data, PROGRAM_START_ROW),
                                FIELD(data, PROGRAM_START_GROUP) * lanes + index / tiles, i % 2u,
                                FIELD(result, PROGRAM_RESULT_CODE));
    }
    return SPIKELOOM_OK;
}

/* Program the cells of a start, and once more where a partner has to make up for a failed cell. */
static int run_start(struct spikeloom *chip, const struct start *start, uint32_t top,
                     struct spikeloom_programming *programming)
{
    const uint32_t layer = LAYER_OF(start->write->address);
    uint32_t before, after, changes;
    int error;

    if (read32(chip, SPIKELOOM_LAYER_FAILED_CELLS(layer), &before))
        return SPIKELOOM_E_BUS;
    error = load_write(chip, start->write->address, start->write->data);
    programming->starts++;
    if (error)
        return error;
    if (read32(chip, SPIKELOOM_LAYER_FAILED_CELLS(layer), &after))
        return SPIKELOOM_E_BUS;
    if (after == before)
        return SPIKELOOM_OK;
    if (programming->fault_aware) {
        error = compensate(chip, start, top, &changes);
        if (!error && changes) {
            programming->second_passes++;
            error = load_write(chip, start->write->address, start->write->data);
        }
        if (error)
            return error;
    }
    return report(chip, start, programming);
}

static int load_list(struct spikeloom *chip, const struct spikeloom_network *network,
                     struct spikeloom_programming *programming)
{
    struct start start = {NULL, NULL, 0};
    uint32_t i;
    int error = SPIKELOOM_OK;

    for (i = 0; i < network->write_count && !error; i++) {
        const struct spikeloom_write *write = &network->writes[i];
        const uint32_t offset = write->address < SPIKELOOM_LAYER(0) ? 0u : IN_LAYER(write->address);

        if (offset == START_OFFSET && programming) {
            start.write = write;
            error = run_start(chip, &start, network->top_code, programming);
            start.count = 0;
            continue;
        }
        if (offset >= TARGET_OFFSET && offset < RESULT_OFFSET && start.count++ == 0)
            start.targets = write;
        error = load_write(chip, write->address, write->data);
    }
    return error;
}

/* The checksum of the writes that were made. Those of a second pass are not in the list, so the list is summed up apart. */
static int checksum(struct spikeloom *chip, const struct spikeloom_network *network, uint32_t *sum)
{
    uint32_t i, crc = 0;

    for (i = 0; i < network->write_count; i++)
        crc = crc_of_write(crc, network->writes[i].address, network->writes[i].data);
    *sum = chip->crc;
    return crc == network->checksum ? SPIKELOOM_OK : SPIKELOOM_E_DAMAGED;
}

int spikeloom_load(struct spikeloom *chip, const struct spikeloom_network *network,
                   struct spikeloom_programming *programming)
{
    uint32_t sum = network->checksum, status, layer, count;
    int error;

    error = spikeloom_take_errors(chip, NULL);
    if (!error)
        error = refusal(chip, write32(chip, SPIKELOOM_LOAD_BEGIN, network->build));
    if (!error)
        error = read32(chip, SPIKELOOM_STATUS, &status);
    if (!error && !FIELD(status, STATUS_LOADING)) /* where the processor does not see errors of the bus */
        error = reason(chip, SPIKELOOM_E_REFUSED);
    if (error)
        return error;

    chip->crc = 0;
    if (programming)
        programming->starts = programming->second_passes = programming->failed_cells = programming->pulses =
            programming->verify_reads = 0;
    error = load_list(chip, network, programming);
    if (!error && programming && programming->second_passes)
        error = checksum(chip, network, &sum);
    if (error)
        return error;
    for (layer = 0; programming && layer < chip->layers; layer++) {
        if (read32(chip, SPIKELOOM_LAYER_PULSES(layer), &count))
            return SPIKELOOM_E_BUS;
        programming->pulses += count;
        if (read32(chip, SPIKELOOM_LAYER_VERIFY_READS(layer), &count))
            return SPIKELOOM_E_BUS;
        programming->verify_reads += count;
    }

    error = refusal(chip, write32(chip, SPIKELOOM_LOAD_END, sum));
    if (error)
        return error;
    if (read32(chip, SPIKELOOM_STATUS, &status))
        return SPIKELOOM_E_BUS;
    return FIELD(status, STATUS_LOADED) ? SPIKELOOM_OK : reason(chip, SPIKELOOM_E_CHECKSUM);
}

int spikeloom_control(struct spikeloom *chip, uint32_t bits)
{
    chip->control = bits;
    return write32(chip, SPIKELOOM_CONTROL, bits);
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
    const size_t expected = activity ? 2u + 3u * chip->layers : 1u;
    const uint64_t *first;
    size_t count = 0, layer;
    uint32_t margin;

    if (chip->port->receive(chip->port->context, &answer->tag, words, SPIKELOOM_MOST_RESULT_WORDS, &count))
        return reason(chip, SPIKELOOM_E_NO_ANSWER);
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
    for (layer = 0; activity && counters && layer < chip->layers; layer++) {
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

    error |= read32(chip, SPIKELOOM_LAYER_ROW_PULSES(layer), &counters->row_pulses);
    error |= read32(chip, SPIKELOOM_LAYER_TILE_READS(layer), &counters->tile_reads);
    error |= read32(chip, SPIKELOOM_LAYER_CONVERSIONS(layer), &counters->conversions);
    error |= read32(chip, SPIKELOOM_LAYER_SATURATIONS(layer), &counters->saturations);
    error |= read32(chip, SPIKELOOM_LAYER_SPIKES(layer), &counters->spikes);
    return error ? SPIKELOOM_E_BUS : SPIKELOOM_OK;
}

int spikeloom_soft_reset(struct spikeloom *chip)
{
    int error = write32(chip, SPIKELOOM_RESET, SPIKELOOM_RESET_SOFT_MASK);

    chip->control = 0;
    if (!error && chip->port->flush)
        chip->port->flush(chip->port->context);
    return error ? error : spikeloom_take_errors(chip, NULL);
}
