"""What can be wrong with a model that raises no error: its names, reasons and remedies."""

from dataclasses import asdict, dataclass
from typing import Any, NamedTuple


class Ailment(NamedTuple):
    """Why it matters, the line to write instead, and where the book speaks of it."""

    why: str
    write: str
    section: str


@dataclass(frozen=True)
class Finding:
    """One ailment at one place.

    Attributes:
        ailment: its short name, a key of `AILMENTS`.
        where: the path in the model of what is ill.
        measured: the number that shows it.
        unit: what that number counts.
        why: why it matters.
        write: the line to write instead.
        section: of the book.
    """

    ailment: str
    where: str
    measured: float
    unit: str
    why: str
    write: str
    section: str

    def __str__(self) -> str:
        return (
            f"{self.ailment} in {self.where}: {self.measured:.4g} {self.unit}\n"
            f"    why    {self.why}\n    write  {self.write}\n    read   section {self.section}"
        )

    def to_json(self) -> dict[str, Any]:
        """The fields as plain values; a number that is not finite becomes None."""
        finite = self.measured - self.measured == 0
        return {**asdict(self), "measured": self.measured if finite else None}


AILMENTS = {
    "raises": Ailment(
        "What raises on its own data cannot be trained, and nothing else could be examined.",
        "{write}",
        "6.1",
    ),
    "module-as-key": Ailment(
        "A module's children have text for names: parameters() and state_dict() raise.",
        "self.add_module(str(i), module)",
        "6.1.2",
    ),
    "module-cycle": Ailment(
        "train(), eval(), to() and state_dict() walk down the children and never come back.",
        "self.{name} = [parent]  # a plain list is not walked through",
        "6.1",
    ),
    "no-parameters": Ailment(
        "A model without parameters learns nothing.",
        "self.weight = nn.Parameter(torch.randn(num_inputs, num_outputs) * 0.01)",
        "6.5.2",
    ),
    "hidden-parameters": Ailment(
        "No optimizer trains them, no checkpoint keeps them and no to(device) moves them.",
        "{write}",
        "6.1.2",
    ),
    "lazy-initialiser": Ailment(
        "An initialiser that ran before the first batch had no weights to fill.",
        "net(X)  # one batch first, then net.apply(init)",
        "6.4",
    ),
    "used-up-generator": Ailment(
        "A generator gives its parameters once: whoever comes second clips or moves nothing.",
        "params = list(model.parameters())",
        "9.5.3",
    ),
    "forgotten-parameters": Ailment(
        "What the optimizer does not hold stays as it was initialised.",
        "optimizer = torch.optim.SGD(model.parameters(), lr=lr)  # after the model is complete",
        "3.5.4",
    ),
    "built-in-forward": Ailment(
        "Parameters that forward makes are random again at each call and are never trained.",
        "make the layer in __init__: self.layer = nn.Linear(…), and call it in forward",
        "6.1.1",
    ),
    "plain-tensor": Ailment(
        "A plain tensor is not in state_dict() and does not go along with to(device).",
        'self.register_buffer("{name}", {name})',
        "6.1.3",
    ),
    "cut-gradient": Ailment(
        "They are used through .data, detach, numpy or no_grad: backward never reaches them.",
        "use self.{name} itself, without .data, detach() or numpy()",
        "2.5.3",
    ),
    "unused-parameters": Ailment(
        "The forward never touches them, so that they never learn.",
        "for branch in self.branches: …  # use each of them, or delete {name}",
        "6.1.2",
    ),
    "missing-activation": Ailment(
        "Two linear layers without an activation between them are one linear layer.",
        "put nn.ReLU() between {name} and {second}",
        "5.1.1",
    ),
    "moves-in-evaluation": Ailment(
        "Predictions change the model: the order of the test data then decides the answers.",
        "if self.training: update {name}",
        "8.5.2",
    ),
    "dead-units": Ailment(
        "A ReLU that is zero for every example passes no gradient: its weights cannot recover.",
        "nn.init.kaiming_normal_(layer.weight); nn.init.zeros_(layer.bias)  # and a smaller lr",
        "5.1.2",
    ),
    "saturated-units": Ailment(
        "On its flat ends the function's derivative is nearly 0: what comes before learns nothing.",
        "nn.init.xavier_uniform_(layer.weight)  # and scale the inputs to about 1",
        "5.4.1",
    ),
    "vanishing-gradient": Ailment(
        "The first layers hardly learn while the last ones do.",
        "nn.ReLU() with nn.init.kaiming_normal_(layer.weight), or batch norm between layers",
        "5.4.1",
    ),
    "exploding-gradient": Ailment(
        "No learning rate suits both the first and the last layers; the loss soon is NaN.",
        "nn.init.xavier_uniform_(layer.weight)",
        "5.4.1",
    ),
    "softmax-before-cross-entropy": Ailment(
        "Cross-entropy takes logits and applies its own softmax: twice flattens the gradient.",
        "return logits  # leave out the {name} at the end of the model",
        "4.5.2",
    ),
    "broadcast-loss": Ailment(
        "(n, 1) against (n,) broadcasts to (n, n): every output is compared with every target.",
        "loss(y_hat, y.reshape(y_hat.shape))",
        "3.4.2",
    ),
    "sum-reduction": Ailment(
        "The gradient grows with the batch: {implied}.",
        'reduction="mean", or divide lr by the batch size',
        "3.5.3",
    ),
    "lr-too-high": Ailment(
        "Each step jumps past the minimum and lands higher than it began.",
        "lr = {lr}  # then double it as long as the loss falls",
        "12.3.1",
    ),
    "lr-too-low": Ailment(
        "Steps so small take forever: a rate {times} times as high gets on in as many steps.",
        "lr = {lr}",
        "12.3.1",
    ),
    "never-changes": Ailment(
        "The optimizer has them and they are still the same numbers after training.",
        "look behind {name} for a factor 0 or a function without slope: round, sign, argmax",
        "6.2.1",
    ),
    "seen-in-validation": Ailment(
        "What was learnt by heart counts as understood: the validation error says nothing.",
        "train, val = torch.utils.data.random_split(examples, [0.8, 0.2])  # split, then transform",
        "3.6.2",
    ),
}

# an ailment that alone explains others which then need no finding of their own
EXPLAINS: dict[str, set[str]] = {
    "module-as-key": {"raises", "no-parameters", "hidden-parameters"},
    "hidden-parameters": {"no-parameters", "built-in-forward", "raises"},
    "built-in-forward": {"no-parameters", "hidden-parameters", "raises"},
    "lazy-initialiser": {"no-parameters"},
    "no-parameters": {"raises"},  # an optimizer of nothing
    "used-up-generator": {"forgotten-parameters", "lr-too-low"},
    "forgotten-parameters": {"lr-too-low", "never-changes"},
    "cut-gradient": {"never-changes", "lr-too-low"},
    "unused-parameters": {"never-changes"},
    "dead-units": {"vanishing-gradient", "lr-too-low", "never-changes", "lr-too-high"},
    "saturated-units": {"vanishing-gradient", "lr-too-low", "never-changes"},
    "vanishing-gradient": {"lr-too-low", "never-changes"},
    "exploding-gradient": {"lr-too-high", "saturated-units"},
    "softmax-before-cross-entropy": {"lr-too-low", "lr-too-high", "never-changes"},
    "broadcast-loss": {"lr-too-high", "lr-too-low"},
    "sum-reduction": {"lr-too-high"},
    "lr-too-low": {"never-changes"},
}


def found(ailment: str, where: str, measured: float, unit: str, **words: Any) -> Finding:
    """A finding with the texts of its ailment; ``words`` fill the places in them."""
    text = AILMENTS[ailment]
    why, write = text.why.format(**words), text.write.format(**words)
    return Finding(ailment, where or "the model", float(measured), unit, why, write, text.section)


def causes(findings: list[Finding]) -> list[Finding]:
    """The findings that no other one explains, each once."""
    explained = set().union(*(EXPLAINS.get(f.ailment, set()) for f in findings))
    return [f for f in dict.fromkeys(findings) if f.ailment not in explained]
