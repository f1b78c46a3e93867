"""Sentences are read, cleaned and split by what they say alone; the grammar's are the same
everywhere.
"""

import bz2
import hashlib

import pytest

from stegojax.data import grammar, sentences, tokenizer
from stegojax.errors import InputError


@pytest.fixture
def lines(tmp_path):
    """A text file with repetitions, blank lines, and lines that are too long or have no word."""
    path = tmp_path / "text.txt"
    path.write_bytes(
        (
            "\ufeffThe cat sleeps.\r\n\r\n  the  CAT sleeps .  \nWhat?\n...\nWho is it\n"
            "One two three four five six\n"
        ).encode()
    )
    return path


def test_a_file_of_lines(lines):
    assert sentences.open_sentences(f"lines:{lines}", "all", longest=5) == (
        "The cat sleeps.",
        "What?",
        "Who is it",
    )
    assert sentences.open_sentences(f"lines:{lines}", "all", longest=3, shortest=3) == (
        "Who is it",
    )
    assert len(sentences.open_sentences(f"lines:{lines}", "all")) == 4


def test_a_compressed_file(lines):
    packed = lines.with_suffix(".txt.bz2")
    packed.write_bytes(bz2.compress(lines.read_bytes()))
    assert sentences.open_sentences(f"lines:{packed}", "all") == sentences.open_sentences(
        f"lines:{lines}", "all"
    )
    packed.write_bytes(packed.read_bytes()[:-9])
    with pytest.raises(InputError, match="cannot be read"):
        sentences.open_sentences(f"lines:{packed}", "all", longest=29)


def test_a_tatoeba_table(tmp_path):
    path = tmp_path / "sentences.csv"
    path.write_text(
        "1\teng\tLet's try.\n2\tdeu\tLass uns was versuchen!\n3\teng\tI see.\tCK\t2010-01-01\n"
    )
    assert sentences.open_sentences(f"tatoeba:{path}", "all") == ("Let's try.", "I see.")
    assert sentences.open_sentences(f"tatoeba:{path}@deu", "all") == ("Lass uns was versuchen!",)
    with pytest.raises(
        InputError, match="no sentence in the language 'fra'; name one that it has: deu, eng"
    ):
        sentences.open_sentences(f"tatoeba:{path}@fra", "all")
    path.write_text("1\teng\tLet's try.\n2 eng I see.\n")
    with pytest.raises(InputError, match=r"line 2 has 1 column\(s\)"):
        sentences.open_sentences(f"tatoeba:{path}", "all", longest=29)


def test_the_split_follows_from_the_normal_form_alone(tmp_path):
    path = tmp_path / "text.txt"
    text = [f"There are {number} cats." for number in range(200)]
    path.write_text("\n".join(text))
    train, held_out = (
        sentences.open_sentences(f"lines:{path}", split, train_share=0.7)
        for split in ("train", "held_out")
    )
    assert sorted(train + held_out) == sorted(text) and 110 < len(train) < 170
    for sentence in text:
        normal = f"there are {sentence.split()[2]} cats."
        share = int(hashlib.sha256(normal.encode()).hexdigest()[:16], 16) / 16**16
        assert (sentence in train) == (share < 0.7)
    other = tmp_path / "other.txt"
    other.write_text(
        "\n".join(["A new sentence.", *(sentence.upper() for sentence in reversed(text))])
    )
    again = sentences.open_sentences(f"lines:{other}", "train", train_share=0.7)
    assert {sentence.lower() for sentence in again} - {"a new sentence."} == {
        sentence.lower() for sentence in train
    }


def test_a_limit_takes_some_from_everywhere_and_keeps_them(tmp_path):
    path = tmp_path / "text.txt"
    text = [f"There are {number} cats." for number in range(200)]
    path.write_text("\n".join(text))
    few, more = (
        sentences.open_sentences(f"lines:{path}", "train", limit=limit) for limit in (20, 40)
    )
    everything = sentences.open_sentences(f"lines:{path}", "train")
    assert len(few) == 20 and len(more) == 40 and set(few) < set(more) < set(everything)
    assert list(more) == sorted(more, key=text.index) and max(map(text.index, more)) > 150
    assert sentences.open_sentences(f"lines:{path}", "train", limit=500) == everything


@pytest.mark.parametrize(
    "content, message",
    [(b"good\nb\xffd\n", "line 2 is not UTF-8"), (b"?!\n\n", "1 without a word")],
)
def test_files_that_hold_no_sentences(tmp_path, content, message):
    path = tmp_path / "text.txt"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        sentences.open_sentences(f"lines:{path}", "all")


def test_what_cannot_be_opened(tmp_path):
    for text in ("", "lines:", "web:x", "embedded:0", "embedded:many", "tatoeba:"):
        with pytest.raises(InputError, match="unknown"):
            sentences.open_sentences(text, "train")
    with pytest.raises(InputError, match="No such file"):
        sentences.open_sentences(f"lines:{tmp_path / 'absent'}", "train")
    for options in ({"shortest": 0}, {"shortest": 5, "longest": 4}, {"limit": -1}):
        with pytest.raises(InputError, match="sentences need lengths"):
            sentences.open_sentences("embedded:10", "train", **options)
    with pytest.raises(InputError, match="split held_out with train_share = 1"):
        sentences.open_sentences("embedded:10", "held_out", train_share=1)
    with pytest.raises(InputError, match="train_share must lie between 0 and 1"):
        sentences.open_sentences("embedded:10", "train", train_share=1.1)
    with pytest.raises(ValueError, match="'test' was given"):
        sentences.open_sentences("embedded", "test")


def test_the_grammar_is_the_same_everywhere():
    several = "\n".join(grammar.sentence(number) for number in range(2000))
    assert hashlib.sha256(several.encode()).hexdigest()[:16] == "64021109ee1e008c"
    assert grammar.sentence(10**30)
    with pytest.raises(ValueError, match="-1 was given"):
        grammar.sentence(-1)


def test_the_embedded_sentences_are_many_and_varied():
    train, held_out = (
        sentences.open_sentences("embedded", split) for split in ("train", "held_out")
    )
    assert 0.97 * sentences.SYNTHETIC < len(train) + len(held_out) <= sentences.SYNTHETIC
    assert 0.08 < len(held_out) / len(train) < 0.14
    assert not set(map(tokenizer.normalise, train)) & set(map(tokenizer.normalise, held_out))
    words = tokenizer.build(train)
    assert 500 < len(words) < 1500
    for sentence in held_out:
        words.encode(sentence)
        assert sentence[0] == '"' or sentence[0].isupper()
        assert sentence[-1] in ".?!" and "  " not in sentence
    lengths = [len(tokenizer.split(sentence)) for sentence in held_out]
    assert min(lengths) <= 4 and max(lengths) >= 22


def test_the_grammar_agrees():
    text = [f" {grammar.sentence(number).lower()}" for number in range(20000)]
    for wrong in (
        " he are ",
        " he do ",
        " they is ",
        " they does ",
        " i is ",
        " i are ",
        " you is ",
        " we was ",
        " my parents is ",
        " the children does ",
        " a apple",
        " a old ",
        " a umbrella",
        " an big ",
        " did not went ",
        " will goes ",
        " anna do ",
        " a elephant",
        " two box ",
        " two knifes ",
    ):
        assert not [sentence for sentence in text if wrong in sentence], wrong
    for wrong in (" she go ", " he walk ", " they goes ", " i buys ", " anna are ", " we writes "):
        assert not [sentence for sentence in text if sentence.startswith(wrong)], wrong
    for right in (
        " he is ",
        " i am ",
        " they are ",
        " an old ",
        " does ",
        " did not ",
        " boxes",
        " knives",
        " will ",
    ):
        assert [sentence for sentence in text if right in sentence], right


def test_real_sentences_are_read(shared):
    path = shared / "data" / "sentences.txt"
    train, held_out = (
        sentences.open_sentences(f"lines:{path}", split) for split in ("train", "held_out")
    )
    normal = {tokenizer.normalise(line) for line in path.read_text().splitlines()}
    assert len(train) + len(held_out) == len(normal) > 44000
    assert 0.1 < len(held_out) / len(train) < 0.123
