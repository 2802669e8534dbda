"""The tables of a configuration, each checked by itself; `sw.config.config.Config` reads them and checks them as a
whole."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from spikeloom.sim.chip.device_config import Device, Energy, Programming
from spikeloom.sim.common.arguments import plain_numbers
from spikeloom.sw.config.board_section import BoardSection
from spikeloom.sw.config.cosim_section import CosimSection
from spikeloom.sw.config.decision_section import DecisionSection
from spikeloom.sw.config.lifetime_section import LifetimeSection
from spikeloom.sw.config.nir_section import NirSection
from spikeloom.sw.config.search_sections import LearningSection, TuningSection
from spikeloom.sw.config.sections import (
    CodingSection,
    ConvertSection,
    CrossbarSection,
    DataSection,
    HardwareSection,
    NeuronSection,
)
from spikeloom.sw.config.train_section import TrainSection

__all__ = ["Tables"]


class Tables(BaseModel):
    """Every field of a run."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: Annotated[
        str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", description="name of the run")
    ] = "run"
    seed: Annotated[int, Field(ge=0, le=2**32 - 1, description="seed of every random draw, no unit")] = 0
    data: DataSection = DataSection()
    train: TrainSection = TrainSection()
    nir: NirSection = NirSection()
    convert: ConvertSection = ConvertSection()
    tuning: TuningSection = TuningSection()
    coding: CodingSection = CodingSection()
    neuron: NeuronSection = NeuronSection()
    decision: DecisionSection = DecisionSection()
    learning: LearningSection = LearningSection()
    crossbar: CrossbarSection = CrossbarSection()
    device: Annotated[Device, Field(default_factory=Device)]
    programming: Programming = Programming()
    energy: Energy = Energy()
    hardware: HardwareSection = HardwareSection()
    cosim: CosimSection = CosimSection()
    lifetime: LifetimeSection = LifetimeSection()
    board: BoardSection = BoardSection()

    @model_validator(mode="before")
    @classmethod
    def _numbers(cls, values: Any) -> Any:
        return plain_numbers(values)
