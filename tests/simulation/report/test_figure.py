"""A picture fits into a page: one element, escaped words, ids of its own."""

import re

from simulation.report.figure import Picture


def test_markup_in_words_is_escaped():
    svg = Picture("<b>", 'a "quoted" & <i>').to_svg()
    assert "&lt;b&gt;" in svg
    assert "&amp; &lt;i&gt;" in svg
    assert "<b>" not in svg


def test_two_pictures_share_no_id_and_every_reference_is_met():
    pictures = [Picture(title, "same").to_svg() for title in ("One", "Two")]
    ids = [set(re.findall(r'\bid="([^"]*)"', svg)) for svg in pictures]
    assert not ids[0] & ids[1]
    for svg, own in zip(pictures, ids, strict=True):
        references = re.findall(r'(?:href="|url\()#([^")]*)', svg)
        assert references
        assert set(references) <= own


def test_a_picture_scales_with_the_page_and_holds_panels_beside_each_other():
    picture = Picture("Panels", "three", panels=3)
    assert len(picture.axes) == 3
    opening = picture.to_svg().split(">")[0]
    assert "viewBox" in opening
    assert "width" not in opening
