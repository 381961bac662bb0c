.DEFAULT_GOAL := help
.PHONY: help setup demo examples test test-all combinations parity lint tint golden readme pictures bench bench-peers burn burn-examples bench-burn gpu compilers

# SwiftShader, where `scripts/setup.sh --ci` has fetched it, joins the machine's own adapters.
swiftshader := .cache/swiftshader/vk_swiftshader_icd.json
ifneq ($(wildcard $(swiftshader)),)
export VK_ADD_DRIVER_FILES := $(if $(VK_ADD_DRIVER_FILES),$(VK_ADD_DRIVER_FILES):)$(CURDIR)/$(swiftshader)
endif

# Mesa's drivers look for a Wayland session and complain on stderr where this is not set, as on a machine without a desktop.
export XDG_RUNTIME_DIR ?= $(CURDIR)/target

target_dir := $(or $(CARGO_TARGET_DIR),target)
golden_venv := .cache/golden
peers_program := $(target_dir)/peers/release/wgloss-peers
PYTHON ?= python3
tint_installed := tests/tint/node_modules/.package-lock.json

# What is built to be run, and not to be tested.
build := cargo build --profile example --all-features --bin wgloss
built := $(target_dir)/example

# The examples that `make demo` leaves out.
learners := convergence multi_task curriculum vae_digits gan_2d

# What `make test-all` takes more combinations and adapters of: the tests of what is particular to drivers, and of what
# every loss keeps.
drivers := elementwise:: boxes:: pairs:: all_pairs:: rows:: regions:: sums:: layers:: linear:: policies:: sequences:: \
	top_k::
every_loss := parity:: conventions::

# Those of the package for Burn.
burn_learners := digits metric_learning perceptual language_model

# Most of what tests take on a CPU adapter is compiling, and of that a fifth is the optimiser of Mesa's drivers, which
# other adapters do not know.
without_optimiser := GALLIVM_PERF=nopt

help: ## Lists these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Installs a Vulkan driver where there is none
	@scripts/setup.sh

demo: setup ## Lists the adapters, trains a classifier, segments a photograph and embeds digits, with pictures in target/demo
	$(build) --example train_digits --example segment --example embed_digits
	$(built)/wgloss adapters
	mkdir -p target/demo
	$(built)/examples/train_digits --output target/demo/train_digits.svg
	$(built)/examples/segment --output target/demo/segment.svg
	$(built)/examples/embed_digits --output target/demo/embed_digits.svg

examples: setup ## Fits a curve in spite of outliers, learns three tasks at once, digits by difficulty, to draw digits, and plays GANs
	$(build) $(learners:%=--example %)
	mkdir -p target/demo
	@set -e; for example in $(learners); do \
		echo "== $$example"; $(built)/examples/$$example --output target/demo/$$example.svg; \
	done

test: setup ## Runs all tests, on every adapter found
	@if command -v npm >/dev/null; then $(MAKE) -s tint || echo "going on without Tint"; fi
	$(without_optimiser) cargo test --all-features --no-fail-fast

test-all: setup ## Runs the long tests: more losses and more adapters, more kernels through compilers (see tests/README.md)
	WGLOSS_TESTS=long cargo test --all-features --no-fail-fast --test gpu -- $(drivers) $(every_loss)
	WGLOSS_TESTS=long cargo test --all-features --no-fail-fast --lib -- compilers races validity loops

combinations: setup ## Runs the tests on adapters with all combinations, for hours
	WGLOSS_TESTS=all cargo test --all-features --no-fail-fast --test gpu -- --skip parity::

parity: setup ## Holds every loss to the reference on every adapter in all cases (see tests/README.md)
	WGLOSS_TESTS=all cargo test --all-features --test gpu parity::

lint: ## Checks formatting, the width of lines, clippy's advice and the documentation
	cargo fmt --check
	scripts/check-width.sh
	cargo clippy --all-targets --all-features -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --all-features

tint: $(tint_installed) ## Installs Tint, with which the tests compile the shaders
$(tint_installed): tests/tint/package-lock.json
	npm ci --prefix tests/tint --loglevel=error

golden: ## Computes the golden values of the tests anew, with Python
	python3 -m venv $(golden_venv)
	$(golden_venv)/bin/pip install --quiet -r tests/golden/requirements.txt
	$(golden_venv)/bin/python tests/golden/generate.py
	$(golden_venv)/bin/python tests/golden/samples.py
	$(golden_venv)/bin/python tests/golden/ops.py

readme: ## Puts the table of losses into README.md and docs/which_loss.md anew
	$(build)
	$(built)/wgloss list --markdown | \
		sed -i.bak -e '/^<!-- losses -->/,/^<!-- \/losses -->/{//!d;}' -e '/^<!-- losses -->/r /dev/stdin' README.md
	rm README.md.bak
	$(built)/wgloss choose --markdown > docs/which_loss.md

pictures: setup ## Draws the pictures of docs/pictures anew
	$(build)
	$(built)/wgloss plot docs/pictures

# The tables are saved before new scratch memory or spills make it fail.
compilers: ## Saves what a compiler for GPUs says of every kernel, and shows what has changed (see benches/compilers/README.md)
	WGLOSS_TESTS=all WGLOSS_SAVE_COMPILERS=1 cargo test --all-features --lib compilers -- --nocapture

bench: setup ## Times every loss on the most capable adapter, to target/bench.json and the page target/bench.html
	cargo build --release --features cli --bin wgloss
	$(target_dir)/release/wgloss bench --json $(target_dir)/bench.json --html $(target_dir)/bench.html

# Burn takes the first adapter of a kind, which must be wgloss's; SwiftShader would be another CPU. ADAPTER chooses one,
# such as vulkan:llvmpipe, and PYTHON one with PyTorch.
bench-peers: setup ## Times wgloss beside Burn and PyTorch, also to target/peers.json
	cargo build --release --manifest-path benches/peers/Cargo.toml --target-dir $(target_dir)/peers
	env -u VK_ADD_DRIVER_FILES $(peers_program) burn "$(ADAPTER)" --json $(target_dir)/peers.json
	@if $(PYTHON) -c 'import torch' 2>/dev/null; then \
		env -u VK_ADD_DRIVER_FILES $(PYTHON) benches/peers/pytorch.py --wgloss $(peers_program) --adapter "$(ADAPTER)" \
			--json $(target_dir)/peers.json; \
	else echo "without PyTorch, which $(PYTHON) does not have"; fi
	@$(peers_program) table $(target_dir)/peers.json

# Burn and what it needs take ten minutes on two cores, once. Burn takes the first adapter, which must be wgloss's.
cargo_burn = env -u VK_ADD_DRIVER_FILES cargo $(1) --manifest-path burn/Cargo.toml --target-dir $(target_dir)/burn
burn: setup ## Builds and tests wgloss-burn, wgloss inside Burn, with its examples
	cargo fmt --check --manifest-path burn/Cargo.toml
	$(call cargo_burn,test --no-fail-fast)
	$(call cargo_burn,clippy --all-targets) -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(call cargo_burn,doc --no-deps)

burn-examples: setup ## Trains with Burn: digits, embeddings, a picture by its features, a language model
	@set -e; for example in $(burn_learners); do \
		echo "== $$example"; $(call cargo_burn,run --quiet --profile bench --features autotune --example $$example); \
	done

bench-burn: setup ## Times the loss part of a step in Burn, with wgloss's loss and with Burn's own
	$(call cargo_burn,bench --features autotune --bench loss)

# Without Burn, whose build takes long.
gpu: ## Builds what benches/gpu.sh runs on a machine with a GPU, into target/gpu (see benches/README.md)
	cargo build --release --features cli --bin wgloss
	cargo build --release --no-default-features --manifest-path benches/peers/Cargo.toml --target-dir $(target_dir)/peers
	mkdir -p target/gpu
	strip -o target/gpu/wgloss $(target_dir)/release/wgloss
	strip -o target/gpu/wgloss-peers $(peers_program)
