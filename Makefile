# make demo    see it work: a real cluster, one connect, one ssh (root on Debian, nothing else)
# make test    every test; without root those on the real cluster are skipped, and it says so
# make test-pythons   the unit tests on each supported Python that is on PATH as python3.N
# make lint    ruff and mypy; gofmt and go vet where Go is
# make sshd    the ssh server for containers without one, for both architectures (Go)
# make dist    an sdist and a wheel for others, both servers inside (Go)
# make package the archive for krew, for this system (Go)
# make krew-manifest VERSION=v0.1.0   krew-manifest.yaml for the archives in dist/
# make krew-test   the archive through krew itself, on the real cluster
# make docs    the pictures of README.md and docs/, from real runs on the cluster
# make bench   connect against the same work done by hand
PYTHON ?= python3
VENV := .venv
# Much of a test is waiting; each process has a cluster of its own, so not as many as there are cores.
PARALLEL := --numprocesses=3 --dist=loadfile
RUN := $(VENV)/bin/python
# Those that setup.cfg names, and what is asked of each: what needs no cluster and no Go.
PYTHONS := 3.10 3.11 3.12 3.13 3.14
UNIT := tests --ignore=tests/e2e --ignore=tests/hostile --ignore=tests/sshd
# What the archive has to pass, and the program in it.
FROZEN := tests/krew/with_krew.py tests/e2e/test_connect.py tests/e2e/test_ssh.py \
  tests/e2e/test_reach.py tests/e2e/test_reach_networks.py tests/e2e/test_reach_pod.py
PACKAGE_VENV := build/package-venv

.PHONY: demo test test-pythons lint sshd dist package krew-manifest krew-test docs bench clean
.DELETE_ON_ERROR:

demo: $(VENV)/ready
	@$(RUN) -m tests.cluster prepare --cluster-only
	@$(RUN) -m tests.demo

test: $(VENV)/ready
	@$(RUN) -m tests.cluster prepare --if-possible
	$(VENV)/bin/pytest $(PARALLEL) $(TEST_FLAGS)

test-pythons:
	@for version in $(PYTHONS); do \
	  python$$version -c '' 2>/dev/null || { echo "python$$version is not on PATH: left out" >&2; continue; }; \
	  echo "== $$(python$$version -V)"; venv=build/python-$$version; \
	  { [ -x $$venv/bin/pip ] || python$$version -m venv $$venv; } && \
	  $$venv/bin/pip install --quiet --disable-pip-version-check --editable '.[test]' && \
	  $$venv/bin/pytest $(PARALLEL) $(UNIT) $(TEST_FLAGS) && \
	  $$venv/bin/mypy --python-version $$version || exit 1; \
	done

lint: $(VENV)/ready
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	@if command -v go >/dev/null; then cd sshd && go vet ./... && \
	  { unformatted=$$(gofmt -l .); [ -z "$$unformatted" ] || { echo "gofmt: $$unformatted" >&2; exit 1; }; }; \
	else echo "no go on PATH: gofmt and go vet are left out" >&2; fi

sshd:
	@$(PYTHON) sshd/build.py

# The wheel is made from the sdist, which is not made without the servers.
dist: $(VENV)/ready
	$(VENV)/bin/pip install --quiet --disable-pip-version-check build
	rm -f dist/*.whl dist/kubectl_nodeport-*.tar.gz
	$(RUN) -m build

docs: $(VENV)/ready
	@$(RUN) -m tests.cluster prepare
	@$(RUN) -m tests.pictures
	KUBECTL_NODEPORT_PICTURES=docs/pictures $(VENV)/bin/pytest --require-cluster tests/e2e/test_vscode.py

bench: $(VENV)/ready
	@$(RUN) -m tests.cluster prepare --cluster-only
	@$(RUN) -m bench

package: $(PACKAGE_VENV)/ready
	@$(PACKAGE_VENV)/bin/python -m release.package

krew-manifest:
	@$(PYTHON) -m release.manifest "$(VERSION)"

krew-test: $(VENV)/ready package
	@$(RUN) -m tests.cluster prepare --cluster-only
	$(VENV)/bin/pytest --require-cluster --plugin=build/release/dist/kubectl-nodeport $(FROZEN)

# With the versions of the release, not with those that are newest today.
$(PACKAGE_VENV)/ready: release/requirements.txt
	rm -rf $(PACKAGE_VENV)
	$(NEW_VENV) $(PACKAGE_VENV)
	$(PACKAGE_VENV)/bin/pip install --quiet --disable-pip-version-check --no-deps --requirement $<
	@touch $@

# Debian's python3 comes without ensurepip, so that no virtual environment can be made with it.
define NEW_VENV
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo "error: Python 3.10 or newer is needed, $(PYTHON) is $$($(PYTHON) -V)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get -q update && \
	    apt-get -q install -y --no-install-recommends python3-venv; } || \
	  { echo "error: Python's venv module is missing; on Debian: apt install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv
endef

$(VENV)/ready: setup.cfg pyproject.toml
	$(NEW_VENV) $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@

clean:
	rm -rf $(VENV) build dist kubectl_nodeport/sshd *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
