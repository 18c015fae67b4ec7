"""Where published checkpoints lie: one row a file. Nothing here fetches anything.

Sizes and hashes are those that the publisher states: of Git LFS in its pointers, of torchvision by
the beginning of the SHA-256 in the name, of SpecVQGAN as MD5 in its documentation. The others state
none, and what comes cannot be verified beyond its layout.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from foleycli.published.specvqgan_sources import ROWS, Row

_BSD = "BSD-3-Clause"
_NON_COMMERCIAL = "CC BY-NC 4.0"
_S2I = "https://media.githubusercontent.com/media/leofanzeres/s2i"


@dataclass(frozen=True)
class Source:
    """One published file.

    Attributes
    ----------
    name
        What ``foley checkpoint pull`` takes.
    kind
        What ``foley checkpoint import --as`` takes for it.
    licence
        Of the weights, as published.
    url
        Of the file, or of the archive that holds it.
    file
        Name it is saved under.
    free
        Whether anybody may use it for anything; if not, a person has to agree first.
    size, digest
        As in :class:`foleycli.downloads.Expected`, of what lies at ``url``.
    member
        Path of the file in the .tar.gz at ``url``; empty when that is the file itself.
    by_hand
        Where a person gets it when a plain request does not yield it.
    """

    name: str
    kind: str
    licence: str
    url: str
    file: str
    free: bool = False
    size: int | None = None
    digest: str = ""
    member: str = ""
    by_hand: str = ""


def _s2i(name: str, kind: str, commit: str, file: str, size: int, sha256: str) -> Source:
    quoted = file.replace("(", "%28").replace(")", "%29")
    return Source(
        name,
        kind,
        _BSD,
        f"{_S2I}/{commit}/trained_models/{quoted}",
        file,
        free=True,
        size=size,
        digest=f"sha256:{sha256}",
    )


def _autoencoder(dim: int, run: str, size: int, sha256: str) -> Source:
    return _s2i(
        f"s2i-autoencoder-{dim}",
        "s2i-autoencoder",
        "4320c2934dfdd5b02802a5cbb72efe26e9c99ae5",
        f"net_audio_autoencoder_model_(test_{run}).pth",
        size,
        sha256,
    )


def _trained_together(name: str, network: str, size: int, sha256: str) -> Source:
    return _s2i(
        name,
        name,
        "da4578be823180467c0f6d27252377f082b8a698",
        f"net_{network}_model_(test_191_R3_1-4_TS_epoch_3679).pth",
        size,
        sha256,
    )


def _informativity(number: int, run: str, size: int, sha256: str) -> Source:
    return _s2i(
        f"s2i-informativity-c{number}",
        "s2i-informativity",
        "8cff4d858f3e657abdddf2b70a9e7d7da7dc196c",
        f"net_visual_interpret_model_C{number}_(test_2_{run}).pth",
        size,
        sha256,
    )


def _drive(name: str, kind: str, identifier: str, file: str) -> Source:
    return Source(
        name,
        kind,
        "none stated",
        f"https://drive.google.com/uc?export=download&id={identifier}",
        file,
        by_hand=f"https://drive.google.com/file/d/{identifier}/view",
    )


def _specvqgan(row: Row) -> Source:
    file = row.url.rpartition("/")[2]
    return Source(row.name, row.kind, "MIT", row.url, file, free=True, digest=f"md5:{row.md5}")


_ICGAN = Source(
    "icgan-generator",
    "icgan-generator",
    _NON_COMMERCIAL,
    "https://dl.fbaipublicfiles.com/ic_gan/icgan_biggan_imagenet_res128.tar.gz",
    "G_ema_best0.pth",
    member="icgan_biggan_imagenet_res128/G_ema_best0.pth",
)

SOURCES = (
    _autoencoder(
        *(128, "72_1-2_epoch_1999", 119_600_661),
        "9c2939caaf0d7237f843f3a48fa7da6586b94013544f663634a96f72e5e51486",
    ),
    _autoencoder(
        *(256, "71_1-2_epoch_1999", 124_321_825),
        "a4cae3289f46acd13fdb99b2fb1c0aacc450c81e234446861841831a9bf7cf7e",
    ),
    _autoencoder(
        *(512, "66_2_epoch_995", 133_764_129),
        "8861003a2cd615681a65e126935b7c7d525ab95c8261b303ed6a27f32bbedebf",
    ),
    _autoencoder(
        *(1024, "70_1-2_epoch_1999", 152_648_737),
        "4a6f274747e759a11fecad00ead9588439102b257ba9e0250a55340533b6af89",
    ),
    _autoencoder(
        *(2048, "73_1-2_epoch_1995", 190_417_953),
        "4648589f54fecd6cdda2071af388dd96a9b0d3738b93d51560f2c5c9baae5fbb",
    ),
    _trained_together(
        *("s2i-generator", "visual_generator", 154_660_571),
        "bd80d36d9321aa056045cfc87da643591baa4ffe356c990efeddf53d124041bb",
    ),
    _trained_together(
        *("s2i-discriminator", "discriminator", 21_141_335),
        "be4a71d74dd169b0fa4ccac2cecd56f11b35d43c77d1400ac8c7ed4245f08562",
    ),
    _informativity(
        *(1, "R2_epoch_165", 148_610),
        "f6f5492b6bafe65984a1db9bc8cdf941900ba66ea1ed28484855faf403915e91",
    ),
    _informativity(
        *(2, "R2_epoch_146", 148_610),
        "4b3fa97ee78f9f712f9d691a21d0ab387bd3db9188b53d31d6151a236ec67b09",
    ),
    _informativity(
        *(3, "R_epoch_220", 148_610),
        "125b1847ba31a99dbf1e2fd9ade34bf8b6badc4164f5d3ee9f37a83729d338e9",
    ),
    _informativity(
        *(4, "R5_epoch_205", 148_624),
        "0ab547a3954777203753a417484f741b3c749b516f0589233d638d9d00081eba",
    ),
    _informativity(
        *(5, "R2_epoch_224", 148_610),
        "e1f3438a883d29f5e6ed3a838fe2c107e44d3b1841982f46aa67831c79daeb15",
    ),
    _drive(
        *("sound2scene-audio", "sound2scene-audio"),
        *("1MfQo9Y6cBwSo9sYkwj2gG9kNa_1fuaUJ", "sound2scene.pth"),
    ),
    Source(
        *("swav-resnet50", "swav-resnet50", _NON_COMMERCIAL),
        "https://dl.fbaipublicfiles.com/deepcluster/swav_800ep_pretrain.pth.tar",
        "swav_800ep_pretrain.pth.tar",
    ),
    _ICGAN,
    replace(
        _ICGAN,
        name="icgan-discriminator",
        kind="icgan-discriminator",
        file="D_best0.pth",
        member="icgan_biggan_imagenet_res128/D_best0.pth",
    ),
    Source(
        *("resnet50", "resnet50", _BSD),
        "https://download.pytorch.org/models/resnet50-0676ba61.pth",
        "resnet50-0676ba61.pth",
        free=True,
        digest="sha256:0676ba61",
    ),
    Source(
        *("resnet50-v2", "resnet50", _BSD),
        "https://download.pytorch.org/models/resnet50-11ad3fa6.pth",
        "resnet50-11ad3fa6.pth",
        free=True,
        digest="sha256:11ad3fa6",
    ),
    *map(_specvqgan, ROWS),
    Source(
        *("bn-inception", "bn-inception", "none stated"),
        "https://yjxiong.blob.core.windows.net/models/bn_inception-9f5701afb96c8044.pth",
        "bn_inception-9f5701afb96c8044.pth",
        digest="sha256:9f5701af",
        by_hand="http://yjxiong.me/others/bn_inception-9f5701afb96c8044.pth",
    ),
)


def published_source(name: str) -> Source:
    """Return the row of this name.

    Raises
    ------
    ValueError
        When there is none.
    """
    for source in SOURCES:
        if source.name == name:
            return source
    raise ValueError(f"{name}: not in the table; see foley checkpoint pull --list")
