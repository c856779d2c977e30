"""One fit: validate each epoch, keep the best weights, stop early, go on after an interruption."""

import math
import os
import pathlib
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from tfrs_mm.progress import Progress


class KeepBest(tf.keras.callbacks.Callback):
    """Validates averaged weights after each epoch and remembers the best of them.

    The state (weights, optimiser, epoch, best so far) is saved after every epoch; a later fit with
    the same folder goes on from there.
    """

    def __init__(
        self,
        weights: tf.Module | tf.keras.layers.Layer,
        optimizer: tf.keras.optimizers.Optimizer,
        validate: Callable[[], float | None],
        patience: int,
        directory: str | os.PathLike[str],
        averaged: bool,
        restore_from: str | os.PathLike[str] | None = None,
        state: Sequence[tf.Variable] = (),
    ) -> None:
        """Restores the newest saved state, if there is one.

        Args:
            weights: the object whose trainable variables are kept.
            optimizer: its optimiser, already built.
            validate: gives the figure to maximise, from the weights as they are; it gives None
                where nothing is held out, and the newest weights are the ones to keep.
            patience: epochs without a better figure before training stops.
            directory: of the checkpoints.
            averaged: whether the optimiser's moving averages are what is validated and kept.
            restore_from: where saved states are looked for, if not in `directory`.
            state: variables that are no weights and are saved and restored as well.
        """
        super().__init__()
        self._variables = list(weights.trainable_variables)
        self._fitted, self._validate, self._patience = optimizer, validate, patience
        self._averaged = averaged
        self._epochs_done = tf.Variable(0, dtype=tf.int64)
        self._best = tf.Variable(-1.0, dtype=tf.float64)
        self._best_epoch = tf.Variable(0, dtype=tf.int64)
        self._best_variables = [tf.Variable(v, trainable=False) for v in self._variables]
        checkpoint = tf.train.Checkpoint(
            variables=self._variables,
            optimizer=optimizer,
            epochs_done=self._epochs_done,
            best=self._best,
            best_epoch=self._best_epoch,
            best_variables=self._best_variables,
            **({"state": list(state)} if state else {}),
        )
        self._manager = tf.train.CheckpointManager(checkpoint, str(directory), max_to_keep=1)
        saved = tf.train.latest_checkpoint(str(restore_from or directory))
        self.resumed = saved is not None
        if saved is not None:
            checkpoint.restore(saved).assert_consumed()
        self.history: list[float] = []

    @property
    def epochs_done(self) -> int:
        """Epochs fitted so far, those before an interruption included."""
        return int(self._epochs_done)

    @property
    def best(self) -> float | None:
        """The best figure so far; None without validation."""
        best = float(self._best)
        return None if math.isnan(best) else best

    @property
    def best_epoch(self) -> int:
        """The epoch behind which the kept weights stood; 0 before the first."""
        return int(self._best_epoch)

    @property
    def finished(self) -> bool:
        """Whether patience has run out."""
        return self.epochs_done - int(self._best_epoch) >= self._patience

    def consider(self) -> float | None:
        """Validates the weights as they are, and keeps them if they are the best.

        Returns:
            The figure; None without validation.
        """
        raw = [v.numpy() for v in self._variables] if self._averaged else None
        if self._averaged and self.epochs_done:
            self._fitted.finalize_variable_values(self._variables)
        figure = self._validate()
        if figure is None or figure > self.best:
            self._best.assign(math.nan if figure is None else figure)
            self._best_epoch.assign(self._epochs_done)
            for kept, variable in zip(self._best_variables, self._variables, strict=True):
                kept.assign(variable)
        if raw is not None:
            for variable, value in zip(self._variables, raw, strict=True):
                variable.assign(value)
        if figure is not None:
            self.history.append(figure)
        return figure

    def restore_best(self) -> None:
        """Puts the best weights in place."""
        for kept, variable in zip(self._best_variables, self._variables, strict=True):
            variable.assign(kept)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Keras's hook."""
        self._epochs_done.assign_add(1)
        figure = self.consider()
        if logs is not None and figure is not None:
            logs["validation_ndcg@10"] = figure
        self._manager.save()
        if self.finished:
            self.model.stop_training = True


class ShowProgress(tf.keras.callbacks.Callback):
    """Steps with a rate and an estimate, on a terminal."""

    def __init__(self, label: str, steps: int, keep_best: KeepBest) -> None:
        super().__init__()
        self._progress = Progress(label, total=steps, unit="steps")
        self._keep_best = keep_best

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Keras's hook."""
        loss = float((logs or {}).get("loss", np.nan))
        best = self._keep_best.best
        note = f"loss {loss:.3f}, epoch {self._keep_best.epochs_done + 1}"
        self._progress.advance(note=note if best is None else f"{note}, best {best:.4f}")

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        """Keras's hook."""
        self._progress.__exit__()


def fit(
    model: tf.keras.Model,
    dataset: tf.data.Dataset,
    steps_per_epoch: int,
    max_epochs: int,
    keep_best: KeepBest,
    tensorboard_dir: pathlib.Path,
    label: str,
) -> None:
    """Fits `model` and leaves the best weights in it.

    Args:
        model: compiled.
        dataset: endless.
        steps_per_epoch: of the data set.
        max_epochs: in all, those before an interruption included.
        keep_best: made for the model.
        tensorboard_dir: for the curves.
        label: shown with the progress.
    """
    done = keep_best.epochs_done
    if done < max_epochs and not keep_best.finished:
        steps = (max_epochs - done) * steps_per_epoch
        model.fit(
            dataset,
            steps_per_epoch=steps_per_epoch,
            epochs=max_epochs,
            initial_epoch=done,
            verbose=0,
            callbacks=[
                keep_best,
                tf.keras.callbacks.TensorBoard(str(tensorboard_dir), write_graph=False),
                ShowProgress(label, steps, keep_best),
            ],
        )
    keep_best.restore_best()
