from penstock.trainers import train


def build(numbers, texts):
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.tree import DecisionTreeClassifier

    return make_pipeline(SimpleImputer(), DecisionTreeClassifier(max_depth=2, random_state=0))


def model(dbt, session):
    dbt.config(materialized="table", submission_method="session")
    return train(
        dbt.ref("training"),
        build,
        model="guess",
        label="bought",
        time="asked_at",
        baseline="shop_id",
        leave_out=("visit_id", "city"),
    )
