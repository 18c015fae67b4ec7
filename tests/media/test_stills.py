"""Still pictures: upright, whole, as a viewer shows them; everything else refused in one line."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foleycli.media.stills import MediaError, read_still

RED, BLUE = (255, 0, 0), (0, 0, 255)


def _halves(size: tuple[int, int] = (8, 4)) -> Image.Image:
    """Red on the left, blue on the right."""
    image = Image.new("RGB", size, RED)
    image.paste(BLUE, (size[0] // 2, 0, *size))
    return image


@pytest.mark.parametrize("suffix", "bmp gif png ppm tiff webp".split())
def test_lossless_formats_give_their_pixels(tmp_path: Path, suffix: str):
    path = tmp_path / f"a.{suffix}"
    _halves().save(path, **({"lossless": True} if suffix == "webp" else {}))
    found = read_still(path)
    assert (found.shape, found.dtype) == ((4, 8, 3), np.uint8)
    np.testing.assert_array_equal(found, np.asarray(_halves()))


def test_suffix_does_not_matter(tmp_path: Path):
    path = tmp_path / "a.jpg"
    _halves().save(path, format="PNG")
    np.testing.assert_array_equal(read_still(path), np.asarray(_halves()))


def test_exif_orientation_is_applied(tmp_path: Path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees clockwise for display
    path = tmp_path / "a.jpg"
    _halves((64, 32)).save(path, exif=exif, quality=95, subsampling=0)
    found = read_still(path).astype(int)
    assert found.shape == (64, 32, 3)
    assert abs(found[8, 16] - RED).max() < 8
    assert abs(found[56, 16] - BLUE).max() < 8


def test_what_is_transparent_is_white(tmp_path: Path):
    image = _halves().convert("RGBA")
    image.putalpha(Image.fromarray(np.tile(np.uint8([0, 0, 51, 255] * 2), (4, 1))))
    image.save(tmp_path / "a.png")
    found = read_still(tmp_path / "a.png")
    assert found[0, :4].tolist() == [[255] * 3, [255] * 3, [255, 204, 204], [255, 0, 0]]
    palette = _halves().convert("P")
    palette.save(tmp_path / "b.gif", transparency=palette.getpixel((0, 0)))
    found = read_still(tmp_path / "b.gif")
    assert found[0, [0, 7]].tolist() == [[255] * 3, [*BLUE]]


def test_grey_is_told_three_times(tmp_path: Path):
    Image.new("L", (3, 2), 77).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_still(tmp_path / "a.png"), np.full((2, 3, 3), 77))
    Image.new("1", (3, 2), 1).save(tmp_path / "b.png")
    np.testing.assert_array_equal(read_still(tmp_path / "b.png"), np.full((2, 3, 3), 255))


@pytest.mark.parametrize("suffix", ["png", "tiff"])
def test_16_bit_grey_keeps_its_range(tmp_path: Path, suffix: str):
    wide = np.array([[0, 128, 129, 257, 32896, 65535]], np.uint16)
    Image.fromarray(wide).save(tmp_path / f"a.{suffix}")
    found = read_still(tmp_path / f"a.{suffix}")
    assert found[0, :, 0].tolist() == [0, 0, 1, 1, 128, 255]


def test_first_frame_of_an_animation_is_taken(tmp_path: Path):
    frames = [Image.new("RGB", (4, 4), colour) for colour in (RED, BLUE)]
    for suffix in ("gif", "webp"):
        path = tmp_path / f"a.{suffix}"
        options = {"lossless": True} if suffix == "webp" else {}
        frames[0].save(path, save_all=True, append_images=frames[1:], **options)
        assert read_still(path)[0, 0].tolist() == [*RED]


def test_cmyk_becomes_rgb(tmp_path: Path):
    Image.new("CMYK", (16, 16), (0, 255, 255, 0)).save(tmp_path / "a.jpg", quality=95)
    assert abs(read_still(tmp_path / "a.jpg")[8, 8].astype(int) - RED).max() < 8


@pytest.mark.parametrize("suffix", "gif jpg png webp".split())
def test_half_a_picture_is_refused(tmp_path: Path, suffix: str):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    data = io.BytesIO()
    Image.fromarray(noise).save(data, format={"jpg": "JPEG"}.get(suffix, suffix.upper()))
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(data.getvalue()[: len(data.getvalue()) // 2])
    with pytest.raises(MediaError, match=r"damaged picture|not a picture"):
        read_still(path)


def test_damaged_pixels_of_a_png_are_refused(tmp_path: Path):
    data = io.BytesIO()
    Image.effect_noise((64, 64), 40).save(data, format="PNG")
    broken = bytearray(data.getvalue())
    broken[len(broken) // 2] ^= 0xFF
    (tmp_path / "a.png").write_bytes(broken)
    with pytest.raises(MediaError, match="damaged picture"):
        read_still(tmp_path / "a.png")


def test_other_files_are_refused_in_one_line(tmp_path: Path):
    (tmp_path / "a.png").write_text("no picture\n")
    (tmp_path / "b.png").touch()
    (tmp_path / "c.eps").write_text(
        "%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\n"
    )
    for name in "a.png b.png c.eps".split():
        with pytest.raises(MediaError, match=r"^not a picture \(BMP, .* or WEBP\)$"):
            read_still(tmp_path / name)
    with pytest.raises(MediaError, match=r"^no such file$"):
        read_still(tmp_path / "none.png")
    with pytest.raises(MediaError, match=r"^is a directory$"):
        read_still(tmp_path)
    Image.fromarray(np.zeros((2, 2), np.float32)).save(tmp_path / "f.tiff")
    with pytest.raises(MediaError, match="floating-point pixels"):
        read_still(tmp_path / "f.tiff")


def test_a_picture_of_absurd_size_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    _halves((64, 64)).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(MediaError, match="million pixels"):
        read_still(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 4000)  # Pillow only warns
    assert read_still(tmp_path / "a.png").shape == (64, 64, 3)
