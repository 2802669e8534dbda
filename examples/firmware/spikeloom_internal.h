/* What the driver's files share. */
#ifndef SPIKELOOM_INTERNAL_H
#define SPIKELOOM_INTERNAL_H

#include "spikeloom.h"

/* Field of a word, by its name in spikeloom_registers.h without SPIKELOOM_. */
#define FIELD(word, name) (((word) & SPIKELOOM_##name##_MASK) >> SPIKELOOM_##name##_SHIFT)

/* One access: SPIKELOOM_OK or SPIKELOOM_E_BUS. */
int spikeloom_write32(struct spikeloom *chip, uint32_t address, uint32_t data);
int spikeloom_read32(struct spikeloom *chip, uint32_t address, uint32_t *data);

/* What the error flags say, else `otherwise`; the flags are cleared. */
int spikeloom_reason(struct spikeloom *chip, int otherwise);

#endif
