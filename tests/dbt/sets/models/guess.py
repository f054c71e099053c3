from penstock.trainers import train


def build(numbers, texts):
    from sklearn.compose import make_column_transformer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder
    from sklearn.tree import DecisionTreeClassifier

    columns = make_column_transformer((filled(), numbers), (OneHotEncoder(handle_unknown="ignore"), texts))
    return make_pipeline(columns, DecisionTreeClassifier(max_depth=2, random_state=0))


def filled():
    from sklearn.impute import SimpleImputer

    return SimpleImputer()


def model(dbt, session):
    dbt.config(materialized="table", submission_method="session")
    return train(
        dbt.ref("training"),
        build,
        model="guess",
        label="bought",
        time="asked_at",
        baseline="shop_id",
        leave_out=("visit_id",),
    )
