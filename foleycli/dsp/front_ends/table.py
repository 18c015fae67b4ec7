"""Every front end by its name."""

from __future__ import annotations

from foleycli.dsp.front_ends.cqt import CQT
from foleycli.dsp.front_ends.encodings import FOLEYGAN_MEL, LMS, MFCC, MS, STFT
from foleycli.dsp.front_ends.front_end import FrontEnd
from foleycli.dsp.front_ends.gansynth import GANSYNTH, GANSYNTH_MEL
from foleycli.dsp.front_ends.melgan import MELGAN
from foleycli.dsp.front_ends.names import SUMMARIES
from foleycli.dsp.front_ends.pictures import Picture
from foleycli.dsp.front_ends.s2i import S2I
from foleycli.dsp.front_ends.sound2scene import SOUND2SCENE
from foleycli.dsp.front_ends.specgan import SPECGAN
from foleycli.dsp.front_ends.specvqgan import SPECVQGAN, SPECVQGAN_CODEC, SPECVQGAN_DATASET
from foleycli.dsp.spec import PICTURES

FRONT_ENDS: dict[str, FrontEnd] = {
    front.name: front
    for front in sorted(
        (
            *(Picture.of(spec) for spec in PICTURES.values()),
            *(
                FOLEYGAN_MEL,
                SPECVQGAN,
                SPECVQGAN_DATASET,
                SPECVQGAN_CODEC,
                MELGAN,
                S2I,
                SOUND2SCENE,
            ),
            *(GANSYNTH, GANSYNTH_MEL, SPECGAN, STFT, CQT, MS, MFCC, LMS),
        ),
        key=lambda front: list(SUMMARIES).index(front.name),
    )
}


def front_end(name: str) -> FrontEnd:
    """Return the front end called ``name``.

    Raises
    ------
    ValueError
        When there is none; the message lists those there are.
    """
    try:
        return FRONT_ENDS[name]
    except KeyError:
        known = ", ".join(FRONT_ENDS)
        raise ValueError(f"unknown front end {name!r}; choose one of: {known}") from None
