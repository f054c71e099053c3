from penstock.trainers import train


def build(numbers, texts):
    from sklearn.compose import make_column_transformer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder
    from sklearn.tree import DecisionTreeClassifier

    columns = make_column_transformer(("passthrough", numbers), (OneHotEncoder(handle_unknown="ignore"), texts))
    return make_pipeline(columns, DecisionTreeClassifier(max_depth=1, random_state=0))


def model(dbt, session):
    dbt.config(materialized="table", submission_method="session")
    return train(
        dbt.ref("examples"), build, model="buyers", label="bought", time="at", baseline="kind", leave_out=("id",)
    )
