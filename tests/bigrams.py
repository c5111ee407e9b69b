"""A tiny language model for tests, in ARPA's form: three symbols, some of their pairs."""

from __future__ import annotations


def bigrams(third: str, *, before_it: str) -> str:
    """Return a model of ``a``, ``b`` and a third symbol, which may follow ``before_it``."""
    return f"""\\data\\
ngram 1=5
ngram 2=4
\\1-grams:
-99\t<s>\t-0.3
-0.7\t</s>
-0.6\ta\t-0.2
-0.5\tb\t-99
-1.2\t{third}
\\2-grams:
-0.2\t<s> a
-0.4\ta b
-0.9\tb a
-0.1\t{before_it} {third}
\\end\\
"""
