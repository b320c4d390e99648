"""Every old name and the module of this package in which it lives; nothing is imported for it."""

# module: names of the English first edition (d2l 1.0), names of the second (d2l 0.17, Chinese)
BOTH: dict[str, str] = {
    "arrays": """
        ones zeros tensor arange meshgrid sin sinh cos cosh tanh linspace exp log normal rand randn
        matmul int32 int64 float32 concat stack abs eye numpy size reshape to reduce_sum argmax
        astype transpose reduce_mean""",
    "plotting": """
        use_svg_display set_figsize set_axes plot show_images show_heatmaps Animator annotate
        show_list_len_pair_hist""",
    "timing": "Timer Benchmark Accumulator",
    "downloads": "DATA_HUB DATA_URL download extract download_extract",
    "devices": "try_gpu try_all_gpus",
    "regression": "synthetic_data linreg squared_loss sgd load_array evaluate_loss",
    "images": """
        get_fashion_mnist_labels load_data_fashion_mnist accuracy evaluate_accuracy_gpu
        train_ch6""",
    "networks": "corr2d Residual resnet18",
    "text": "Vocab tokenize",
    "recurrent": "grad_clipping",
    "translation": """
        Encoder Decoder EncoderDecoder Seq2SeqEncoder AttentionDecoder bleu read_data_nmt
        preprocess_nmt tokenize_nmt truncate_pad build_array_nmt load_data_nmt sequence_mask
        MaskedSoftmaxCELoss train_seq2seq predict_seq2seq""",
    "attention": """
        masked_softmax DotProductAttention AdditiveAttention MultiHeadAttention PositionalEncoding
        PositionWiseFFN AddNorm TransformerEncoder""",
    "optimizing": "train_2d show_trace_2d get_data_ch11 train_ch11 train_concise_ch11",
    "parallel": "split_batch train_batch_ch13 train_ch13",
}
ENGLISH: dict[str, str] = {
    "arrays": """
        nn_Module ones_like zeros_like sigmoid batch_matmul expand_dims swapaxes repeat""",
    "protocol": """
        add_to_class HyperParameters ProgressBoard Module DataModule Trainer Classifier""",
    "devices": "cpu gpu num_gpus",
    "regression": """
        SyntheticRegressionData LinearRegressionScratch LinearRegression SGD""",
    "images": "FashionMNIST SoftmaxRegression",
    "networks": "init_cnn LeNet ResNeXtBlock",
    "text": "TimeMachine",
    "recurrent": "check_len check_shape RNNScratch RNNLMScratch RNN RNNLM LSTMScratch GRU",
    "translation": "MTFraEng init_seq2seq Seq2Seq",
    "attention": "TransformerEncoderBlock",
}
CHINESE: dict[str, str] = {
    "images": """
        get_dataloader_workers evaluate_accuracy train_epoch_ch3 train_ch3 predict_ch3""",
    "downloads": "download_all",
    "text": """
        read_time_machine count_corpus load_corpus_time_machine seq_data_iter_random
        seq_data_iter_sequential SeqDataLoader load_data_time_machine""",
    "recurrent": "RNNModelScratch RNNModel predict_ch8 train_epoch_ch8 train_ch8",
    "attention": "transpose_qkv transpose_output EncoderBlock",
}
