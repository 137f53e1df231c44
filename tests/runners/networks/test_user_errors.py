"""An error of a user's network is one line with the place in the user's own file."""

import pytest
import torch
from torch import nn

from prunestats.errors import InputError, TraceError
from prunestats.runners.networks.user_errors import described, line_in, locating, where
from prunestats.runners.networks.user_networks import user_network


class Broken(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.ReLU(), nn.Linear(3, 2))

    def forward(self, x):
        return self.layers(x)  # the line of the user


def raised(act):
    try:
        act()
    except Exception as error:
        return error
    raise AssertionError("expected an error")


def test_the_place_is_the_deepest_line_of_the_user_and_the_layer():
    place = where(raised(lambda: Broken()(torch.zeros(1, 5))))
    assert place.split(":")[0].endswith("test_user_errors.py")
    assert "`return self.layers(x)  # the line of the user`" in place
    assert place.endswith("layer 'layers.1', Linear(in_features=3, out_features=2, bias=True)")


def test_a_network_without_lines_of_its_own_is_placed_by_its_layer():
    error = raised(lambda: nn.Sequential(nn.Flatten(), nn.Linear(3, 2))(torch.zeros(1, 5)))
    assert where(error).endswith("layer '1', Linear(in_features=3, out_features=2, bias=True)")


def test_an_error_becomes_one_line_with_its_type_and_message():
    with pytest.raises(InputError, match=r"building it fails at .*: RuntimeError: mat1 and mat2") as caught:  # noqa: SIM117
        with locating("building it"):
            Broken()(torch.zeros(1, 5))
    assert "\n" not in str(caught.value)


def test_an_error_of_this_package_keeps_its_kind_and_gains_the_place():
    def refuse():
        try:
            Broken()(torch.zeros(1, 5))
        except RuntimeError as error:
            raise TraceError("the network cannot take it") from error

    with pytest.raises(TraceError, match=r"the network cannot take it \(.*return self.layers"), locating("it"):
        refuse()


def test_an_error_that_no_user_caused_is_not_changed():
    code = compile("with locating('it'):\n    1 / 0", "<string>", "exec")
    with pytest.raises(ZeroDivisionError):
        exec(code, {"__name__": "torch.made_up", "locating": locating})


def test_a_message_is_shortened_and_has_no_hint():
    assert described(ValueError("a\n b  Hint: enable anomaly detection")) == "ValueError: a b"
    assert described(KeyError()) == "KeyError"
    assert len(described(ValueError("x" * 5000))) < 400


def test_the_place_in_the_text_of_a_traceback():
    text = f'  File "{torch.__file__}", line 3, in f\n  File "{__file__}", line 3, in g\n  File "<string>", line 9'
    assert line_in(text).endswith("test_user_errors.py:3 `import pytest`")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("import absent_package\n", r"\(No module named 'absent_package'\): .*mine\.py:1 `import absent_package`"),
        ("def Net(:\n", r"importing network 'mine:Net' fails at .*mine\.py:1 `def Net\(:`: SyntaxError: "),
        ("Net = 1 / 0\n", r"fails at .*mine\.py:1 `Net = 1 / 0`: ZeroDivisionError: division by zero"),
        ("class Nets: pass\n", r"expected 'Net' in .*mine\.py \(did you mean 'Nets'\?\)"),
    ],
)
def test_a_module_that_cannot_be_imported_is_said_with_its_line(tmp_path, monkeypatch, text, complaint):
    (tmp_path / "mine.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(__import__("sys").modules, "mine", raising=False)
    with pytest.raises(InputError, match=complaint) as caught:
        user_network("mine:Net")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", [":x", "mine:", ".mine:Net", "mine:Net.other", "my net:Net"])
def test_a_name_must_be_a_module_and_a_name(name):
    with pytest.raises(InputError, match="must be MODULE:NAME"):
        user_network(name)


def test_a_module_that_is_absent_is_looked_for_in_three_places():
    with pytest.raises(InputError, match=r"expected absent_module\.py in this folder, beside the study file or on"):
        user_network("absent_module:Net")
