"""Where SpecVQGAN's published files lie: by setting, condition and MD5, as its README lists them.

Settings: ``a`` was trained on VGGSound; ``b`` on VAS, with VGGSound's codebook; ``c`` on VAS, with
its own. Conditions: ``none``, ``class``, or as many features of BN-Inception's (``bn``) or
ResNet-50 (``rn``). All are of 2021.
"""

from __future__ import annotations

from typing import NamedTuple

_BASE = "https://a3s.fi/swift/v1/AUTH_a235c0f452d648828f745589cde1219a/specvqgan_public"


class Row(NamedTuple):
    """One file: its name in the table, its kind, its address and its MD5."""

    name: str
    kind: str
    url: str
    md5: str


_CODEBOOKS = """\
vggsound 05-19T22-16-54 7ea229427297b5d220fb1c80db32dbc5
vas      06-06T19-42-53 0024ad3705c5e58a11779d3d9e97cc8a
"""
_SAMPLERS = """\
a-none   06-20T16-35-20 b1f9bb63d831611479249031a1203371
a-1-bn   06-03T11-18-51 f2fe41dab17e232bd94c6d119a807fee
a-1-rn   07-30T21-03-22 27a61d4b74a72578d13579333ed056f6
a-5-bn   06-03T09-34-10 b082d894b741f0d7a1af9c2732bad70f
a-5-rn   07-30T21-34-25 f4d7105811589d441b69f00d7d0b8dc8
a-212-bn 06-03T07-27-58 79895ac08303b1536809cad1ec9a7502
a-212-rn 07-30T21-34-41 b222cc0e7aeb419f533d5806a08669fe
a-class  06-03T00-43-28 98a3788ab973f1c3cc02e2e41ad253bc
b-none   06-20T16-34-36 e6b0b5be1f8ac551700f49d29cda50d7
b-1-bn   06-03T06-32-51 a98a124d6b3613923f28adfacba3890c
b-1-rn   07-29T11-47-40 37cd48f06d74176fa8d0f27303841d94
b-5-bn   06-03T05-51-34 38da002f900fb81275b73e158e919e16
b-5-rn   07-29T11-36-00 7b6951a33771ef527f1c1b1f99b7595e
b-212-bn 06-03T05-38-40 1c4e56077d737677eac524383e6d98d3
b-212-rn 07-29T11-52-28 6e553ea44c8bc7a3310961f74e7974ea
b-class  06-08T14-41-19 16a816a270f09a76bfd97fe0006c704b
c-none   06-20T16-24-38 ea4945802094f826061483e7b9892839
c-1-bn   06-09T13-31-37 8a3adf60baa049a79ae62e2e95014ff7
c-1-rn   07-29T14-59-49 a7a1342030653945e97f68a8112ed54a
c-5-bn   06-09T14-14-24 4e1b24207780eff26a387dd9317d054d
c-5-rn   07-29T14-51-25 78b8d42be19dd1b0a346b1f512967302
c-212-bn 06-09T15-17-18 4542632b3c5bfbf827ea7868cedd4634
c-212-rn 07-29T13-34-39 dc2b5cbd28ad98d2f9ca4329e8aa0f64
c-class  06-09T09-42-07 412b01be179c2b8b02dfa0c0b49b9a0f
"""


def _runs() -> list[Row]:
    rows = []
    for line in _CODEBOOKS.splitlines():
        name, date, md5 = line.split()
        file = f"2021-{date}_{name}_codebook.tar.gz"
        kind = "specvqgan-codebook"
        rows.append(Row(f"{kind}-{name}", kind, f"{_BASE}/models/{file}", md5))
    for line in _SAMPLERS.splitlines():
        name, date, md5 = line.split()
        data = "vggsound" if name.startswith("a") else "vas"
        file = f"2021-{date}_{data}_transformer.tar.gz"
        kind = "specvqgan-sampler"
        rows.append(Row(f"{kind}-{name}", kind, f"{_BASE}/models/{file}", md5))
    return rows


ROWS = (
    Row(
        *("melception", "melception", f"{_BASE}/melception-21-05-10T09-28-40.pt"),
        "a71a41041e945b457c7d3d814bbcf72d",
    ),
    Row(
        *("vggishish", "vggishish", f"{_BASE}/vggishish16.pt"),
        "197040c524a07ccacf7715d7080a80bd",
    ),
    Row(
        *("melgan-generator", "melgan-generator", f"{_BASE}/melgan_ckpt/netG.pt"),
        "e9e3ea89122d31e3dec25f585d215335",
    ),
    Row(
        *("melgan-discriminator", "melgan-discriminator", f"{_BASE}/melgan_ckpt/netD.pt"),
        "e61cd6da221d1d3b423c70c20660361c",
    ),
    *_runs(),
)
