"""Data of the kind "sentences": rows, order and photographs by themselves, the vocabulary's file,
and what cannot be used.
"""

import numpy as np
import pytest

from stegojax.data import pipeline, sentences, tokenizer
from stegojax.errors import InputError

SECTION = dict(
    kind="sentences", source="embedded:600", vocabulary=400, length=10, shortest=3, crop=64
)


def batches(split, count, **options):
    start = options.pop("start", 0)
    with pipeline.make(
        {**SECTION, **options}, split=split, batch_size=4, seed=3, start=start
    ) as loader:
        return loader, [next(loader) for _ in range(count)]


def test_a_batch_holds_rows_of_numbers_and_photographs():
    loader, (batch, *_) = batches("train", 1)
    assert batch["ids"].shape == (4, 10) and batch["ids"].dtype == np.int32
    assert batch["photograph"].shape == (4, 64, 64, 3) and batch["photograph"].dtype == np.float32
    assert (batch["ids"][:, 0] == tokenizer.BEGIN).all()
    training = sentences.open_sentences("embedded:600", "train", shortest=3, longest=8)
    assert loader.examples_per_epoch == len(training)


def test_an_epoch_has_every_training_sentence_once_and_the_vocabulary_is_the_files():
    """Every row is read with the words of the file, and the words of the file are those of the
    training sentences.
    """
    loader, found = batches("train", 1)
    count = loader.examples_per_epoch
    _, found = batches("train", -(-count // 4))
    rows = np.concatenate([batch["ids"] for batch in found])[:count]
    training = sentences.open_sentences("embedded:600", "train", shortest=3, longest=8)
    words = tokenizer.build(training, min_count=2, max_size=400)
    assert pipeline.files(SECTION) == {"vocabulary.json": words.content()}
    expected = [
        words.decode(words.encode(sentence, length=10, unknown="mark").ids) for sentence in training
    ]
    assert sorted(words.decode(row) for row in rows) == sorted(expected)
    assert [words.decode(row) for row in rows] != expected
    assert any("<unk>" in sentence for sentence in expected)


def test_held_out_sentences_are_others_and_come_in_order():
    _, found = batches("held_out", 2)
    words = tokenizer.build(
        sentences.open_sentences("embedded:600", "train", shortest=3, longest=8), max_size=400
    )
    held = sentences.open_sentences("embedded:600", "held_out", shortest=3, longest=8)
    rows = np.concatenate([batch["ids"] for batch in found])
    expected = [
        words.decode(words.encode(sentence, length=10, unknown="mark").ids) for sentence in held[:8]
    ]
    assert [words.decode(row) for row in rows] == expected


def test_left_out_sentences_and_limits():
    every = {
        split: sentences.open_corpus("embedded:2000", split, vocabulary=250, longest=8)
        for split in ("train", "held_out")
    }
    known = {
        split: sentences.open_corpus(
            "embedded:2000", split, vocabulary=250, longest=8, unknown="leave_out"
        )
        for split in every
    }
    for split in every:
        assert every[split].vocabulary == known[split].vocabulary == every["train"].vocabulary
        expected = [
            sentence
            for sentence in every[split].sentences
            if all(token in every[split].vocabulary for token in tokenizer.split(sentence))
        ]
        assert list(known[split].sentences) == expected and 0 < len(expected) < len(
            every[split].sentences
        )
    assert (
        len(sentences.open_corpus("embedded:600", "train", vocabulary=150, limit=20).sentences)
        == 20
    )


def test_the_stream_goes_on_where_it_was_and_photographs_have_an_order_of_their_own():
    _, whole = batches("train", 3)
    _, (third,) = batches("train", 1, start=2)
    for name in ("ids", "photograph"):
        np.testing.assert_array_equal(whole[2][name], third[name])
    _, other = batches("train", 3, shortest=4)
    assert any(not np.array_equal(a["ids"], b["ids"]) for a, b in zip(whole, other, strict=True))
    for a, b in zip(whole, other, strict=True):
        np.testing.assert_array_equal(a["photograph"], b["photograph"])


def test_pictures_keep_no_file():
    assert pipeline.files({"kind": "pictures", "source": "embedded"}) == {} == pipeline.files({})


@pytest.mark.parametrize(
    "options,words",
    [
        (dict(length=2), "data.length=2 has room for 0 words"),
        (
            dict(length=8, longest=7),
            "data.length=8 has room for 6 words and marks between beginning and end; set it to at "
            "least 9",
        ),
        (dict(unknown="drop"), 'data.unknown must be "mark" or "leave_out"'),
        (dict(vocabulary=4), "max_size of 0 or more than 4"),
        (
            dict(vocabulary=5, unknown="leave_out"),
            "every sentence of the split train has a word outside the vocabulary of 5",
        ),
        (dict(words=3), "data.words is not a field of sentences"),
        (dict(source="lines:/nowhere"), "/nowhere: cannot be read"),
    ],
)
def test_what_cannot_be_used_says_why(options, words):
    with pytest.raises(InputError, match=words):
        batches("train", 1, **options)
