"""Twenty examples with two hundred features: more to learn than to learn it from (3.7.3)."""

from freedive.core.hyperparameters import Count, NonNegative, Whole
from freedive.core.random import derived_seed
from freedive.data.synthetic import SyntheticRegressionData


class ManyInputs(SyntheticRegressionData):
    r"""$y = 0.05 + \sum_i 0.01 x_i + \epsilon$ with few examples and many features (3.7.3).

    Args:
        num_inputs: features of an example, each with the weight 0.01.
        noise: standard deviation of $\epsilon$.
        num_train: training examples.
        num_val: validation examples.
        batch_size: examples per batch.
        data_seed: of the examples. A model that starts from the same seed draws other numbers.
    """

    name = "many-inputs"

    def __init__(
        self,
        num_inputs: Count = 200,
        noise: NonNegative = 0.01,
        num_train: Count = 20,
        num_val: Count = 100,
        batch_size: Count = 5,
        data_seed: Whole = 0,
    ):
        # the stream of its own keeps the first weights from being the first example, scaled
        chance = derived_seed(data_seed, 1)
        super().__init__([0.01] * num_inputs, 0.05, noise, num_train, num_val, batch_size, chance)
        self.hparams.pop("w")  # all equal: their number says it
        self.hparams.pop("b")
        self.save_hyperparameters()  # last: data_seed is the one that was asked for

    @property
    def constant_loss(self) -> float:
        """The expected loss of one who always says 0.05: half the variance of y."""
        return 0.5 * float(self.w.square().sum() + self.hparams["noise"] ** 2)
