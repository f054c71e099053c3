# make demo · make test: the two commands of the README. Both make the environment first.
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= python3
# What takes too long for each change; check-clients runs it.
# - test_standalone.py builds the whole demo once more, on a cluster; test_cluster.py builds a project through a server.
#   test_thrift.py and test_logins.py have the server itself.
# - test_training_refresh.py makes eight builds; tests/unit/training_sets/test_refresh.py has the SQL of a refresh.
# - test_leakage.py builds sets that leak; tests/unit/training_sets has each of its tests on DuckDB.
# - test_upkeep.py looks into every table of the demo, often; tests/unit/test_maintenance.py has what it is asked.
# - test_training_records.py builds, rebuilds and maintains in eight processes; tests/unit/training_sets/test_record.py
#   and test_refresh.py have what a table says of itself.
# - test_model_functions.py logs a dozen models; test_scoring.py and tests/unit/scoring have what most functions do.
# - test_isolated_models.py makes environments, and test_isolated.py starts a process for each of many models.
# - test_spark_ml.py trains and logs pipelines of Spark ML; test_spark_ml_plan.py has their expressions.
# - test_broken_models.py logs a model for each way of being broken; test_score.py has what a batch of theirs becomes.
# - test_moved_champion.py has a server and two models; test_scoring.py has an open session of this process.
# - test_scored_models.py builds a model again after each of many changes; test_row_hash.py and
#   tests/unit/scoring/test_incremental.py have its SQL. test_streaming.py kills a Spark and starts another.
# - tests/spark/test_usage.py asks Spark two dozen times; tests/servers/test_usage_by_user.py has what is counted.
# - test_feature_schemas.py widens columns of many types; test_flywheel_record.py logs features.
# - test_gate_refusals.py decides two dozen times; test_gates.py goes through a gate and back, and
#   tests/unit/monitoring/test_gate_definition.py has the conditions. test_ledger.py logs predictions for three days, and
#   test_paired_on_spark.py has long expressions; tests/unit/monitoring/test_paired.py has them on DuckDB.
# - test_performance_on_spark.py plans two dozen long queries, and test_performance_tests.py asks the demo for more than it has;
#   the demo's own build runs its tests of performance, and tests/unit/monitoring has all of them on DuckDB.
# - test_gated_behaviour.py decides on three versions; test_gates.py has a check of behaviour in a gate, and
#   tests/unit/monitoring/test_behaviour.py all of them on DuckDB.
# - test_compare_log.py builds a training set twice for each log; test_skew.py compares features with a log.
# - test_embeddings_on_spark.py has on Spark what test_embeddings.py has on DuckDB; test_two_sample_rates.py makes 800
#   worlds, of which test_embeddings.py makes 40.
# - test_report_of_demo.py asks the demo for the whole page; tests/unit/monitoring has all of it on DuckDB.
# - test_labels_table.py keeps a table up five times, test_logged_stream.py kills a Spark; the demo has such a table, and
#   test_flywheel_record.py logs what is there already.
# - test_tile_models.py builds tiles again after each of many changes; test_tiles.py has their SQL.
# - test_anomalies_on_spark.py commits to a table often, and test_alerts_table.py keeps alerts of six runs;
#   tests/unit/monitoring has both on DuckDB and without a table. test_alerts_of_dbt.py builds a project five times.
# - test_readers.py reads each version of many tables; tests/unit/readers reads others.
# - test_tiles_on_spark.py has on Spark what tests/unit/monitoring has of tiles on DuckDB; the demo builds some.
# - test_semantic_metricflow.py asks MetricFlow 260 questions; test_semantic_random.py asks it others.
# - test_conformance_on_spark.py asks Spark all the cases; test_conformance.py asks DuckDB, and
#   tests/spark/test_semantic_answers.py asks Spark others.
# - tests/loops/test_loop.py kills a loop at each of its steps and has a dozen others, test_declared_training.py searches;
#   tests/unit has what starts a loop, the search, the trainers and what is declared.
# - tests/year replays a year of flights by week; tests/loops and test_gates.py have each of its steps, and
#   tests/unit/monitoring/test_year_of_drift.py has the drift of a year.
# - test_samples_on_spark.py draws on Spark what tests/unit/training_sets draws on DuckDB.
HEAVY := tests/servers/test_standalone.py tests/servers/test_cluster.py tests/servers/test_moved_champion.py \
  tests/training_sets/test_training_refresh.py tests/training_sets/test_leakage.py \
  tests/training_sets/test_training_records.py tests/spark/test_upkeep.py \
  tests/spark/test_readers.py tests/spark/test_model_functions.py tests/spark/test_isolated_models.py \
  tests/spark/test_spark_ml.py tests/spark/test_broken_models.py tests/spark/test_streaming.py \
  tests/spark/test_spark_ml_plan.py tests/dbt/test_scored_models.py tests/unit/scoring/test_isolated.py \
  tests/spark/test_usage.py tests/spark/test_feature_schemas.py tests/spark/test_labels_table.py \
  tests/spark/test_logged_stream.py tests/spark/test_performance_on_spark.py \
  tests/dbt/test_performance_tests.py tests/dbt/test_tile_models.py tests/spark/test_tiles_on_spark.py \
  tests/spark/test_anomalies_on_spark.py tests/spark/test_alerts_table.py tests/dbt/test_alerts_of_dbt.py \
  tests/dbt/test_report_of_demo.py tests/year tests/spark/test_samples_on_spark.py \
  tests/spark/test_gate_refusals.py tests/spark/test_ledger.py tests/spark/test_paired_on_spark.py \
  tests/spark/test_gated_behaviour.py tests/spark/test_compare_log.py tests/spark/test_embeddings_on_spark.py \
  tests/unit/monitoring/test_two_sample_rates.py tests/loops/test_loop.py tests/spark/test_declared_training.py \
  tests/unit/semantic/test_semantic_metricflow.py tests/conformance/test_conformance_on_spark.py

.PHONY: help setup demo test check-clients lint lock bench-compile bench-query-cost bench-training bench-predict \
  bench-monitoring clean

help: ## Show this
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: $(VENV)/.ready profiles.yml ## Make .venv from the lock, and profiles.yml

$(VENV)/.ready: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Penstock needs Python 3.11 or newer: make PYTHON=python3.11 …"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	touch $@

profiles.yml:
	cp profiles.example.yml $@

demo: setup ## The whole of Penstock on real flights
	$(BIN)/penstock demo

lint: setup ## ruff, types, the one-way imports
	$(BIN)/ruff check python tests models udfs benchmarks
	$(BIN)/ruff format --check python tests models udfs benchmarks
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint ## The test suite, in two processes
	$(BIN)/pytest -n 2 $(HEAVY:%=--ignore=%)

# What is too heavy for the lock lies beside it: PyPI's torch is 4 GB with CUDA's libraries.
.venv-clients/%/.ready: tests/clients/%.txt $(VENV)/.ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --upgrade --target .venv-clients/$* -r $<
	touch $@

check-clients: setup .venv-clients/torch/.ready .venv-clients/tensorflow/.ready ## What is too heavy for test: more builds, and torch and TensorFlow, which this installs
	$(BIN)/pytest $(HEAVY)
	PYTHONPATH=.venv-clients/torch $(BIN)/pytest tests/clients --ignore=tests/clients/test_flavour_keras.py
	PYTHONPATH=.venv-clients/tensorflow $(BIN)/pytest tests/clients/test_flavour_keras.py

# A program of a benchmark that is no package of ours has an environment of its own.
.venv-peers/%/.ready: benchmarks/peers/%.txt
	$(PYTHON) -m venv .venv-peers/$*
	.venv-peers/$*/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r $<
	touch $@

.PRECIOUS: .venv-peers/%/.ready .venv-clients/%/.ready

bench-compile: setup ## What compiling costs, beside MetricFlow
	$(BIN)/python -m benchmarks.compile_time $(ARGS)

bench-query-cost: setup .venv-peers/tpch/.ready ## What the SQL costs to run, beside MetricFlow's
	$(BIN)/python -m benchmarks.query_cost $(ARGS)

bench-training: setup .venv-peers/feast/.ready ## What training sets cost to run, beside Feast and RANGE frames
	$(BIN)/python -m benchmarks.training $(ARGS)

bench-predict: setup .venv-clients/torch/.ready ## What predict() costs, beside MLflow's spark_udf
	PYTHONPATH=.venv-clients/torch $(BIN)/python -m benchmarks.predict $(ARGS)

bench-monitoring: setup .venv-peers/nannyml/.ready .venv-peers/evidently/.ready ## What drift costs, beside NannyML and Evidently
	$(BIN)/python -m benchmarks.monitoring $(ARGS)

lock: ## Resolve requirements.lock anew (needs uv)
	uv pip compile pyproject.toml --extra demo --extra readers --extra engines --extra tuning --group dev --overrides overrides.txt --universal --python-version 3.11 \
	  --no-header --no-emit-index-url --upgrade -o requirements.lock

clean: ## Remove everything that was made here
	rm -rf $(VENV) .venv-peers .venv-clients .penstock target logs profiles.yml
