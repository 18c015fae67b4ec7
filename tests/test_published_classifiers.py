"""Names of the classes that published classifiers count."""

from __future__ import annotations

from foleycli.published.classifiers import VAS_CLASSES, class_names, vggsound_classes


def test_numbers_follow_the_alphabet() -> None:
    names = vggsound_classes()
    assert len(set(names)) == 309
    assert list(names) == sorted(names)
    assert list(VAS_CLASSES) == sorted(VAS_CLASSES)
    # A comma comes after a space.
    assert names.index("cattle mooing") < names.index("cattle, bovinae cowbell")


def test_networks_of_other_sizes_have_numbers() -> None:
    assert class_names(309) == vggsound_classes()
    assert class_names(8) == VAS_CLASSES
    assert class_names(3) == ("0", "1", "2")
