import inspect
import itertools
import math
import random

import pytest
import torch

import freedive
from freedive import catalog
from freedive.catalog import Claim, find_system, judge
from freedive.core.checkpoint import load_checkpoint, save_checkpoint
from freedive.core.errors import FreediveError, UsageError
from freedive.core.trainer import Trainer
from freedive.data.houses import Houses
from freedive.data.images import LabelledImages
from freedive.data.tables import TableData
from freedive.data.text import TextData
from freedive.data.translation import TranslationData
from freedive.parity import copy_weights

SYSTEMS = catalog.systems()
FORMS = [(entry.id, form) for entry in SYSTEMS for form in entry.forms]
TWINS = [entry.id for entry in SYSTEMS if len(entry.forms) == 2]
PRESETS = [(entry.id, name) for entry in SYSTEMS for name in entry.presets]
every_form = pytest.mark.parametrize(("id", "form"), FORMS)


def known(arguments, kind):
    """Those arguments that a class takes."""
    parameters = inspect.signature(kind).parameters
    return {name: value for name, value in arguments.items() if name in parameters}


LETTERS = "the quick brown fox jumps over the lazy dog while sphinxes of black quartz judge my vow"
PAIRS = [(f"{who} {what} .", f"{qui} {quoi} .")
         for who, qui in (("i", "je"), ("you", "tu"), ("he", "il"), ("she", "elle"), ("we", "nous"))
         for what, quoi in (("go", "va"), ("run", "cours"), ("see", "vois"), ("sing", "chante"),
                            ("eat", "mange"), ("win", "gagne"), ("sit", "assieds"))]  # fmt: skip


def tiny(data, **settings):
    """A few examples with the shapes of a data set, from no file."""
    settings = known({**settings, "batch_size": 16}, data)
    if issubclass(data, TextData):

        class Lines(data):
            def read(self):
                letters, chance = (
                    LETTERS.split(),
                    random.Random(0),
                )  # in another order each time: no window comes twice
                words = [w for _ in range(8) for w in chance.sample(letters, len(letters))]
                return " ".join(words)

        return Lines(**{**settings, "num_steps": 8, "num_train": 16, "num_val": 2})
    if issubclass(data, TranslationData):

        class Phrases(data):
            def read(self):
                return PAIRS

        return Phrases(**{**settings, "num_train": 16, "num_val": 16, "min_freq": 0})
    if issubclass(data, LabelledImages):

        class Few(data):
            def load(self, train):
                chance = torch.Generator().manual_seed(int(train))
                shape = (16, *self.image_shape)
                images = torch.randint(256, shape, generator=chance, dtype=torch.uint8)
                return images, torch.arange(16) % len(self.class_names)

        return Few(**settings)
    if issubclass(data, TableData):
        return Houses(**settings, num_train=16, num_val=16)
    return data(**settings, num_train=16, num_val=16, data_seed=0)


def arguments_for(model, data, **more):
    return known({**data.model_arguments(), **more}, model)


def light(entry):
    """The preset for a laptop, where there is one: the book's own take minutes a batch."""
    return "small" if "small" in entry.presets else None


def made(id, form):
    """A model of that form, and one batch of its data."""
    entry = find_system(id)
    settings, model = entry.preset(light(entry)), entry.model(form)
    data = tiny(entry.data, **settings)
    torch.manual_seed(0)
    built = model(**arguments_for(model, data, **settings))
    return built, next(iter(data.val_dataloader()))


def as_input(batch, change):
    """What a model gets of a batch; only what is no number of a token can be in half precision."""
    return [change(part) for part in batch[:-1]]


def halved(part):
    return part.bfloat16() if part.is_floating_point() else part


@every_form
def test_every_parameter_gets_a_gradient(id, form):
    model, batch = made(id, form)
    model.loss(model(*batch[:-1]), batch[-1]).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


@every_form
def test_prediction_is_deterministic_and_leaves_the_model_alone(id, form):
    model, (*X, _) = made(id, form)
    before = {name: tensor.clone() for name, tensor in model.eval().state_dict().items()}
    assert torch.equal(model(*X), model(*X))
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


@every_form
def test_saved_and_loaded_weights_give_equal_outputs(id, form, tmp_path):
    model, (*X, _) = made(id, form)
    save_checkpoint(tmp_path / "model.safetensors", model.state_dict())
    torch.manual_seed(1)
    other = type(model)(**model.hparams)
    assert not torch.equal(other.eval()(*X), model.eval()(*X))
    other.load_state_dict(load_checkpoint(tmp_path / "model.safetensors"))
    assert torch.equal(other(*X), model(*X))


@every_form
def test_it_overfits_one_batch(id, form):
    model, batch = made(id, form)
    model.eval()  # without dropout
    deep = light(find_system(id)) is not None  # many layers want smaller steps
    optim = torch.optim.Adam(model.parameters(), lr=0.001 if deep else 0.01)
    first = model.loss(model(*batch[:-1]), batch[-1]).item()
    for _ in range(300):
        optim.zero_grad()
        loss = model.loss(model(*batch[:-1]), batch[-1])
        if loss.item() < 0.2 * first:
            break
        loss.backward()
        optim.step()
    assert loss.item() < 0.2 * first


@every_form
def test_it_runs_in_half_precision_and_moves(id, form):
    model, batch = made(id, form)
    expected = model.eval()(*batch[:-1]).detach()
    half = model.bfloat16()(*as_input(batch, halved)).detach()
    assert half.dtype == torch.bfloat16
    assert (half.float() - expected).abs().max() < 0.05 * max(1.0, float(expected.abs().max()))
    moved = model.to("meta")
    assert moved(*as_input(batch, lambda X: halved(X).to("meta"))).shape == expected.shape


@every_form
def test_it_exports(id, form):
    model, (*X, _) = made(id, form)
    exported = torch.export.export(model.eval(), tuple(X), strict=False)
    assert torch.allclose(exported.module()(*X), model(*X), atol=1e-6)


@every_form
def test_it_trains_with_its_own_optimizer_and_trainer_settings(id, form):
    entry = find_system(id)
    model, _ = made(id, form)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    settings = entry.preset(light(entry))
    trainer = {**known(settings, Trainer), "max_epochs": 1, "seed": 0, "device": "cpu"}
    data = tiny(entry.data, **settings)
    history = Trainer(**trainer, progress=False).fit(model, data)
    assert math.isfinite(history.last["val_loss"])
    assert any(not torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


@every_form
def test_every_argument_is_typed_has_a_default_and_is_explained(id, form):
    model = find_system(id).model(form)
    text = "\n".join(owner.__doc__ or "" for owner in model.__mro__)
    for name, parameter in inspect.signature(model).parameters.items():
        assert parameter.default is not inspect.Parameter.empty, name
        assert parameter.annotation is not inspect.Parameter.empty, name
        assert f"{name}:" in text, name


@pytest.mark.parametrize("id", TWINS)
def test_scratch_and_concise_take_the_same_arguments_and_agree(id):
    signatures = []
    for form in ("scratch", "concise"):
        parameters = inspect.signature(find_system(id).model(form)).parameters.values()
        signatures.append([(p.name, p.default, p.annotation) for p in parameters])
    assert signatures[0] == signatures[1]
    (scratch, (*X, y)), (concise, _) = made(id, "scratch"), made(id, "concise")
    copy_weights(scratch, concise)
    outputs = [model.eval()(*X) for model in (scratch, concise)]
    assert torch.allclose(*outputs, atol=1e-5)
    losses = [model.loss(o, y) for model, o in zip((scratch, concise), outputs, strict=True)]
    assert torch.allclose(*losses)
    for loss in losses:
        loss.backward()
    norms = [
        sorted(float(p.grad.norm()) for p in model.parameters()) for model in (scratch, concise)
    ]
    assert norms[0] == pytest.approx(norms[1], rel=1e-3, abs=1e-6)


@pytest.mark.parametrize(("id", "preset"), PRESETS)
def test_every_preset_builds_and_names_only_arguments_that_exist(id, preset):
    entry = find_system(id)
    settings = entry.preset(preset)
    homes = [Trainer, entry.data, *entry.forms.values()]
    names = set(itertools.chain(*(inspect.signature(home).parameters for home in homes)))
    assert set(settings) <= names
    data = tiny(entry.data, **settings)
    for form in entry.forms:
        model = entry.model(form)
        arguments = arguments_for(model, data, **settings)
        with torch.device("meta"):  # the largest would fill the memory
            model(**arguments)


@pytest.mark.parametrize("entry", SYSTEMS, ids=lambda entry: entry.id)
def test_every_system_says_what_it_is(entry):
    assert entry.section[0].isdigit()
    assert entry.title.endswith(".")
    assert entry.data.name
    assert set(entry.trainer) <= set(inspect.signature(Trainer).parameters)
    assert set(entry.data_settings) <= set(inspect.signature(entry.data).parameters)
    assert entry.topic in entry.model().__module__


@every_form
def test_r04_every_system_is_importable_from_freedive(id, form):
    model = find_system(id).model(form)
    assert getattr(freedive, model.__name__) is model
    assert model.__name__ in dir(freedive)


def describe(claim):
    return f"{claim.section}-{claim.check.__name__}"


@pytest.mark.parametrize("claim", catalog.claims(), ids=describe)
def test_every_claim_holds(claim):
    for verdict in claim.verify():
        assert verdict.holds, verdict
    assert claim.sources
    assert claim.section[0].isdigit()


def test_claims_are_found_by_topic_and_section():
    assert {c.section for c in catalog.claims("7.3")} <= {"7.3", "7.3.1", "7.3.2"}
    assert {c.topic for c in catalog.claims("mlp")} == {"mlp"}
    sections = [catalog.by_section(c.section) for c in catalog.claims()]
    assert sections == sorted(sections)
    with pytest.raises(UsageError, match="no topic or section"):
        catalog.claims("99.9")


@pytest.mark.parametrize(
    ("evidence", "holds"),
    [
        ((1.0, 1.0), True),
        ((1.0, 1.1), False),
        ((1.0, 1.1, 0.2), True),
        ((math.nan, 1.0), False),
        ((math.inf, math.inf), True),
        ((0.5, (0.0, 1.0)), True),
        ((1.5, (0.0, 1.0)), False),
        ((math.nan, (0.0, 1.0)), False),
        ((True, True), True),
        ((True, False), False),
        (("a", "b"), False),
        (([1.0, 2.0], [1.0, 2.0]), True),
        (([1.0, 2.0], [1.0]), False),
        ((torch.zeros(2, 2), [[0.0, 0.0], [0.0, 1e-9]]), True),
    ],
)
def test_a_verdict_is_never_kinder_than_the_tolerance(evidence, holds):
    assert judge(*evidence).holds is holds


def test_a_claim_that_measures_nothing_is_an_error():
    with pytest.raises(FreediveError, match="measured nothing"):
        Claim("1.1", "nothing", lambda: []).verify()


def test_unknown_names_are_errors_with_the_nearest_one():
    with pytest.raises(UsageError, match="did you mean 'lenet'"):
        find_system("lennet")
    with pytest.raises(UsageError, match="preset of lenet"):
        find_system("lenet").preset("modren")
    with pytest.raises(UsageError, match="two models are called"):
        catalog.system("lenet", form="concise")(find_system("mlp").model())
