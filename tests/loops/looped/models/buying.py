from penstock.trainers import train


def build(numbers, texts):
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    columns = make_column_transformer(("passthrough", numbers), (OneHotEncoder(handle_unknown="ignore"), texts))
    return make_pipeline(columns, LogisticRegression())


def model(dbt, session):
    dbt.config(materialized="incremental", incremental_strategy="append", submission_method="session")
    version = train(
        dbt.ref("visits_seen"),
        build,
        model="buying",
        label="bought",
        time="at",
        baseline="kind",
        leave_out=("visit_id",),
    )
    return version.join(session.table(str(dbt.this)), "version", "left_anti") if dbt.is_incremental else version
