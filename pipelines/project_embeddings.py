"""The job's step from an encoder's embeddings to those that are written: fitted, stored, applied.

The principal components of a modality are fitted on the items that have it, canonical correlations
on those that have both modalities, behind the principal components where both are asked for. An
item that lacks one of them goes through the step of the other all the same. The embeddings that are
cached stay as the encoder made them.

Moments are exact and a step is found once from them, so that bundles and workers do not show in it;
the last bits of eigenvectors are those of the machine's linear algebra.
"""

import os
import pathlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import apache_beam as beam
import numpy as np

from pipelines.fit_moments import FitMoments
from pipelines.item_records import Embedding
from pipelines.projection_plan import ProjectionPlan, projection_path
from tfrs_mm.data.canonical import chance_correlation, fit_canonical
from tfrs_mm.data.exact_moments import Moments
from tfrs_mm.data.whitening import fit_whitening
from tfrs_mm.errors import UserError
from tfrs_mm.projection import CCA, AffineStep, Projection
from tfrs_mm.schema import Modality

_SHOWN = 5  # strengths of a step


class ProjectEmbeddings(beam.PTransform):
    """`{modality: (row, embedding)}` to the same, projected; writes every projection.

    Modalities without a plan pass as they are.
    """

    def __init__(
        self, plans: Mapping[Modality, ProjectionPlan], output_dir: str | os.PathLike[str]
    ) -> None:
        """Says how, and where the projections go."""
        super().__init__()
        self._plans, self._output_dir = dict(plans), pathlib.Path(output_dir)

    def expand(self, branches: Any) -> Any:
        """See the class."""
        projected, steps = dict(branches), {}
        fitted = {m: plan for m, plan in self._plans.items() if plan.stored is None}
        for modality, plan in fitted.items():
            name = modality.value
            # Embeddings are read several times from here on, and must not be made several times.
            projected[name] = branches[name] | f"Hold_{name}" >> beam.Reshuffle()
            steps[modality] = []
            if plan.pca_dim:
                step = projected[name] | f"FitWhitening_{name}" >> FitWhitening(plan)
                steps[modality].append(step)
                projected[name] = projected[name] | f"Whiten_{name}" >> beam.Map(
                    _through, beam.pvalue.AsSingleton(step)
                )
        for first, second in _pairs(fitted):
            pair = {m.value: projected[m.value] for m in (first.modality, second.modality)}
            label = "_".join(pair)
            both = pair | f"FitCanonical_{label}" >> FitCanonical(first, second)
            for place, name in enumerate(pair):
                step = both | f"TakeStep_{name}" >> beam.Map(_at, place)
                steps[Modality(name)].append(step)
                projected[name] = projected[name] | f"Correlate_{name}" >> beam.Map(
                    _through, beam.pvalue.AsSingleton(step)
                )
        for modality, plan in self._plans.items():
            name = modality.value
            if plan.stored is None:
                finish = beam.Map(_as_float32)
                store = beam.Map(_store, plan, *map(beam.pvalue.AsSingleton, steps[modality]))
            else:
                finish, store = beam.Map(_through, plan.stored), beam.Map(_store, plan)
            projected[name] = projected[name] | f"Finish_{name}" >> finish
            path = projection_path(self._output_dir, modality)
            named = branches[name].pipeline | f"Name_{name}" >> beam.Create([str(path)])
            _ = named | f"Store_{name}" >> store
        return projected


class FitWhitening(beam.PTransform):
    """`(row, embedding)` to one step to their principal components."""

    def __init__(self, plan: ProjectionPlan) -> None:
        super().__init__()
        self._plan = plan

    def expand(self, embeddings: beam.PCollection) -> beam.PCollection:
        """See the class."""
        plan = self._plan
        return (
            embeddings
            | "TakeValues" >> beam.Values()
            | "FitMoments" >> FitMoments(plan.input_dim)
            | "FindComponents" >> beam.Map(fit_whitening, plan.pca_dim, plan.whiten, plan.epsilon)
        )


class FitCanonical(beam.PTransform):
    """`{modality: (row, embedding)}` of two modalities to one pair of steps."""

    def __init__(self, first: ProjectionPlan, second: ProjectionPlan) -> None:
        super().__init__()
        self._first, self._second = first, second

    def expand(self, pair: Any) -> beam.PCollection:
        """See the class."""
        first, second = self._first, self._second
        names = first.modality.value, second.modality.value
        return (
            pair
            | "MeetByRow" >> beam.CoGroupByKey()
            | "JoinBoth" >> beam.FlatMap(_joined, names)
            | "FitMoments" >> FitMoments(first.reduced_dim + second.reduced_dim)
            | "FindCorrelations" >> beam.Map(_correlated, first, names)
        )


def _pairs(
    plans: Mapping[Modality, ProjectionPlan],
) -> Iterator[tuple[ProjectionPlan, ProjectionPlan]]:
    """Every pair once, its modalities in their own order."""
    order = list(Modality)
    for modality, plan in plans.items():
        if plan.partner is not None and order.index(modality) < order.index(plan.partner):
            yield plan, plans[plan.partner]


def _joined(
    met: tuple[int, dict[str, Iterable[np.ndarray]]], names: tuple[str, str]
) -> Iterator[np.ndarray]:
    """`[dim + other dim]` of an item that has both."""
    parts = [list(met[1][name]) for name in names]
    if all(parts):
        yield np.concatenate([values[0] for values in parts])


def _correlated(
    moments: Moments, first: ProjectionPlan, names: tuple[str, str]
) -> tuple[AffineStep, AffineStep]:
    return fit_canonical(moments, first.reduced_dim, first.cca_dim, first.ridge, names)


def _at(steps: tuple[AffineStep, AffineStep], place: int) -> AffineStep:
    return steps[place]


def _through(item: Embedding, step: AffineStep | Projection) -> Embedding:
    return item[0], step.apply(item[1])


def _as_float32(item: Embedding) -> Embedding:
    return item[0], item[1].astype(np.float32)


def _store(
    path: str,
    plan: ProjectionPlan,
    first: AffineStep | None = None,
    second: AffineStep | None = None,
) -> str:
    steps = tuple(step for step in (first, second) if step is not None)
    projection = plan.stored or Projection(plan.modality, plan.encoder, steps)
    pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
    projection.write(path)
    return path


def check(projections: Mapping[Modality, Projection]) -> None:
    """Looks whether what was fitted means anything.

    Raises:
        UserError: two modalities were to be correlated that next to no item has both of.
    """
    for modality, projection in projections.items():
        for step in projection.steps:
            if step.kind == CCA and step.items < 2:
                raise UserError(
                    f"encoders.cca correlates {modality.value} with {step.settings['with']}, but "
                    f"{step.items} items have both; at least 2 must. Take the pair out."
                )


def summary(projections: Mapping[Modality, Projection]) -> dict[str, Any]:
    """The lines of `items/report.json`: of each step its items, dimensions and strengths.

    Canonical correlations mean something as far as they exceed those that come by chance.
    """
    sizes = {
        modality.value: len(step.mean)
        for modality, projection in projections.items()
        for step in projection.steps
        if step.kind == CCA
    }
    lines: dict[str, Any] = {}
    for modality, projection in projections.items():
        lines[modality.value] = []
        for step in projection.steps:
            line = {
                "kind": step.kind,
                "items": step.items,
                "dim": step.matrix.shape[1],
                "components": step.num_components,
                "strengths": [round(float(value), 4) for value in step.strengths[:_SHOWN]],
                "sum of strengths": round(float(step.strengths.sum()), 4),
            }
            if step.kind == CCA:
                other = sizes[step.settings["with"]]
                by_chance = chance_correlation(step.items, len(step.mean), other)
                line["largest by chance"] = round(by_chance, 4)
            lines[modality.value].append(line)
    return lines
