"""What an old name is called today, and what was mended behind it."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from freedive.d2l.lookup import HOMES, MODULES
from freedive.d2l.names import CHINESE, ENGLISH
from freedive.d2l.notebooks import Cell, prepared

LINEAR, SOFTMAX = "freedive.topics.linear_regression", "freedive.topics.softmax_regression"
SEQ, ATT, TRANS = (
    "freedive.topics.seq2seq",
    "freedive.topics.attention",
    "freedive.topics.transformer",
)
LOOP = "freedive.Trainer(...).fit(model, data)"
TORCH = {  # of the aliases, where the name is another
    "nn_Module": "torch.nn.Module",
    "concat": "torch.cat",
    "batch_matmul": "torch.bmm",
    **{name: f"x.{method}(...)" for name, method in (
        ("numpy", "detach().numpy"), ("size", "numel"), ("reshape", "reshape"), ("to", "to"),
        ("reduce_sum", "sum"), ("reduce_mean", "mean"), ("argmax", "argmax"), ("astype", "type"),
        ("transpose", "t"), ("expand_dims", "unsqueeze"), ("swapaxes", "swapaxes"),
        ("repeat", "repeat"))},
}  # fmt: skip
MODERN: dict[str, tuple[str, str]] = {
    "use_svg_display": ("not needed", "no error outside of a notebook (R05)"),
    "set_figsize": ("matplotlib's figure.figsize", ""),
    "set_axes": ("axes.set(...)", ""),
    "plot": ("axes.plot(...)", "works in scripts and without a display (R05); any number of lines"),
    "show_images": ("freedive.core.figures.gallery_figure", ""),
    "show_heatmaps": ("freedive.insight.attention_figures.heatmaps", ""),
    "Animator": ("freedive.ProgressBoard", "a point costs the same however many there are (R06)"),
    "annotate": ("axes.annotate", ""),
    "show_list_len_pair_hist": ("freedive lab translation-data", ""),
    "Timer": ("time.perf_counter", ""),
    "Benchmark": ("time.perf_counter", ""),
    "Accumulator": ("freedive.core.metrics.Meter", "which reads the device seldom (R08)"),
    "DATA_HUB": ("freedive.data.store.Collection", ""),
    "DATA_URL": ("freedive.data.store.Collection", ""),
    "download": ("freedive data get NAME", "checked before it is kept; one cache a user (R14)"),
    "extract": ("zipfile, tarfile", "no member leaves the folder (R14)"),
    "download_extract": ("freedive data get NAME", "as download and extract (R14)"),
    "download_all": ("freedive data get NAME", "(R14)"),
    "cpu": ("freedive.cpu", ""),
    "gpu": ("freedive.gpu", "Apple's GPUs too (R15)"),
    "num_gpus": ("freedive.num_gpus", "(R15)"),
    "try_gpu": ("freedive.try_gpu", "(R15)"),
    "try_all_gpus": ("freedive.try_all_gpus", "[cpu] where there is none, as promised (R16)"),
    "synthetic_data": ("freedive.SyntheticRegressionData", ""),
    "linreg": ("freedive.LinearRegression", ""),
    "squared_loss": (f"{LINEAR}.scratch.squared_loss", ""),
    "sgd": (f"{LINEAR}.scratch.SGD", "the class needs no batch size (R26)"),
    "load_array": ("freedive.TensorLoader", ""),
    "evaluate_loss": ("freedive.Trainer(...).validate(model, data)", "a mean over examples (R11)"),
    "SyntheticRegressionData": ("freedive.SyntheticRegressionData", ""),
    "LinearRegressionScratch": ("freedive.LinearRegressionScratch", "saved and moved (R18)"),
    "LinearRegression": ("freedive.LinearRegression", "its first weights take effect (R24)"),
    "SGD": (f"{LINEAR}.scratch.SGD", "takes any iterable (R26)"),
    "get_fashion_mnist_labels": ("freedive.FashionMNIST().text_labels", ""),
    "load_data_fashion_mnist": ("freedive.FashionMNIST(batch_size, resize)", "no workers (R10)"),
    "get_dataloader_workers": ("not needed", "0: tensors are resident (R10)"),
    "accuracy": ("freedive.accuracy", "right for one column of outputs (R31)"),
    "evaluate_accuracy": ("freedive evaluate RUN", "(R31)"),
    "evaluate_accuracy_gpu": ("freedive evaluate RUN", "(R31)"),
    "train_ch3": (LOOP, "the assertions at its end are gone; any loss reduction (R03)"),
    "train_epoch_ch3": (LOOP, "(R03)"),
    "train_ch6": (LOOP, "initialises lazy layers too (R24)"),
    "predict_ch3": ("freedive predict RUN", ""),
    "FashionMNIST": ("freedive.FashionMNIST", "no workers (R10)"),
    "SoftmaxRegression": ("freedive.SoftmaxRegression", ""),
    "corr2d": ("freedive.topics.convolution.scratch.corr2d", ""),
    "Residual": ("freedive.topics.modern_cnn.resnet.Residual", "both editions' arguments"),
    "resnet18": ("freedive.ResNet18", ""),
    "init_cnn": ("freedive.topics.convolution.convnet.init_cnn", "(R24)"),
    "LeNet": ("freedive.LeNet", ""),
    "ResNeXtBlock": ("freedive.topics.modern_cnn.resnext.ResNeXtBlock",
                     "the modern groups is the number of them"),
    "Vocab": ("freedive.Vocab", "a list gives a list (R23); zh numbers by frequency"),
    "tokenize": ("freedive.data.tokenizers", ""),
    "TimeMachine": ("freedive.TimeMachine", "training and validation share no text (R12)"),
    "read_time_machine": ("freedive.TimeMachine().read()", ""),
    "count_corpus": ("collections.Counter", ""),
    "load_corpus_time_machine": ("freedive.TimeMachine().corpus", ""),
    "seq_data_iter_random": ("freedive.topics.sequences.batches.random_batches", "no lost batch"),
    "seq_data_iter_sequential": ("freedive.topics.sequences.batches.sequential_batches",
                                 "no lost batch"),
    "SeqDataLoader": ("freedive.TimeMachine", ""),
    "load_data_time_machine": ("freedive.TimeMachine", ""),
    "grad_clipping": ("freedive.core.callbacks.clip_gradients", "takes any iterable (R26)"),
    "check_len": ("assert", ""),
    "check_shape": ("jaxtyping", ""),
    "RNNScratch": ("freedive.topics.rnn.scratch.RNN", "any batch with a state (R28)"),
    "RNNLMScratch": ("freedive.RNNLMScratch", "perplexity is exp of the mean loss (R11)"),
    "RNN": ("torch.nn.RNN", ""),
    "RNNLM": ("freedive.RNNLM", "(R11)"),
    "LSTMScratch": ("freedive.topics.gated_rnn.scratch.LSTM", "(R28)"),
    "GRU": ("torch.nn.GRU", "one class for both of the book's"),
    "RNNModelScratch": ("freedive.RNNLMScratch", ""),
    "RNNModel": ("freedive.RNNLM", ""),
    "predict_ch8": ("freedive generate RUN PREFIX", ""),
    "train_epoch_ch8": (LOOP, ""),
    "train_ch8": ("freedive train rnn-lm", ""),
    "Encoder": (f"{SEQ}.encoder_decoder.Encoder", ""),
    "Decoder": (f"{SEQ}.encoder_decoder.Decoder", ""),
    "EncoderDecoder": (f"{SEQ}.encoder_decoder.EncoderDecoder", "zh gives logits and state"),
    "AttentionDecoder": (f"{ATT}.bahdanau.AttentionDecoder", ""),
    "Seq2SeqEncoder": (f"{SEQ}.concise.Seq2SeqEncoder", ""),
    "Seq2Seq": ("freedive.Seq2Seq", "a mean over real tokens (R19)"),
    "init_seq2seq": (f"{SEQ}.encoder_decoder.init_seq2seq", ""),
    "MTFraEng": ("freedive.MTFraEng", "no pair too many, reserved tokens (R13)"),
    "bleu": (f"{SEQ}.bleu.bleu", "corpus_bleu is sacreBLEU's (R27)"),
    "read_data_nmt": ("freedive.MTFraEng().read()", ""),
    "preprocess_nmt": ("freedive.data.codec.spaced_marks", ""),
    "tokenize_nmt": ("freedive.data.tokenizers.SpaceTokenizer", "exactly so many pairs (R13)"),
    "truncate_pad": ("freedive.data.translation.padded", ""),
    "build_array_nmt": ("freedive.data.translation.padded", ""),
    "load_data_nmt": ("freedive.MTFraEng", "(R13)"),
    "sequence_mask": (f"{ATT}.masks.length_mask", "its input stays as it is (R20)"),
    "MaskedSoftmaxCELoss": (f"{SEQ}.scratch.masked_cross_entropy", "counts real tokens (R19)"),
    "train_seq2seq": ("freedive train seq2seq", "the printed loss is the documented one"),
    "predict_seq2seq": ("freedive translate RUN SENTENCE", "leaves the net as it was"),
    "masked_softmax": (f"{ATT}.concise.masked_softmax", "zeros, any dtype, no side effect (R20)"),
    "DotProductAttention": (f"{ATT}.concise.DotProductAttention", "(R20)"),
    "AdditiveAttention": (f"{ATT}.concise.AdditiveAttention", "both editions' arguments"),
    "MultiHeadAttention": (f"{ATT}.concise.MultiHeadAttention",
                           "names heads that do not divide the width (R25)"),
    "transpose_qkv": ("x.unflatten(...)", ""),
    "transpose_output": ("x.flatten(...)", ""),
    "PositionalEncoding": (f"{ATT}.positions.SinusoidalPositions", "a buffer (R17, R25)"),
    "PositionWiseFFN": (f"{TRANS}.blocks.PositionWiseFFN", ""),
    "AddNorm": (f"{TRANS}.blocks.AddNorm", ""),
    "TransformerEncoder": (f"{TRANS}.encoder_decoder.TransformerEncoder",
                           "both editions' arguments"),
    "TransformerEncoderBlock": (f"{TRANS}.blocks.EncoderBlock", ""),
    "EncoderBlock": (f"{TRANS}.blocks.EncoderBlock", ""),
    "train_2d": ("a loop of one's own", ""),
    "show_trace_2d": ("a plot of one's own", ""),
    "get_data_ch11": ("a loader of one's own", "a table made by code where there is no network"),
    "train_ch11": (LOOP, "a mean over examples (R11)"),
    "train_concise_ch11": (LOOP, "(R11)"),
    "split_batch": ("x.tensor_split(...)", ""),
    "train_batch_ch13": (LOOP, ""),
    "train_ch13": ("freedive train SYSTEM", "one device works, too"),
    "add_to_class": ("a subclass", ""),
    **{name: (f"freedive.{name}", "") for name in ("HyperParameters", "Classifier")},
    "ProgressBoard": ("freedive.ProgressBoard", "any number of series and batches (R06, R07)"),
    "Module": ("freedive.Module", "losses are read seldom (R08)"),
    "DataModule": ("freedive.DataModule", ""),
    "Trainer": ("freedive.Trainer", "fit gives a History (R09); several GPUs are spoken of (R15)"),
}  # fmt: skip


@dataclass
class Spelling:
    """An old name where it stands, and its modern spelling."""

    cell: int
    line: int
    old: str
    modern: str
    note: str


def modern(name: str) -> tuple[str, str]:
    """The modern spelling of an old name, and what was mended behind it."""
    if name in MODULES:
        return MODULES[name], "the old file had imported it"
    if HOMES.get(name) == "arrays":
        return TORCH.get(name, f"torch.{name}"), ""
    if name in MODERN:
        return MODERN[name]
    return "no old name that freedive knows", ""


def ported(cells: list[Cell]) -> list[Spelling]:
    """Each old name in the code cells, in order; a cell that Python cannot read is told as such."""
    found: list[Spelling] = []
    for number, cell in enumerate((c for c in cells if c.code), 1):
        source, _ = prepared(cell.source)
        try:
            tree = ast.parse(source)
        except SyntaxError as error:
            line = error.lineno or 1
            found.append(Spelling(number, line, "", "", f"no Python: {error.msg}"))
            continue
        for line, name in sorted(set(old_names(tree))):
            found.append(Spelling(number, line, f"d2l.{name}", *modern(name)))
    return found


def old_names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Lines and names of what is taken from d2l."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.value.id == "d2l":
                yield node.lineno, node.attr
        elif isinstance(node, ast.ImportFrom) and node.module in ("d2l.torch", "d2l.zh"):
            for alias in node.names:
                yield node.lineno, alias.name


def names_page() -> str:
    """All old names as a Markdown table: edition, where it lives now, modern spelling, mended."""
    rows = ["| old name | edition | here | modern spelling | mended |", "|---|---|---|---|---|"]
    for name in sorted(HOMES, key=str.lower):
        only = {"1.0": ENGLISH, "0.17": CHINESE}
        edition = next(
            (e for e, t in only.items() if name in t.get(HOMES[name], "").split()), "both"
        )
        spelling, note = modern(name)
        rows.append(f"| `{name}` | {edition} | `d2l.{HOMES[name]}` | `{spelling}` | {note} |")
    return "\n".join(rows)
