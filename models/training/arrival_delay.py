"""Trains `arrival_delay`: will a flight arrive more than 15 minutes late, as known two hours before it leaves?"""

from penstock.trainers import train


def build(numbers, texts):
    """Boosted trees, which take missing numbers as they are; texts become categories, unseen ones are missing."""
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder

    categories = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=float("nan"))
    return make_pipeline(
        ColumnTransformer([("text", categories, list(texts)), ("number", "passthrough", list(numbers))]),
        HistGradientBoostingClassifier(categorical_features=list(range(len(texts))), random_state=0),
    )


def model(dbt, session):
    dbt.config(materialized="incremental", incremental_strategy="append", submission_method="session")
    version = train(
        dbt.ref("arrival_delay_training"),
        build,
        model="arrival_delay",
        label="is_late",
        time="predict_at",
        baseline="carrier",
        description="Probability that a flight arrives more than 15 minutes late, as known two hours before it leaves.",
        leave_out=("flight_id", "tailnum", "route_id", "label_known_at", "departure_date", "loaded_at"),
    )
    # One row a version: a build that made none appends none.
    return version.join(session.table(str(dbt.this)), "version", "left_anti") if dbt.is_incremental else version
