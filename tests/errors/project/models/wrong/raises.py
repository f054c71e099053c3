def model(dbt, session):
    dbt.config(materialized="table", submission_method="session")
    return dbt.ref("examples").no_such_method()
