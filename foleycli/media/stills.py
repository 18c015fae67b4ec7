"""Reading still pictures: upright, whole, and as a viewer shows them; and writing PNG.

EXIF orientation is applied, what is transparent lies on white, 16-bit grey is brought to 8, and of
an animation the first frame is taken. A file that ends too early is refused, not filled up: a
figure must not rest on half a picture.
"""

from __future__ import annotations

import os
import struct
import warnings

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from foleycli.files.atomic import atomic_path
from foleycli.media.container import MediaError

__all__ = ["MediaError", "read_still", "write_still"]

# Files that are taken for pictures by their names.
STILL_SUFFIXES = frozenset(".bmp .jpeg .jpg .png .webp".split())
_FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
_BACKGROUND = "white"


def read_still(path: str | os.PathLike[str]) -> NDArray[np.uint8]:
    """Read a picture.

    Returns
    -------
    (H, W, 3) uint8
        RGB; a colour profile is not applied.

    Raises
    ------
    MediaError
        When the file is missing, no picture of a known format, damaged, or not whole.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd metadata; what matters comes as an exception
            with Image.open(path, formats=_FORMATS) as image:
                return np.array(_as_shown(image), np.uint8)
    except FileNotFoundError:
        raise MediaError("no such file") from None
    except IsADirectoryError:
        raise MediaError("is a directory") from None
    except PermissionError:
        raise MediaError("permission denied") from None
    except UnidentifiedImageError:
        known = ", ".join(_FORMATS[:-1])
        raise MediaError(f"not a picture ({known} or {_FORMATS[-1]})") from None
    except MediaError:
        raise
    except Image.DecompressionBombError:
        most = 2 * (Image.MAX_IMAGE_PIXELS or 0) // 10**6
        raise MediaError(f"more than {most} million pixels") from None
    except (OSError, SyntaxError, ValueError, EOFError, struct.error) as error:
        raise MediaError(f"a damaged picture ({error})") from None


def write_still(path: str | os.PathLike[str], pixels: NDArray[np.uint8]) -> None:
    """Write (H, W, 3) uint8 RGB as PNG, atomically; the same bytes on every run."""
    with atomic_path(path) as temporary:
        Image.fromarray(pixels).save(temporary, format="PNG")


def _as_shown(image: Image.Image) -> Image.Image:
    if image.mode == "F":
        raise MediaError("floating-point pixels, whose range is unknown; save it as PNG")
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):  # Pillow's own conversion would clip at 255
        wide = np.clip(np.asarray(image, np.int64), 0, 65535)
        image = Image.fromarray(((wide + 128) // 257).astype(np.uint8))
    if not image.has_transparency_data:
        return image.convert("RGB")
    seen = image.convert("RGBA")
    ground = Image.new("RGBA", seen.size, _BACKGROUND)
    return Image.alpha_composite(ground, seen).convert("RGB")
