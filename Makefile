# Two commands on a fresh machine: `make demo` and `make test`. Each sets up what it needs.

# The first of these that runs, is of a version that hansa names, and can make an environment.
FITS := import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 14))
PYTHON ?= $(firstword $(foreach name,python3.11 python3.12 python3.13 python3,$(shell $(name) -c '$(FITS)' 2>/dev/null && echo $(name))))
BIN := .venv/bin
READY := .venv/.ready
DATA ?= ../shared/data
RUNS ?= runs
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-package torch \
	--no-annotate --custom-compile-command 'make lock' pyproject.toml

.DEFAULT_GOAL := help

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 24

# torch comes first and alone, so that a CPU wheel already at hand is taken instead of a CUDA build; its file therefore
# has no hash in the lock. All else must have the hash that the lock says, and is complete without asking for more.
$(READY): pyproject.toml requirements/dev.lock
	@'$(PYTHON)' -c '$(FITS)' 2>/dev/null || { \
		echo "hansa needs Python 3.11, 3.12 or 3.13 with venv: install one, or name it, make PYTHON=/path/to/python3.11." >&2; \
		exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet torch==2.13.0
	$(BIN)/pip install --quiet --require-hashes --no-deps --only-binary :all: --requirement requirements/dev.lock
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	$(BIN)/pip check
	@touch $(READY)

setup: $(READY)  ## create .venv with everything installed

demo: setup  ## train a synthetic federation end to end and show its table
	rm -rf $(RUNS)/demo
	$(BIN)/hansa-sim run plans/demo.toml --out $(RUNS)/demo

federation: setup  ## a coordinator and five merchants as processes of their own, over TLS, on this machine
	rm -rf $(RUNS)/federation
	$(BIN)/hansa-sim federation --out $(RUNS)/federation

rossmann: setup  ## stores of one chain, 42 days ahead (reads DATA)
	$(BIN)/hansa-sim run plans/rossmann.toml --out $(RUNS)/rossmann --data-root $(DATA) --resume

online-retail-customers: setup  ## who buys in the next 30 days (reads DATA)
	$(BIN)/hansa-sim run plans/online-retail-customers.toml --out $(RUNS)/online-retail-customers \
		--data-root $(DATA) --resume

online-retail-products: setup  ## units per product, 28 days ahead (reads DATA)
	$(BIN)/hansa-sim run plans/online-retail-products.toml --out $(RUNS)/online-retail-products \
		--data-root $(DATA) --resume

favorita: setup  ## transactions per shop, 28 days ahead (reads DATA)
	$(BIN)/hansa-sim run plans/favorita.toml --out $(RUNS)/favorita --data-root $(DATA) --resume

experiments: demo rossmann favorita online-retail-customers online-retail-products  ## every plan, every method: an hour and a half

results: setup  ## write what the runs reached into docs/results.md
	$(BIN)/hansa-sim table $(wildcard $(addprefix $(RUNS)/,demo online-retail-customers online-retail-products rossmann favorita)) --into docs/results.md

docs: setup  ## build the documentation site into RUNS/docs; a broken link is an error
	$(BIN)/pip install --quiet --editable '.[docs]'
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going --fresh-env docs $(RUNS)/docs
	! grep -rE '(src|srcset)="(https?:)?//|<link[^>]+href="(https?:)?//|url\((https?:)?//|@import' \
		--include='*.html' --include='*.css' $(RUNS)/docs  # a page asks nothing of any other place

warm: setup  ## make the public warm models again, from invented demand
	$(BIN)/hansa-sim warm plans/online-retail-customers.toml
	$(BIN)/hansa-sim warm plans/online-retail-products.toml
	$(BIN)/hansa-sim warm plans/demo.toml
	$(BIN)/hansa-sim warm plans/rossmann.toml
	$(BIN)/hansa-sim warm plans/favorita.toml

words: setup  ## find every sentence that is said in other languages too, and bring the catalogues of other languages up to date
	$(BIN)/python -m common.language.extraction client server

# The chart library as it was published: its files, by their hashes, are those of this version.
UPLOT := 1.6.32
UPLOT_SUM := 19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f
vendor:  ## fetch the page's chart library again, and check that it is the one that was reviewed
	rm -rf $(RUNS)/uplot && mkdir -p $(RUNS)/uplot
	cd $(RUNS)/uplot && npm pack --silent uplot@$(UPLOT) && tar xzf uplot-$(UPLOT).tgz
	echo '$(UPLOT_SUM)  $(RUNS)/uplot/package/dist/uPlot.iife.min.js' | sha256sum --check --quiet
	cp $(addprefix $(RUNS)/uplot/package/,dist/uPlot.iife.min.js dist/uPlot.min.css LICENSE) client/page/static/vendor/uplot/

check: setup  ## lint, format, types, imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Three files at a time on two cores, since some tests wait for deadlines and other processes; in the order of
# tests/slowest.py. A file's tests stay together: they share what is slow to start. One thread each, so
# that they do not wait for each other. Bytecode is kept whatever the environment says: hundreds of processes import hansa.
test: check  ## everything that CI runs
	PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder

test-slow: setup  ## the longer tests
	$(BIN)/pytest -m slow

test-kill: setup  ## kill a merchant 1,000 times at random moments and hold its ledger against what arrived
	$(BIN)/pytest -m slow -s tests/client/account/test_kill.py

test-clipping: setup  ## look for a gradient longer than the clipping norm among a million, in exact arithmetic
	$(BIN)/pytest -m slow -s tests/common/privacy/test_clipping_search.py

audit-study: setup  ## false alarms, power, sensitivity: the figures of docs/audit.md
	$(BIN)/pytest -m slow -s tests/client/audit/test_study.py tests/client/audit/test_replay.py tests/simulation/experiment/test_audit.py

audit-table: setup  ## write the table of planted faults into docs/audit.md
	AUDIT_TABLE=write $(BIN)/pytest -m slow tests/client/audit/test_planted.py

test-network: setup  ## a federation of processes under kill -9, thirty merchants, and a hostile coordinator
	$(BIN)/pytest -m slow -s tests/network tests/client/daemon/test_loop.py

test-thousand: setup  ## a thousand merchants on one coordinator, by a load generator, and what each part costs; LOAD_MERCHANTS=1000
	$(BIN)/pytest -m slow -s tests/network/test_thousand.py

test-sum: setup  ## twenty merchants sum securely, six die at random in every phase; a coordinator killed everywhere
	$(BIN)/pytest -m slow -s tests/network/test_sum_many.py tests/simulation/engine/test_sums.py tests/server/coordinator/test_sum_loop.py

test-sum-cost: setup  ## what a round with a secure sum costs beside one without: seconds, traffic, CPU; SUM_MERCHANTS=5
	$(BIN)/pytest -m slow -s tests/network/test_sum_cost.py

test-daemons: setup  ## many real daemons over TLS: memory before, in and after a run, seconds a round; DAEMONS=5, DAEMON_ROUNDS=10
	$(BIN)/pytest -m slow -s tests/network/test_daemons.py

test-serving: setup  ## 100,000 answers while editions swap, and the server's memory over an hour
	$(BIN)/pytest -m slow -s tests/client/serving/test_swap.py

test-page: setup  ## every view of both pages in a real browser, and joining a federation there (fetches axe-core by npm)
	$(BIN)/pytest -m slow -s tests/client/page/test_browser.py tests/client/page/test_joining.py tests/server/page/test_dashboard.py

test-gpu: setup  ## the tests that need a CUDA device
	$(BIN)/pytest -m gpu

coverage: setup  ## how much of the code the default suite runs, line by line
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

wheel: setup  ## build the wheel into dist/
	$(BIN)/python -m hatchling build -t wheel

# Generated by a compiler of its own environment, since what is installed here may be newer than what hansa asks for.
# The pool is made private: a program may hold these messages beside those of another client of the same protocol.
PROTO := client/serving/inference/rpc/proto
proto:  ## write the messages of the inference protocol from PROTO/open_inference.proto
	rm -rf $(RUNS)/proto
	$(PYTHON) -m venv $(RUNS)/proto
	$(RUNS)/proto/bin/pip install --quiet grpcio-tools==1.73.1 setuptools==80.9.0
	$(RUNS)/proto/bin/python -m grpc_tools.protoc --proto_path=. --python_out=. --grpc_python_out=. --pyi_out=. \
		$(PROTO)/open_inference.proto
	sed -i 's/_descriptor_pool\.Default()/_descriptor_pool.DescriptorPool()/' $(PROTO)/open_inference_pb2.py

# An environment of its own, since MLServer wants an older web framework; uvloop 0.22 ends its workers.
mlserver:  ## MLServer, which `hansa-sim bench --only serving` is held against, into RUNS/mlserver
	rm -rf $(RUNS)/mlserver
	$(PYTHON) -m venv $(RUNS)/mlserver
	$(RUNS)/mlserver/bin/pip install --quiet mlserver==1.7.1 uvloop==0.21.0 numpy==2.4.6 protobuf==6.33.6

test-kserve:  ## the client of KServe, as it is, in an environment of its own, against the inference protocol
	rm -rf $(RUNS)/kserve
	$(PYTHON) -m venv $(RUNS)/kserve
	$(RUNS)/kserve/bin/pip install --quiet kserve==0.21.0
	KSERVE_PYTHON=$(abspath $(RUNS)/kserve/bin/python) $(BIN)/pytest -m slow -s tests/client/serving/inference/test_kserve.py

lock: setup  ## choose every package's newest version that fits, with hashes
	$(COMPILE) --upgrade --extra dev --output-file requirements/dev.lock
	$(COMPILE) --upgrade --extra sql --constraint requirements/dev.lock --output-file requirements/merchant.lock

.PHONY: $(shell grep -oE "^[a-z-]+:" $(MAKEFILE_LIST) | tr -d :)
