"""Sentences become numbers and come back as their normal form, whatever they hold."""

import json
import stat

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stegojax.data import tokenizer
from stegojax.errors import InputError

TEXTS = st.one_of(
    st.text(max_size=40), st.text("aZ09 .,:;'-/!?$%()\"_\u2019\u2026\u0130\u0307", max_size=40)
)


@pytest.mark.parametrize(
    "sentence, tokens, normal",
    [
        (
            "He sometimes loses hope.",
            ["he", "sometimes", "loses", "hope", "."],
            "he sometimes loses hope.",
        ),
        ("  Don\u2019t\tGO !\n", ["don't", "go", "!"], "don't go!"),
        (
            "It\u2019s 2:30 ($3,000), isn't it?!",
            ["it's", "2:30", "(", "$", "3,000", ")", ",", "isn't", "it", "?", "!"],
            "it's 2:30 ($3,000), isn't it?!",
        ),
        (
            "\u201cYes,\u201d said a 33-year-old",
            ['"', "yes", ",", '"', "said", "a", "33-year-old"],
            '" yes, " said a 33-year-old',
        ),
        (
            "5 % of 3.5; on 9/11: a,b and 3 - 4",
            ["5", "%", "of", "3.5", ";", "on", "9/11", ":", "a", ",", "b", "and", "3", "-", "4"],
            "5% of 3.5; on 9/11: a, b and 3 - 4",
        ),
        ("\uff28\uff49\u2026 dogs' _", ["hi", ".", ".", ".", "dogs", "'", "_"], "hi... dogs ' _"),
        ("J\u030cet", ["\u01f0et"], "\u01f0et"),
        (" \n", [], ""),
    ],
)
def test_the_normal_form(sentence, tokens, normal):
    assert tokenizer.split(sentence) == tokens
    assert tokenizer.join(tokens) == tokenizer.normalise(sentence) == normal


@settings(max_examples=300, deadline=None)
@given(TEXTS)
@example("\u0130X \u210d")
@example("3 , 000 . 5")
@example("J\u030cT\u0308")
def test_the_normal_form_is_its_own_and_has_the_same_tokens(sentence):
    normal = tokenizer.normalise(sentence)
    assert tokenizer.split(normal) == tokenizer.split(sentence)
    assert tokenizer.normalise(normal) == normal == tokenizer.normalise(f" {sentence.strip()}  ")
    assert not set(tokenizer.split(sentence)) & set(tokenizer.SPECIAL)


@settings(max_examples=200, deadline=None)
@given(st.lists(TEXTS.filter(tokenizer.split), min_size=1, max_size=4))
def test_what_is_encoded_comes_back_as_its_normal_form(sentences):
    vocabulary = tokenizer.build(sentences, min_count=1)
    rows = vocabulary.encode_all(sentences, length=64)
    for sentence, ids, mask in zip(sentences, *rows, strict=True):
        tokens = tokenizer.split(sentence)
        assert vocabulary.decode(ids) == tokenizer.normalise(sentence)
        assert ids.dtype == np.int32 and mask.dtype == bool and ids.shape == mask.shape == (64,)
        assert ids.tolist() == [1, *map(vocabulary.words.index, tokens), 2] + [0] * (
            62 - len(tokens)
        )
        assert mask.tolist() == [True] * (len(tokens) + 2) + [False] * (62 - len(tokens))


def test_real_sentences_come_back(shared):
    sentences = (shared / "data" / "sentences.txt").read_text().splitlines()
    vocabulary = tokenizer.build(sentences, min_count=1)
    rows = vocabulary.encode_all(sentences)
    assert [vocabulary.decode(ids) for ids in rows.ids] == [
        tokenizer.normalise(sentence) for sentence in sentences
    ]
    frequent = tokenizer.build(sentences)
    assert 2000 < len(frequent) < len(vocabulary) and frequent.words[4] == "."
    assert frequent.words == vocabulary.words[: len(frequent)]


def test_the_vocabulary_is_ordered_by_frequency_then_characters():
    sentences = ["b a c.", "a b.", "A d d!"]
    assert tokenizer.build(sentences, min_count=1).words == (
        *tokenizer.SPECIAL,
        "a",
        ".",
        "b",
        "d",
        "!",
        "c",
    )
    assert tokenizer.build(sentences).words == (*tokenizer.SPECIAL, "a", ".", "b", "d")
    vocabulary = tokenizer.build(sentences, max_size=6)
    assert vocabulary.words == (*tokenizer.SPECIAL, "a", ".") and len(vocabulary) == 6
    assert "a" in vocabulary and "b" not in vocabulary and "<pad>" not in vocabulary


def test_words_without_a_number():
    vocabulary = tokenizer.build(["the cat sees the dog."], min_count=1)
    with pytest.raises(InputError, match="the word 'zebra' is not in the vocabulary of 5 words"):
        vocabulary.encode("The zebra sees the cat.")
    with pytest.raises(InputError, match="'unk'|'<'"):
        vocabulary.encode("<unk>")
    row = vocabulary.encode("The zebra sees the cat.", unknown="mark")
    assert (row.ids == tokenizer.UNKNOWN).tolist() == [i == 2 for i in range(32)]
    assert vocabulary.decode(row.ids) == "the <unk> sees the cat."
    with pytest.raises(ValueError, match="'skip' was given"):
        vocabulary.encode("the cat", unknown="skip")


def test_empty_and_long_sentences():
    vocabulary = tokenizer.build(["one two three four five"], min_count=1)
    for empty in ("", " \t\n"):
        with pytest.raises(InputError, match="empty"):
            vocabulary.encode(empty)
    with pytest.raises(InputError, match="no sentence"):
        vocabulary.encode_all([])
    assert (
        vocabulary.decode(vocabulary.encode("one two three four", length=6).ids)
        == "one two three four"
    )
    with pytest.raises(
        InputError,
        match="5 words and marks, .* room for 4; shorten it: 'five' is the first too many",
    ):
        vocabulary.encode("one two three four five", length=6)
    with pytest.raises(InputError, match="room for 0"):
        vocabulary.encode("one", length=1)


def test_decoding_ends_at_the_end_and_refuses_other_numbers():
    vocabulary = tokenizer.build(["yes no."], min_count=1)
    number = vocabulary.number_of
    assert (
        vocabulary.decode(np.array([1, number["yes"], 0, number["."], 2, number["no"], 2]))
        == "yes."
    )
    assert vocabulary.decode(np.array([number["no"], number["no"]])) == "no no"
    assert (
        vocabulary.decode(np.array([2, number["no"]])) == vocabulary.decode(np.array([], int)) == ""
    )
    for wrong, message in (
        (np.array([7]), "numbers 0..6 are needed, 7..7"),
        (np.array([-1]), "-1"),
        (np.array([1.0]), "float64"),
        (np.zeros((1, 2), int), r"\(1, 2\)"),
    ):
        with pytest.raises(ValueError, match=message):
            vocabulary.decode(wrong)


def test_a_vocabulary_is_saved_and_loaded(tmp_path):
    vocabulary = tokenizer.build(
        ['Caf\u00e9 \u2013 na\u00efve \u6f22\u5b57 don\'t "so".'], min_count=1
    )
    path = tmp_path / "words.json"
    vocabulary.save(path)
    assert json.loads(path.read_text("ascii"))["words"] == list(vocabulary.words)
    assert tokenizer.load(path) == vocabulary and hash(tokenizer.load(path)) == hash(vocabulary)
    tokenizer.build(["other"], min_count=1).save(path)
    assert tokenizer.load(path) != vocabulary
    assert stat.S_ISREG(path.stat().st_mode) and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    "content, message",
    [
        ("nonsense", "is not JSON"),
        ("[1]", "is not a vocabulary"),
        ('{"format": "other", "words": []}', "is not a vocabulary"),
        ('{"format": "stegojax vocabulary 1", "words": ["<pad>", 3]}', "is not a vocabulary"),
        (
            '{"format": "stegojax vocabulary 1", "words": ["a"]}',
            "must begin with <pad> <bos> <eos> <unk>",
        ),
        (
            '{"format": "stegojax vocabulary 1", "words": ["<pad>", "<bos>", "<eos>", "<unk>", "a", "a"]}',
            "'a' twice",
        ),
        (
            '{"format": "stegojax vocabulary 1", "words": ["<pad>", "<bos>", "<eos>", "<unk>", "A"]}',
            "'A', which is not one word",
        ),
    ],
)
def test_files_that_are_no_vocabulary(tmp_path, content, message):
    path = tmp_path / "words.json"
    path.write_text(content)
    with pytest.raises(InputError, match=f"words.json: .*{message}"):
        tokenizer.load(path)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="No such file"):
        tokenizer.load(tmp_path / "absent.json")


def test_vocabularies_that_cannot_be_built():
    with pytest.raises(InputError, match="no word occurs 2 times"):
        tokenizer.build(["a b c"])
    for options in ({"min_count": 0}, {"max_size": 4}, {"max_size": -1}):
        with pytest.raises(InputError, match="a vocabulary needs min_count"):
            tokenizer.build(["a a"], **options)
