"""Finds the known least value of Branin's function, beats chance, goes on from its database."""

import math

import dsvm_check
import optuna

dsvm_check.lives_in("boosting")
LEAST = 0.397887  # https://www.sfu.ca/~ssurjano/branin.html
TRIALS = 90
STORAGE = "sqlite:///search.db"
optuna.logging.set_verbosity(optuna.logging.WARNING)


def branin(trial):
    x, y = trial.suggest_float("x", -5, 10), trial.suggest_float("y", 0, 15)
    valley = y - 5.1 / (4 * math.pi**2) * x**2 + 5 / math.pi * x - 6
    return valley**2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10


def search(sampler, trials, **options):
    study = optuna.create_study(sampler=sampler, **options)
    study.optimize(branin, n_trials=trials)
    return study


study = search(optuna.samplers.TPESampler(seed=1), TRIALS)
found = study.best_value
assert LEAST - 1e-4 < found < LEAST + 0.3, (
    f"it found {found:.3f} of Branin's function, whose least value is {LEAST:.3f}"
)
later = sum(trial.value for trial in study.trials[-20:]) / 20
chance = search(optuna.samplers.RandomSampler(seed=1), TRIALS)
usual = sum(trial.value for trial in chance.trials) / TRIALS
assert later < usual / 2, f"its last 20 trials gave {later:.1f}, chance gives {usual:.1f}"

# Another process, or the same after a restart, goes on where the first stopped.
before, after = (
    search(None, 3, storage=STORAGE, study_name="kept", load_if_exists=True).best_value
    for _ in range(2)
)
kept = optuna.load_study(study_name="kept", storage=STORAGE)
assert len(kept.trials) == 6, f"the database has {len(kept.trials)} trials, not 6"
assert kept.best_value == after <= before, f"its best is {kept.best_value}, then {after}, {before}"

dsvm_check.passed(
    found=round(found, 4),
    least=LEAST,
    last_20_mean=round(later, 2),
    chance_mean=round(usual, 2),
    versions={"optuna": optuna.__version__},
)
