"""MiniLM fine-tuned on reviews of one domain and adapted to another, beside what others would use.

The source net is LoRA on reviews of the source domain. LoRA, DoRA, rsLoRA and (IA)³ are PEFT's and
start at the source's weights and head, as full fine-tuning does. WiSE-FT takes weights between the
source's and those of full fine-tuning, at ½ or where a fifth of the labelled rows says. LP-FT, LoRA
(α = 1) and α-LoRA start at the linear probe. By default α-LoRA keeps as much of the training as
left-out rows support, which doubles its time; without the anchor it is scored where training ends.
`AlphaTransferClassifier` is fitted to the inputs of the source's head, and no network is trained.
Averaged sources are the mean weights of the nets of the three other domains. SetFit starts from
MiniLM and sees no source; it runs if it is installed.

Every method has four or five rates. Its rate for a target is the one of the highest mean accuracy,
or the least mean log loss, on the other targets, so that no label of the target chooses it. All see
the same draws, the first tokens of "title. text", and as many epochs; SetFit has a number of
batches of pairs instead. Copies of labelled reviews and of the sources' are not scored. Finished
cells are appended to `draws.csv`, and a rerun goes on there.
"""

import sys

import joblib

from benchmarks._data.embeddings import minilm_path
from benchmarks.networks._appended import append_cells
from benchmarks.networks._review_methods import BATCH_SIZE, PAIRS, RATES, SOURCES, score_way
from benchmarks.networks._reviews import source_folder
from benchmarks.networks._setfit import version
from benchmarks.networks._sweeps import COLUMNS, by_other_groups, publish_sweep
from benchmarks.networks._training import device

# For an hour of one core, and for a GPU.
SMALL = {"n": 50, "draws": 2, "epochs": 3, "n_source": 400, "n_scored": 200, "tokens": 64}
SMALL |= {"setfit_steps": 40}
FULL = {"n": 50, "draws": 10, "epochs": 10, "n_source": None, "n_scored": None, "tokens": 256}
FULL |= {"setfit_steps": 160}
HELP = {
    "n": "labelled target reviews, as many of each class",
    "draws": "draws of these per target",
    "epochs": "passes over the rows; the sources have 3",
    "n_source": "reviews of each source",
    "n_scored": "target reviews scored in a draw",
    "tokens": "where texts are cut",
    "setfit_steps": f"batches of {PAIRS} pairs",
}


def add_arguments(parser):
    """Add the sizes; `--full` has other defaults."""
    parser.add_argument("--full", action="store_true", help="all rows and 256 tokens: for a GPU")
    for name, text in HELP.items():
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            type=int,
            help=f"{text} (default {SMALL[name]}; {FULL[name] or 'all'} with --full)",
        )
    parser.add_argument(
        "--targets", nargs="+", choices=SOURCES, default=list(SOURCES), help="target domains"
    )
    parser.add_argument(
        "--methods", nargs="+", choices=RATES, default=list(RATES), help="ways to adapt"
    )
    parser.add_argument("--minutes", type=float, help="start no cell later, and report")


def main(args):
    """Train and score what the file lacks, and write it down."""
    for name, value in (FULL if args.full else SMALL).items():
        if getattr(args, name) is None:
            setattr(args, name, value)
    minilm_path()
    nets = {"n_source": args.n_source, "tokens": args.tokens, "precision": "bfloat16"}
    # before any worker needs them
    joblib.Parallel()(joblib.delayed(source_folder)(domain, **nets) for domain in SOURCES)
    methods = [name for name in args.methods if name != "setfit" or version()]
    fixed = nets | {"n": args.n, "n_scored": args.n_scored, "epochs": args.epochs}
    fixed |= {"setfit_steps": args.setfit_steps, "on": device()}
    trained = [(method, rate) for method in methods for rate in RATES[method]]
    cells = [
        {"target": target, "seed": seed, "way": way, "lr": rate} | fixed
        for seed in range(args.draws)
        for target in args.targets
        for way, rate in [("untrained", None), *trained]
    ]
    name = "amazon-text-full" if args.full else "amazon-text"
    frame = append_cells(
        args.out / name / "draws.csv",
        score_way,
        cells,
        COLUMNS,
        resume=args.resume,
        minutes=args.minutes,
    )
    report(frame, name, args, len(trained) + 1)


def report(frame, name, args, n_cells):
    """Write down the draws of which all cells are finished."""
    draws = frame.groupby(["target", "seed"], sort=False)
    frame = draws.filter(lambda draw: draw.key.nunique() == n_cells)
    counts = frame.groupby("target", sort=False).seed.nunique()
    if len(counts) < 2:
        sys.exit("A rate is chosen on other targets: finish a draw of at least two of them.")
    frame = by_other_groups(frame, "target")
    setfit = f"SetFit {version()}: {args.setfit_steps} batches of {PAIRS} pairs."
    if not version():
        setfit = "SetFit is not installed."
    caption = (
        f"n = {args.n} labelled reviews, {args.n_scored or 'all'} scored in a draw, {args.tokens} "
        f"tokens, {args.epochs} epochs in batches of {BATCH_SIZE}, products in bfloat16. "
        f"Finished draws of {args.draws}: "
        f"{', '.join(f'{target} {count}' for target, count in counts.items())}. {setfit} "
        "The rate is the best on the other targets."
    )
    overall = "Mean of all targets", ["target", "seed"]
    publish_sweep(frame, name, args, ["target"], caption, overall=overall)
