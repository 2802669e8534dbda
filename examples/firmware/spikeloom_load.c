/* The load session: writes, programming of the cells, checksum. */
#include "spikeloom_internal.h"

#define LAYER_BITS (SPIKELOOM_LAYER(1) - SPIKELOOM_LAYER(0) - 1u)
#define IN_LAYER(address) ((address) & LAYER_BITS)
#define LAYER_OF(address) ((address) / SPIKELOOM_LAYER(0) - 1u)
#define START_OFFSET IN_LAYER(SPIKELOOM_LAYER_PROGRAM_START(0))
#define TARGET_OFFSET IN_LAYER(SPIKELOOM_PROGRAM_TARGET(0, 0))
#define AFTER_RESULTS IN_LAYER(SPIKELOOM_PROGRAM_RESULT(0, 8192))
#define LEAK_OFFSET IN_LAYER(SPIKELOOM_LAYER_LEAK(0))
#define CLIP_OFFSET IN_LAYER(SPIKELOOM_LAYER_CLIP(0))
#define RESET_OFFSET IN_LAYER(SPIKELOOM_LAYER_RESET(0))
#define RESULT_OFFSET IN_LAYER(SPIKELOOM_PROGRAM_RESULT(0, 0))

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

/* Why an access was answered with an error. */
static int refusal(struct spikeloom *chip, int error)
{
    return error ? spikeloom_reason(chip, error) : SPIKELOOM_OK;
}

static int wait_for_programmer(struct spikeloom *chip, uint32_t layer)
{
    uint32_t status, poll;

    for (poll = 0; poll < chip->polls; poll++) {
        if (spikeloom_read32(chip, SPIKELOOM_LAYER_PROGRAM_STATUS(layer), &status))
            return SPIKELOOM_E_BUS;
        if (!FIELD(status, PROGRAM_STATUS_BUSY))
            return spikeloom_write32(chip, SPIKELOOM_EVENTS, SPIKELOOM_EVENTS_PROGRAMMED_MASK);
        if (chip->port->idle)
            chip->port->idle(chip->port->context);
    }
    return SPIKELOOM_E_NO_ANSWER;
}

/* Whether a write is one to the programmers. */
static int is_programming(uint32_t address)
{
    const uint32_t offset = IN_LAYER(address);

    if (address < SPIKELOOM_LAYER(0))
        return address >= SPIKELOOM_PROGRAM_WINDOW && address <= SPIKELOOM_PROGRAM_AMPLITUDE_MAX;
    return offset == START_OFFSET || (offset >= TARGET_OFFSET && offset < AFTER_RESULTS);
}

/* Whether the encoder is built for the coding that a write of the unit chooses, or sets up. */
static int check_coding(const struct spikeloom *chip, uint32_t address, uint32_t data)
{
    if (address == SPIKELOOM_CODING && !(data < 32u && (chip->codings >> data & 1u)))
        return SPIKELOOM_E_CODING;
    if (address == SPIKELOOM_EVEN_START && !FIELD(chip->codings, CODINGS_EVEN))
        return SPIKELOOM_E_CODING;
    return SPIKELOOM_OK;
}

/* Whether the unit is built for the decision rule that a write chooses, or sets up. */
static int check_rule(const struct spikeloom *chip, uint32_t address, uint32_t data)
{
    if (FIELD(chip->parts, PARTS_RULE_STABLE))
        return SPIKELOOM_OK;
    if (address == SPIKELOOM_STABLE_THETA || (address == SPIKELOOM_RULE && data > 1u))
        return SPIKELOOM_E_RULE;
    return SPIKELOOM_OK;
}

/* Whether a layer has the register that a write goes to, and for `reset` the kind of reset that it chooses. */
static int check_feature(struct spikeloom *chip, uint32_t address, uint32_t data)
{
    const uint32_t offset = IN_LAYER(address);
    uint32_t features, needed = 0;

    if (offset == LEAK_OFFSET)
        needed = SPIKELOOM_FEATURES_LEAK_MASK;
    else if (offset == CLIP_OFFSET)
        needed = SPIKELOOM_FEATURES_CLIP_MASK;
    else if (offset == RESET_OFFSET && data < 3u)
        needed = UINT32_C(1) << (SPIKELOOM_FEATURES_RESET_SUBTRACT_SHIFT + data);
    if (needed == 0)
        return SPIKELOOM_OK;
    if (spikeloom_read32(chip, SPIKELOOM_LAYER_FEATURES(LAYER_OF(address)), &features))
        return SPIKELOOM_E_BUS;
    return features & needed ? SPIKELOOM_OK : SPIKELOOM_E_FEATURE;
}

/* A write of the load session. One that starts a programmer is waited for. */
static int load_write(struct spikeloom *chip, uint32_t address, uint32_t data)
{
    int error = address >= SPIKELOOM_LAYER(0) ? check_feature(chip, address, data) : check_coding(chip, address, data);

    if (!error)
        error = check_rule(chip, address, data);
    if (!FIELD(chip->parts, PARTS_PROGRAMMER) && is_programming(address))
        error = SPIKELOOM_E_PROGRAMMER;
    if (!error)
        error = refusal(chip, spikeloom_write32(chip, address, data));
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

    return spikeloom_read32(chip, SPIKELOOM_PROGRAM_RESULT(LAYER_OF(target->address), 2u * index + side), result);
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

        if (read_result(chip, &start->targets[i], 0, &result[0]) ||
            read_result(chip, &start->targets[i], 1, &result[1]))
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

    if (spikeloom_read32(chip, SPIKELOOM_LAYER_INPUTS(layer), &inputs) ||
        spikeloom_read32(chip, SPIKELOOM_LAYER_LANES(layer), &lanes) ||
        spikeloom_read32(chip, SPIKELOOM_LAYER_TILE_ROWS(layer), &tile_rows))
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

    if (spikeloom_read32(chip, SPIKELOOM_LAYER_FAILED_CELLS(layer), &before))
        return SPIKELOOM_E_BUS;
    error = load_write(chip, start->write->address, start->write->data);
    programming->starts++;
    if (error)
        return error;
    if (spikeloom_read32(chip, SPIKELOOM_LAYER_FAILED_CELLS(layer), &after))
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

/* The checksum of the writes that were made. Those of a second pass are not in the list: it is summed up apart. */
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
    if (!error && network->seeds && !FIELD(chip->codings, CODINGS_RATE))
        error = SPIKELOOM_E_CODING;
    if (programming)
        programming->starts = programming->second_passes = programming->failed_cells = programming->pulses =
            programming->verify_reads = 0;
    if (!error)
        error = refusal(chip, spikeloom_write32(chip, SPIKELOOM_LOAD_BEGIN, network->build));
    if (!error)
        error = spikeloom_read32(chip, SPIKELOOM_STATUS, &status);
    if (!error && !FIELD(status, STATUS_LOADING)) /* where the processor does not see errors of the bus */
        error = spikeloom_reason(chip, SPIKELOOM_E_REFUSED);
    if (error)
        return error;

    chip->crc = 0;
    if (!FIELD(chip->parts, PARTS_PROGRAMMER))
        programming = NULL; /* there is nothing to count */
    error = load_list(chip, network, programming);
    if (!error && programming && programming->second_passes)
        error = checksum(chip, network, &sum);
    if (error)
        return error;
    for (layer = 0; programming && layer < chip->layers; layer++) {
        if (spikeloom_read32(chip, SPIKELOOM_LAYER_PULSES(layer), &count))
            return SPIKELOOM_E_BUS;
        programming->pulses += count;
        if (spikeloom_read32(chip, SPIKELOOM_LAYER_VERIFY_READS(layer), &count))
            return SPIKELOOM_E_BUS;
        programming->verify_reads += count;
    }

    error = refusal(chip, spikeloom_write32(chip, SPIKELOOM_LOAD_END, sum));
    if (error)
        return error;
    if (spikeloom_read32(chip, SPIKELOOM_STATUS, &status))
        return SPIKELOOM_E_BUS;
    return FIELD(status, STATUS_LOADED) ? SPIKELOOM_OK : spikeloom_reason(chip, SPIKELOOM_E_CHECKSUM);
}
