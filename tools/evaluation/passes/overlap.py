"""What test data and training data share: recordings by their files, texts by what they say.

A bundle names each file it was made of with its SHA-256, and, where those were recordings of texts,
a digest of each text. The texts of a corpus that ships with this program are known by the corpus's
digest. A recording that was saved anew, cut, or converted has another digest: that cannot be seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import RecordingError
from tools.recordings.digests import sha256_of, text_digest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from models.manifest import Provenance
    from tools.evaluation.passes.reel import Reel

CORPUS = Path(__file__).parents[2] / "data" / "everyday_train.txt"
"""The text that ships, and that the simulated person's bundles are trained on."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """What is known of training, and what of it is tested on.

    ``training`` are texts trained on, for the baselines that see only text; None where nobody says
    anything of the texts. ``recordings`` maps the name of each shared recording to its name in
    training. ``texts`` are digests.
    """

    training: tuple[str, ...] | None
    recordings: dict[str, str]
    texts: frozenset[str]

    def has_text(self, text: str) -> bool:
        """Say whether a text was trained on, however it is written."""
        return text_digest(text) in self.texts


def find_overlap(
    provenance: Provenance, reels: Sequence[Reel], *, given: Sequence[str] | None = None
) -> Overlap:
    """Return what a bundle shares with the recordings it is tested on.

    Args:
        provenance: of the bundle.
        reels: the recordings.
        given: texts that somebody says it was trained on.
    """
    names = {digest: name for name, digest in provenance.data.items()}
    training = None if given is None else tuple(given)
    if sha256_of(CORPUS) in names:
        training = (*(training or ()), *CORPUS.read_text("utf-8").splitlines())
    digests = frozenset((*provenance.texts, *map(text_digest, training or ())))
    if training is None and provenance.texts:
        # All texts are known by their digests: the shared ones are the only ones we can name.
        meant = {item.reference for reel in reels for item in reel.items}
        training = tuple(sorted(text for text in meant if text_digest(text) in digests))
    shared = {
        reel.name: names[digest] for reel in reels for digest in reel.files if digest in names
    }
    return Overlap(training, shared, digests)


def read_texts(path: Path) -> list[str]:
    """Return the texts of a file that were trained on, one a line.

    Raises:
        RecordingError: it cannot be read; names it.
    """
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise RecordingError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise RecordingError(f"{path}: is not UTF-8 text") from None
