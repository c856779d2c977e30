"""Which modalities are projected, and how: what the configuration asks for, or what is stored
beside an encoder already.

A projection that lies with its encoder is applied as it is, so that new items land where the old
ones are; without one it is fitted on the job's own items.
"""

import dataclasses
import pathlib
from collections.abc import Mapping

from pipelines.media_inputs import Source
from tfrs_mm.config import EncoderConfig, EncodersConfig
from tfrs_mm.encoder_settings import pairs_of
from tfrs_mm.errors import UserError
from tfrs_mm.projection import CCA, PCA, PROJECTION, Projection
from tfrs_mm.schema import Modality, Schema


@dataclasses.dataclass(frozen=True)
class ProjectionPlan:
    """What becomes of one modality's embeddings.

    Attributes:
        modality: whose.
        encoder: the fingerprint of what makes them.
        input_dim: of the embeddings.
        pca_dim: principal components; 0 for no such step.
        whiten: whether they get the variance one.
        epsilon: see `fit_whitening`.
        partner: the modality that is correlated with; None for no such step.
        cca_dim: canonical components.
        ridge: see `fit_canonical`.
        stored: what is applied instead of anything fitted, if there is something.
    """

    modality: Modality
    encoder: str
    input_dim: int
    pca_dim: int
    whiten: bool
    epsilon: float
    partner: Modality | None
    cca_dim: int
    ridge: float
    stored: Projection | None

    @property
    def reduced_dim(self) -> int:
        """Of an embedding before it is correlated."""
        return self.pca_dim or self.input_dim

    @property
    def dim(self) -> int:
        """Of what is written."""
        if self.stored is not None:
            return self.stored.dim
        return self.cca_dim if self.partner is not None else self.reduced_dim

    @property
    def steps(self) -> tuple[tuple[str, int, str], ...]:
        """Kind, dimension and partner of every step that is asked for."""
        steps = [(PCA, self.pca_dim, "")] if self.pca_dim else []
        if self.partner is not None:
            steps.append((CCA, self.cca_dim, self.partner.value))
        return tuple(steps)


def plans_of(
    settings: EncodersConfig, sources: Mapping[Modality, Source]
) -> dict[Modality, ProjectionPlan]:
    """The plan of each modality that is projected at all.

    Raises:
        UserError: there are fewer dimensions than are asked for, a modality that is to be
            correlated is absent, or what is stored is something else.
    """
    partners: dict[Modality, Modality] = {}
    for first, second in pairs_of(settings.cca):
        for modality in (first, second):
            if modality not in sources:
                raise UserError(
                    f"encoders.cca names {modality.value}, but the catalogue gives no embeddings "
                    "of it. Take the pair out, or give items that modality."
                )
        partners |= {first: second, second: first}
    plans = {
        modality: _plan(settings, modality, source, partners.get(modality))
        for modality, source in sources.items()
    }
    for modality, partner in partners.items():
        if (plans[modality].stored is None) != (plans[partner].stored is None):
            with_one, without = (
                (modality, partner) if plans[modality].stored else (partner, modality)
            )
            raise UserError(
                f"encoders.cca correlates {modality.value} with {partner.value}, but only the "
                f"encoder of {with_one.value} has a {PROJECTION} already. Give that of "
                f"{without.value} as well, or remove it."
            )
    return {modality: plan for modality, plan in plans.items() if plan.steps or plan.stored}


def schema_of_plans(schema: Schema, plans: Mapping[Modality, ProjectionPlan]) -> Schema:
    """The schema of the records: embeddings have the size that they are written with."""
    return _resized(schema, {modality: plan.dim for modality, plan in plans.items()}, {})


def schema_as_written(schema: Schema, output_dir: pathlib.Path) -> Schema:
    """The schema of the encoders' embeddings to that of a finished job's records.

    Args:
        schema: what the job was given.
        output_dir: of the job; its projections are read, and change a modality's dimension and
            fingerprint.
    """
    found = read_projections(output_dir, schema)
    return _resized(
        schema,
        {modality: projection.dim for modality, projection in found.items()},
        {name.value: projection.embedding_fingerprint for name, projection in found.items()},
    )


def read_projections(output_dir: pathlib.Path, schema: Schema) -> dict[Modality, Projection]:
    """What a finished job left for the modalities that it projected."""
    paths = {modality: projection_path(output_dir, modality) for modality in schema.modalities}
    return {modality: Projection.read(path) for modality, path in paths.items() if path.is_file()}


def projection_path(output_dir: pathlib.Path, modality: Modality) -> pathlib.Path:
    """Where a job writes the projection: in a data folder that is beside the encoder."""
    return output_dir / "encoders" / modality.value / PROJECTION


def _plan(
    settings: EncodersConfig, modality: Modality, source: Source, partner: Modality | None
) -> ProjectionPlan:
    chosen: EncoderConfig = getattr(settings, modality.value)
    path = pathlib.Path(source.path) / PROJECTION
    stored = Projection.read(path) if path.is_file() else None
    plan = ProjectionPlan(
        modality, source.fingerprint, source.dim, chosen.pca_dim, chosen.pca_whiten,
        chosen.pca_epsilon, partner, settings.cca_dim, settings.cca_ridge, stored,
    )  # fmt: skip
    if stored is not None:
        _check_stored(plan, stored, path)
        return plan
    for setting, asked, available in (
        (f"encoders.{modality.value}.pca_dim", plan.pca_dim, plan.input_dim),
        ("encoders.cca_dim", plan.cca_dim if partner is not None else 0, plan.reduced_dim),
    ):
        if asked > available:
            raise UserError(
                f"{setting} is {asked}, but the embeddings of {modality.value} have {available} "
                f"dimensions there. Choose at most {available}."
            )
    return plan


def _check_stored(plan: ProjectionPlan, stored: Projection, path: pathlib.Path) -> None:
    stored.check(plan.modality, plan.input_dim, plan.encoder, str(path))
    holds = tuple(
        (step.kind, step.matrix.shape[1], step.settings.get("with", "")) for step in stored.steps
    )
    if plan.steps and plan.steps != holds:
        raise UserError(
            f"the configuration asks for the steps {_told(plan.steps)} of {plan.modality.value}, "
            f"but {path} holds {_told(holds)}. Remove it to fit another, or leave encoders.cca and "
            f"encoders.{plan.modality.value}.pca_dim as they are by default to apply it."
        )


def _told(steps: tuple[tuple[str, int, str], ...]) -> str:
    told = [f"{kind} to {dim}{f' with {name}' if name else ''}" for kind, dim, name in steps]
    return " and ".join(told)


def _resized(
    schema: Schema, dims: Mapping[Modality, int], fingerprints: Mapping[str, str]
) -> Schema:
    if not dims:
        return schema
    sizes = {modality.value: dim for modality, dim in dims.items()}
    return dataclasses.replace(
        schema,
        features=tuple(
            dataclasses.replace(feature, size=sizes.get(feature.name, feature.size))
            for feature in schema.features
        ),
        encoders=tuple((name, fingerprints.get(name, old)) for name, old in schema.encoders),
    )
