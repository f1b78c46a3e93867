"""The table of two users: whose networks make, whose read, and what is trained for it."""

import numpy as np
from support.configs import load
from support.sentences import ROW, VOCABULARY, stub

from stegojax import secret
from stegojax.methods import sentence_keys
from stegojax.protocols import users

IDS = VOCABULARY.encode_all(
    ["the cat sees my dog.", "my dog sees.", "the old cat sees."], length=ROW
).ids
KEYS = [
    sentence_keys.material(secret.key_file(bytes([number]) * 32), "scramble") for number in range(2)
]


def test_figures_of_a_rule_that_needs_its_key():
    """The rule's pictures differ by key everywhere; whoever has the other key reads nonsense."""
    loaded = stub(threshold=100.0).loaded
    found = users.figures(VOCABULARY, IDS, [loaded, loaded], KEYS)
    assert set(found) == set(users.COLUMNS)
    assert found["bleu"] == found["exact"] == 1 and found["wer"] == 0
    assert found["other_bleu"] < 0.9
    assert found["ratio"] == found["between_users"] / found["between_sentences"] > 1


def test_two_trainings_each_with_its_key_file(tmp_path):
    config = load("seq2seq_gan").get_config("tiny")
    planned = users.trains(config, tmp_path)
    contents = [(tmp_path / "users" / f"{number}.key").read_bytes() for number in (0, 1)]
    assert len(set(contents)) == 2 and {len(content) for content in contents} == {32}
    for number, each in enumerate(planned):
        method = each.config.method
        assert each.folder == tmp_path / "users" / str(number)
        assert (method.name, method.base_from) == ("seq2seq_user", str(tmp_path))
        assert method.key_from == str(tmp_path / "users" / f"{number}.key")
        assert each.config.steps == 4 and method.keyed == config.method.keyed
        key = users._material(config, number)
        shared = secret.key_file(contents[number])
        expected = sentence_keys.material(shared, config.method.keyed)
        np.testing.assert_array_equal(key.noise, expected.noise)
    config.report.users.steps = 0
    assert users.trains(config, tmp_path) == []
    assert users.evaluate(config, tmp_path, None) == ("", {})
