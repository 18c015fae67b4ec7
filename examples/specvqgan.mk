# SpecVQGAN from a folder of sounds by class: codebook -> sampler -> vocoder -> sounds -> metrics.
#
#     make -f examples/specvqgan.mk SOUNDS=sounds CLIPS=clips CLASS=rain
#
# SOUNDS holds class folders (or is a manifest), VALID sounds that were not trained on, CLIPS the clips to be
# dubbed with CLASS. All goes into RUN. PRESET is smoke (seconds, to try the chain), mini or paper.

SOUNDS ?= sounds
VALID ?= $(SOUNDS)/valid
CLIPS ?= clips
CLASS ?= rain
PRESET ?= mini
RUN ?= run
FOLEY ?= foley
WHERE ?=

MODEL := model.safetensors
CODEC := --model $(RUN)/codebook --model $(RUN)/vocoder

.DELETE_ON_ERROR:
.PHONY: all
all: $(RUN)/report.md $(RUN)/generated/run.json

$(RUN)/codebook/$(MODEL):
	$(FOLEY) train codebook $(SOUNDS) $(WHERE) --preset $(PRESET) -o $(@D)

$(RUN)/vocoder/$(MODEL):
	$(FOLEY) train vocoder $(SOUNDS) $(WHERE) --preset $(PRESET) -o $(@D)

$(RUN)/sampler/$(MODEL): $(RUN)/codebook/$(MODEL)
	$(FOLEY) train sampler $(SOUNDS) $(WHERE) --preset $(PRESET) --codebook $(<D) -o $(@D)

$(RUN)/codes/run.json: $(RUN)/codebook/$(MODEL)
	$(FOLEY) spectrogram $(VALID) --codes --model $(<D) -o $(@D)

$(RUN)/decoded/run.json: $(RUN)/codes/run.json $(RUN)/vocoder/$(MODEL)
	$(FOLEY) invert $(<D) $(CODEC) -o $(@D)

$(RUN)/generated/run.json: $(RUN)/sampler/$(MODEL) $(RUN)/vocoder/$(MODEL)
	$(FOLEY) generate $(CLIPS) --system specvqgan --model $(<D) $(CODEC) --class $(CLASS) -o $(@D)

$(RUN)/report.md: $(RUN)/decoded/run.json
	$(FOLEY) metrics --real $(VALID) --fake $(<D) --markdown > $@
