from __future__ import annotations

import math

import pytest

from pipeline.decoder_ranges import RANGES, check_decoder, check_search
from pipeline.spec import CtcDecoder, Decoder, SelectionDecoder, Seq2SeqDecoder


@pytest.mark.parametrize(
    "decoder",
    [
        CtcDecoder(beam=0), CtcDecoder(stability_s=-1.0), CtcDecoder(prune_logp=5.0),
        CtcDecoder(lm_weight=math.nan), CtcDecoder(endpoint_s=math.inf),
        SelectionDecoder(max_stimuli=0), SelectionDecoder(threshold=math.nan),
        SelectionDecoder(n_best=0), SelectionDecoder(max_s=-1.0), SelectionDecoder(lm_floor=1.0),
        Seq2SeqDecoder(n_agree=0), Seq2SeqDecoder(length_alpha=-0.1), Seq2SeqDecoder(beam=0),
        Seq2SeqDecoder(coverage_beta=math.inf), Seq2SeqDecoder(max_symbols=0),
    ],
)  # fmt: skip
def test_a_setting_out_of_range_is_refused_by_name(decoder: Decoder) -> None:
    with pytest.raises(ValueError, match=r"decoder\.\w+: got .*, wanted .* to "):
        check_decoder(decoder)


def test_defaults_and_whatever_means_never_or_no_limit_pass() -> None:
    check_decoder(CtcDecoder())
    check_decoder(Seq2SeqDecoder())
    check_decoder(SelectionDecoder(threshold=math.inf, abstain_below=1.5, max_s=None))


def test_every_number_of_the_decoders_has_a_range() -> None:
    for kind in (CtcDecoder, SelectionDecoder, Seq2SeqDecoder):
        numbers = {
            key
            for key, value in zip(kind.__struct_fields__, kind.__struct_defaults__, strict=True)
            if isinstance(value, int | float | None) and not isinstance(value, bool)
        }
        assert numbers <= set(RANGES)


def test_a_search_fits_its_step_decoder() -> None:
    check_search(Seq2SeqDecoder(beam=4, max_symbols=9), n_rows=4, max_symbols=10)
    with pytest.raises(ValueError, match=r"decoder\.beam: got 5, wanted at most 4 rows"):
        check_search(Seq2SeqDecoder(beam=5), n_rows=4, max_symbols=10)
    with pytest.raises(ValueError, match=r"decoder\.max_symbols: got 10, wanted at most 9"):
        check_search(Seq2SeqDecoder(max_symbols=10), n_rows=4, max_symbols=10)
    with pytest.raises(ValueError, match=r"min_symbols: got 8, wanted at most max_symbols 7"):
        check_decoder(Seq2SeqDecoder(min_symbols=8, max_symbols=7))
